"""Forgetting a person: what accounts hold of them."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from uuid import uuid4

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from accounts.models import UNREACHABLE_DOMAIN, Address, EmailChange, RefreshToken, User
from accounts.selectors import forget_sessions
from accounts.services.second_factors import forget_second_factors

ERASED = "erased"


@transaction.atomic
def erase_account(*, user: User, now: datetime) -> None:
    """Leave of `user` a row that names nobody and that nobody can sign in as.

    Sessions, addresses and powers go. The e-mail address is free to register anew. Joins the
    caller's transaction. Safe to repeat, and to be repeated: a request that began before may have
    written something since.
    """
    person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
    families = set(person.refresh_tokens.values_list("family", flat=True))
    _rename_in_log(User, [person.pk])
    _rename_in_log(Address, person.addresses.values_list("pk", flat=True))
    person.addresses.all().delete()
    RefreshToken.objects.filter(user=person).delete()
    forget_second_factors(person)
    EmailChange.objects.filter(user=person).delete()
    person.groups.clear()
    person.user_permissions.clear()
    if person.erased_at is None:
        person.take_email(f"{ERASED}-{uuid4().hex}@{UNREACHABLE_DOMAIN}")
        person.set_unusable_password()
        person.token_version += 1
        person.erased_at = now
    person.full_name = person.phone = ""
    person.external_ref = person.email_verified_at = person.last_login = None
    person.is_active = person.is_staff = person.is_superuser = False
    person.save()
    transaction.on_commit(partial(forget_sessions, *families))


def _rename_in_log(model: type[models.Model], ids: Iterable[int]) -> None:
    # Staff's history writes rows down by name.
    LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(model), object_id__in=map(str, ids)
    ).update(object_repr=ERASED)
