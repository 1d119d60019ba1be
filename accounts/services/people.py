"""People: how they come to be known here, and what they change about themselves."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import TypedDict
from uuid import uuid4

import phonenumbers
from django.conf import settings
from django.db import transaction

from accounts.models import UNREACHABLE_DOMAIN, User
from accounts.selectors import users_by_external_ref
from accounts.services.links import Purpose, locked_user_of_link
from accounts.services.passwords import replace_password, require_good_password
from shop.errors import FieldError, Malformed
from shop.outbox.services import publish
from shop.privacy import normal_email


class ProfileChanges(TypedDict, total=False):
    """What people may change about themselves; what is absent stays."""

    full_name: str
    phone: str


def phone_in_e164(phone: str, *, country: str) -> str:
    """Return `phone` as `+447700900123`; one without a prefix is read as one of `country`.

    Empty stays empty. Asks whether such a number could be, not whether it rings: numbering plans
    change faster than any library. Raises Malformed at `/phone`.
    """
    if not phone:
        return ""
    number = None
    # The library reads past letters (an extension, a note): they would be dropped in silence.
    if not any(character.isalpha() for character in phone):
        with suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(phone, country)
    possible = phonenumbers.ValidationResult.IS_POSSIBLE
    if number is None or phonenumbers.is_possible_number_with_reason(number) != possible:
        raise Malformed(errors=[FieldError("/phone", "invalid", "This is no telephone number.")])
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@transaction.atomic
def register_customer(
    *, email: str, password: str, now: datetime, full_name: str = "", phone: str = ""
) -> User | None:
    """Open an account that can log in at once; its address is still to be verified.

    Returns None when the address has an account: nothing changes, and its owner is told by mail.
    Does the same work in both cases, so that the time tells nothing.

    Raises Malformed for a password or telephone number that is refused.
    """
    phone = phone_in_e164(phone, country=settings.SHOP_COUNTRY)
    require_good_password(
        password, user=User(email=normal_email(email), full_name=full_name), pointer="/password"
    )
    draft = User.objects.prepared(
        email=email, password=password, full_name=full_name, phone=phone, created_at=now
    )
    # One statement decides who was first; a twin of this call makes no second account.
    User.objects.bulk_create([draft], ignore_conflicts=True)
    user = User.objects.get(email=draft.email)
    is_new = user.public_id == draft.public_id
    publish(
        topic="accounts.registered" if is_new else "accounts.registration_repeated",
        key=f"user:{user.pk}",
        payload={"v": 1, "user_id": user.pk},
    )
    return user if is_new else None


@transaction.atomic
def confirm_email(*, token: str, now: datetime) -> None:
    """Note that the address is read by the person it belongs to. Raises LinkNotValid."""
    user = locked_user_of_link(token=token, purpose=Purpose.VERIFY_EMAIL, now=now)
    if user.email_verified_at is None:
        user.email_verified_at = now
        user.save(update_fields=["email_verified_at"])


@transaction.atomic
def change_profile(*, user: User, changes: ProfileChanges) -> User:
    """Change what `changes` names, and return the user as they are now.

    Raises Malformed for a telephone number that cannot be.
    """
    current = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
    if "full_name" in changes:
        current.full_name = changes["full_name"]
    if "phone" in changes:
        current.phone = phone_in_e164(changes["phone"], country=settings.SHOP_COUNTRY)
    if changes:
        current.save(update_fields=["full_name", "phone"])
    return current


def customer_for_history(*, external_ref: str, now: datetime) -> User:
    """Return the customer that another system knew as `external_ref`, made on first sight."""
    return customers_for_history([external_ref], now=now)[external_ref]


@transaction.atomic
def customers_for_history(refs: Collection[str], *, now: datetime) -> dict[str, User]:
    """Return the customers that another system knew under `refs`, those not yet here made.

    They cannot log in, and their made-up address reaches nobody. Safe to repeat, and takes three
    queries at most, whatever the number.
    """
    wanted = sorted(set(refs))
    known = users_by_external_ref(wanted)
    missing = [ref for ref in wanted if ref not in known]
    if missing:
        User.objects.bulk_create(
            (
                # Random, so that nobody can register the address of a customer yet to come.
                User.objects.prepared(
                    email=f"{uuid4().hex}@{UNREACHABLE_DOMAIN}",
                    password=None,
                    external_ref=ref,
                    created_at=now,
                )
                for ref in missing
            ),
            batch_size=5000,
            ignore_conflicts=True,
        )
        known |= users_by_external_ref(missing)
    return known


@transaction.atomic
def ensure_staff(*, email: str, password: str, now: datetime, leave_known: bool = False) -> User:
    """Make sure that `email` with `password` opens the admin, with every permission.

    Safe to repeat: with nothing to change, nothing changes and no session ends. With
    `leave_known` an account that is there stays as it is, whatever its password and powers.
    """
    user = (
        User.objects.select_for_update(of=("self",), no_key=True)
        .filter(email=normal_email(email))
        .first()
    )
    if user is None:
        return User.objects.create_superuser(email, password, created_at=now, email_verified_at=now)
    if leave_known:
        return user
    if not (user.is_staff and user.is_superuser and user.is_active):
        user.is_staff = user.is_superuser = user.is_active = True
        user.save(update_fields=["is_staff", "is_superuser", "is_active"])
    if not user.check_password(password):
        replace_password(user=user, password=password, now=now)
    return user
