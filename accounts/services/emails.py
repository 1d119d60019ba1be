"""Changing one's e-mail address: asked for with the password, confirmed by its reader."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.errors import LinkNotValid
from accounts.models import EmailChange, User
from accounts.selectors import open_email_change
from accounts.services.links import Purpose, locked_user_of_link
from accounts.services.passwords import prove_password
from accounts.services.sessions import end_all_sessions
from shop.errors import FieldError, Malformed
from shop.observe.security import Event, note
from shop.outbox.services import publish
from shop.privacy import normal_email

KEPT = timedelta(days=1)


@transaction.atomic
def request_email_change(*, user: User, new_email: str, password: str, now: datetime) -> None:
    """Have a link mailed to the new address, and word of it to the present one.

    Does the same work for an address that has an account: its owner is told instead. What was
    asked for before is forgotten, and its link good no more.

    Raises WrongPassword, and Malformed for the address that they have.
    """
    locked = prove_password(user=user, password=password)
    if normal_email(new_email) == locked.email:
        raise Malformed(errors=[FieldError("/new_email", "unchanged", "That is your address.")])
    EmailChange.objects.filter(user=locked, confirmed_at=None).delete()
    change = EmailChange.objects.create(
        user=locked,
        old_email=locked.email,
        new_email=normal_email(new_email),
        requested_at=now,
    )
    publish(
        topic="accounts.email_change_requested",
        key=f"user:{locked.pk}",
        payload={"v": 1, "user_id": locked.pk, "change_id": change.pk},
    )


def confirm_email_change(*, token: str, now: datetime) -> None:
    """Change the address by the link that was mailed to the new one; every session ends.

    Both addresses are told. Raises LinkNotValid, also when somebody else has the address by now.
    """
    try:
        with transaction.atomic():
            user = locked_user_of_link(token=token, purpose=Purpose.CHANGE_EMAIL, now=now)
            _change(user, now)
    except IntegrityError:
        raise LinkNotValid("The link is no longer good. Ask for a new one.") from None


def prune_email_changes(*, now: datetime) -> int:
    """Delete what was asked for more than a day ago. Safe to repeat."""
    return EmailChange.objects.filter(requested_at__lt=now - KEPT).delete()[0]


def _change(user: User, now: datetime) -> None:
    change = open_email_change(user)
    if change is None:
        raise LinkNotValid("The link is no longer good. Ask for a new one.")
    user.take_email(change.new_email)
    user.email_verified_at = now
    user.save(update_fields=["email", "email_hash", "email_verified_at"])
    change.confirmed_at = now
    change.save(update_fields=["confirmed_at"])
    end_all_sessions(user=user, now=now)
    note(Event.EMAIL_CHANGED, user_id=user.pk)
    publish(
        topic="accounts.email_changed",
        key=f"user:{user.pk}",
        payload={"v": 1, "user_id": user.pk, "change_id": change.pk},
    )
