"""Tokens that are bound to a person, a purpose and a state of affairs: mailed links, challenges."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.core import signing

from accounts.errors import LinkNotValid
from accounts.models import User
from accounts.selectors import open_email_change


class Purpose(StrEnum):
    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a purpose
    CHANGE_EMAIL = "change_email"
    SECOND_FACTOR = "second_factor"  # not mailed: what a right password earns


LASTS = {
    Purpose.VERIFY_EMAIL: timedelta(days=3),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
    Purpose.CHANGE_EMAIL: timedelta(hours=1),
    Purpose.SECOND_FACTOR: timedelta(minutes=5),
}


def link_token(*, user: User, purpose: Purpose, now: datetime) -> str:
    """Return a token that proves, to whoever gets the mail, that it was meant for them.

    It stops being good once used, and when what it is about has changed meanwhile: the address,
    or for a reset the password.
    """
    return _signer(purpose).sign_object(
        {
            "user": user.public_id.hex,
            "state": _state(user, purpose),
            "until": int((now + LASTS[purpose]).timestamp()),
        }
    )


def locked_user_of_link(*, token: str, purpose: Purpose, now: datetime) -> User:
    """Return the person that `token` was mailed to, locked until the caller's transaction ends.

    Raises LinkNotValid when it is forged, for something else, too old, or used.
    """
    try:
        said = _signer(purpose).unsign_object(token)
        public_id, state, until = UUID(said["user"]), said["state"], int(said["until"])
    except (signing.BadSignature, ValueError, KeyError, TypeError):
        raise _not_valid() from None
    # Locked before its state is read: of two that come with one link the second finds it used.
    user = (
        User.objects.select_for_update(of=("self",), no_key=True)
        .filter(public_id=public_id, is_active=True)
        .first()
    )
    if user is None or until < now.timestamp() or state != _state(user, purpose):
        raise _not_valid()
    return user


def _not_valid() -> LinkNotValid:
    return LinkNotValid("The link was used, is too old, or is not ours. Ask for a new one.")


def _signer(purpose: Purpose) -> signing.Signer:
    return signing.Signer(salt=f"accounts.links.{purpose}")


def _state(user: User, purpose: Purpose) -> str:
    parts = [user.email_hash, str(user.email_verified_at)]
    if purpose is not Purpose.VERIFY_EMAIL:
        parts = [user.email_hash, user.password, str(user.token_version)]
    if purpose is Purpose.CHANGE_EMAIL:
        change = open_email_change(user)
        # The row's number: asking anew, for the same address too, makes the first link worthless.
        parts += [str(change.pk), change.new_email] if change else ["none"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
