"""Mails about accounts. None of them repeats anything that a stranger may have typed in."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

from accounts.models import EmailChange, User
from accounts.services.links import Purpose, link_token
from shop.outbox.services import first_time
from shop.privacy import mask_email


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


@transaction.atomic
def send_email_change_link(*, message_id: str, change_id: int, now: datetime) -> None:
    """Mail the link to the new address, or tell its owner; and word to the present address.

    At least once a message; none when another change was asked for since.
    """
    change = _change("accounts.send_email_change_link", message_id, change_id)
    if change is None or change.confirmed_at is not None:
        return
    if User.objects.filter(email=change.new_email).exists():
        _send_to(change.new_email, "email_taken", {})
    else:
        token = link_token(user=change.user, purpose=Purpose.CHANGE_EMAIL, now=now)
        _send_to(change.new_email, "email_change", {"link": _link("confirm-email", token)})
    facts = {"new_email": mask_email(change.new_email)}
    _send_to(change.old_email, "email_change_notice", facts)


@transaction.atomic
def send_email_changed(*, message_id: str, change_id: int) -> None:
    """Tell both addresses that the new one took the place of the old. At least once a message."""
    change = _change("accounts.send_email_changed", message_id, change_id)
    if change is not None:
        facts = {"new_email": mask_email(change.new_email)}
        for address in (change.old_email, change.new_email):
            _send_to(address, "email_changed", facts)


def _change(consumer: str, message_id: str, change_id: int) -> EmailChange | None:
    if not first_time(consumer, message_id):
        return None
    return EmailChange.objects.filter(pk=change_id, user__is_active=True).first()


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
    _send_to(user.email, name, context)


def _send_to(address: str, name: str, context: Mapping[str, str]) -> None:
    """Send the mail inside the caller's transaction: if it does not go out, it counts as unsent."""
    facts = {"shop_url": settings.SHOP_PUBLIC_URL, **context}
    mail = EmailMultiAlternatives(
        subject=render_to_string(f"accounts/mail/{name}_subject.txt", facts).strip(),
        body=render_to_string(f"accounts/mail/{name}.txt", facts),
        to=[address],
    )
    mail.attach_alternative(render_to_string(f"accounts/mail/{name}.html", facts), "text/html")
    mail.send()
