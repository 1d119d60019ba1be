"""Keyed hashes of addresses, written anew by the newest key."""

from django.db import transaction

from accounts.models import User
from shop.privacy import email_hash


@transaction.atomic
def rehash_people(*, after: int, size: int) -> tuple[int, int] | None:
    """Write the hashes of the next `size` people anew; return the last id and how many changed.

    None, when there are no more. Safe to repeat. Mailed links that were not used yet stop working
    for those who change.
    """
    people = list(
        User.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__gt=after)
        .order_by("pk")
        .only("pk", "email", "email_hash")[:size]
    )
    if not people:
        return None
    stale = [person for person in people if person.email_hash != email_hash(person.email)]
    for person in stale:
        person.email_hash = email_hash(person.email)
    User.objects.bulk_update(stale, ["email_hash"])
    return people[-1].pk, len(stale)
