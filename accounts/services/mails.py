"""Mails about accounts. None of them repeats anything that a stranger may have typed in."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

from accounts.models import User
from accounts.services.links import Purpose, link_token
from shop.outbox.services import first_time


@transaction.atomic
def send_verification(*, message_id: str, user_id: int, now: datetime) -> None:
    """Mail the link that proves the address, unless it is proven. At least once a message."""
    user = _addressee("accounts.send_verification", message_id, user_id)
    if user is not None and user.email_verified_at is None:
        _send(user, "verification", {"link": _verification_link(user, now)})


@transaction.atomic
def send_registration_notice(*, message_id: str, user_id: int, now: datetime) -> None:
    """Tell somebody that their address was used to register again. At least once a message."""
    user = _addressee("accounts.send_registration_notice", message_id, user_id)
    if user is not None:
        link = "" if user.email_verified else _verification_link(user, now)
        _send(user, "registration_repeated", {"link": link})


@transaction.atomic
def send_password_reset(*, message_id: str, user_id: int | None, now: datetime) -> None:
    """Mail the link that sets a new password. At least once a message; none without a user."""
    if user_id is None:
        return
    user = _addressee("accounts.send_password_reset", message_id, user_id)
    if user is not None:
        token = link_token(user=user, purpose=Purpose.RESET_PASSWORD, now=now)
        _send(user, "password_reset", {"link": _link("reset-password", token)})


@transaction.atomic
def send_password_changed(*, message_id: str, user_id: int) -> None:
    """Tell somebody that their password was changed. At least once a message."""
    user = _addressee("accounts.send_password_changed", message_id, user_id)
    if user is not None:
        _send(user, "password_changed", {})


@transaction.atomic
def send_second_factor_changed(*, message_id: str, user_id: int, change: str) -> None:
    """Tell somebody what became of their second factor. At least once a message."""
    user = _addressee("accounts.send_second_factor_changed", message_id, user_id)
    if user is not None:
        _send(user, "second_factor_changed", {"change": change})


@transaction.atomic
def send_session_ended(*, message_id: str, user_id: int) -> None:
    """Tell somebody that a copied token ended their session. At least once a message."""
    user = _addressee("accounts.send_session_ended", message_id, user_id)
    if user is not None:
        _send(user, "session_ended", {})


def _addressee(consumer: str, message_id: str, user_id: int) -> User | None:
    """Return whom to write to, or None when it was done before or cannot be."""
    if not first_time(consumer, message_id):
        return None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user if user is not None and user.is_reachable else None


def _verification_link(user: User, now: datetime) -> str:
    return _link("verify-email", link_token(user=user, purpose=Purpose.VERIFY_EMAIL, now=now))


def _link(page: str, token: str) -> str:
    # Behind the `#`, which browsers keep to themselves: no server writes it to its log.
    return f"{settings.SHOP_PUBLIC_URL}/{page}#token={token}"


def _send(user: User, name: str, context: Mapping[str, str]) -> None:
    """Send the mail inside the caller's transaction: if it does not go out, it counts as unsent."""
    facts = {"shop_url": settings.SHOP_PUBLIC_URL, **context}
    mail = EmailMultiAlternatives(
        subject=render_to_string(f"accounts/mail/{name}_subject.txt", facts).strip(),
        body=render_to_string(f"accounts/mail/{name}.txt", facts),
        to=[user.email],
    )
    mail.attach_alternative(render_to_string(f"accounts/mail/{name}.html", facts), "text/html")
    mail.send()
