"""Passwords: chosen, changed, forgotten and replaced."""

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.errors import WrongPassword
from accounts.models import User
from accounts.services.links import Purpose, locked_user_of_link
from accounts.services.sessions import end_all_sessions
from shop.errors import FieldError, Malformed
from shop.observe.security import Event, note
from shop.outbox.services import publish
from shop.privacy import normal_email


def require_good_password(password: str, *, user: User, pointer: str) -> None:
    """Refuse a password that is short, common or like the person's own name or address.

    Raises Malformed with one entry at `pointer` for each reason.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Malformed(
            "Choose another password.",
            errors=[
                FieldError(pointer, reason.code or "invalid", message)
                for reason in error.error_list
                for message in reason.messages
            ],
        ) from None


@transaction.atomic
def request_password_reset(*, email: str) -> None:
    """Have a link mailed to the owner of `email`, if there is one that can be reached.

    Does the same work for an address that nobody has: a message that leads to no mail.
    """
    user = User.objects.filter(email=normal_email(email), is_active=True).only("pk").first()
    user_id = user.pk if user else None
    publish(
        topic="accounts.password_reset_requested",
        key=f"user:{user_id}",
        payload={"v": 1, "user_id": user_id},
    )


@transaction.atomic
def reset_password(*, token: str, password: str, now: datetime) -> None:
    """Set a new password by a mailed link, and end every session.

    Whoever holds the link reads the mail of that address, so it counts as verified too.

    Raises LinkNotValid, and Malformed for a password that is refused; the link then stays good.
    """
    user = locked_user_of_link(token=token, purpose=Purpose.RESET_PASSWORD, now=now)
    require_good_password(password, user=user, pointer="/password")
    if user.email_verified_at is None:
        user.email_verified_at = now
    _set(user, password, now)


@transaction.atomic
def change_password(*, user: User, current_password: str, new_password: str, now: datetime) -> None:
    """Set a new password for somebody who proves to know the present one; end every session.

    Raises WrongPassword, and Malformed for a password that is refused.
    """
    locked = prove_password(user=user, password=current_password)
    require_good_password(new_password, user=locked, pointer="/new_password")
    _set(locked, new_password, now)


def prove_password(*, user: User, password: str) -> User:
    """Return `user` as they are now, locked, if whoever asks knows their present password.

    Inside a transaction of the caller. Raises WrongPassword.
    """
    locked = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
    if not locked.check_password(password):
        raise WrongPassword("The present password is not right.")
    return locked


@transaction.atomic
def replace_password(*, user: User, password: str | None, now: datetime) -> None:
    """Set the password of `user` on the authority of the caller; end every session.

    With None nobody can log in as `user` until the password is reset.
    """
    locked = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
    _set(locked, password, now)


def _set(user: User, password: str | None, now: datetime) -> None:
    user.set_password(password)
    user.save(update_fields=["password", "email_verified_at"])
    end_all_sessions(user=user, now=now)
    note(Event.PASSWORD_CHANGED, user_id=user.pk)
    publish(
        topic="accounts.password_changed",
        key=f"user:{user.pk}",
        payload={"v": 1, "user_id": user.pk},
    )
