"""The address book."""

from datetime import datetime
from typing import TypedDict

from django.db import transaction

from accounts.errors import AddressBookFull, AddressNotFound
from accounts.models import Address, User
from accounts.selectors import address_of
from accounts.services.people import phone_in_e164

MOST_ADDRESSES = 100


class AddressChanges(TypedDict, total=False):
    """The parts of an address; what is absent stays as it is, or empty on a new one."""

    name: str
    company: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str  # ISO 3166-1 alpha-2
    phone: str
    is_default_shipping: bool
    is_default_billing: bool


@transaction.atomic
def add_address(*, owner: User, changes: AddressChanges, now: datetime) -> Address:
    """Add an address. A new default takes the place of the old one.

    Raises AddressBookFull, and Malformed for a telephone number that cannot be.
    """
    _lock_book(owner)
    if Address.objects.filter(owner=owner).count() >= MOST_ADDRESSES:
        raise AddressBookFull(f"It holds {MOST_ADDRESSES} addresses. Remove one first.")
    address = Address(owner=owner, created_at=now)
    _apply(address, changes)
    _make_room_for_defaults(address)
    address.save(force_insert=True)
    return address


@transaction.atomic
def change_address(*, owner: User, address_id: int, changes: AddressChanges) -> Address:
    """Change what `changes` names. A new default takes the place of the old one.

    Raises AddressNotFound, for somebody else's too, and Malformed.
    """
    _lock_book(owner)
    address = address_of(owner, address_id)
    _apply(address, changes)
    _make_room_for_defaults(address)
    if changes:
        address.save(update_fields=list(changes))
    return address


@transaction.atomic
def remove_address(*, owner: User, address_id: int) -> None:
    """Remove an address; orders that were sent there keep their copy. Raises AddressNotFound."""
    deleted, _ = Address.objects.filter(owner=owner, pk=address_id).delete()
    if not deleted:
        raise AddressNotFound("There is no such address in your address book.")


def _lock_book(owner: User) -> None:
    # Writers of one book queue up: two that each set a default would trip over the constraint,
    # and two that each add the last address would both find room.
    User.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=owner.pk)


def _apply(address: Address, changes: AddressChanges) -> None:
    for field, value in changes.items():
        setattr(address, field, value)
    if "phone" in changes:
        address.phone = phone_in_e164(changes["phone"], country=address.country)


def _make_room_for_defaults(address: Address) -> None:
    others = Address.objects.filter(owner_id=address.owner_id).exclude(pk=address.pk)
    if address.is_default_shipping:
        others.filter(is_default_shipping=True).update(is_default_shipping=False)
    if address.is_default_billing:
        others.filter(is_default_billing=True).update(is_default_billing=False)
