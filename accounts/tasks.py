"""Work about accounts that nobody waits for."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from accounts import services
from shop.outbox.listeners import ListenerTask


@shared_task(name="accounts.send_verification", base=ListenerTask)
def send_verification(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_verification(
        message_id=message_id, user_id=payload["user_id"], now=timezone.now()
    )


@shared_task(name="accounts.send_registration_notice", base=ListenerTask)
def send_registration_notice(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_registration_notice(
        message_id=message_id, user_id=payload["user_id"], now=timezone.now()
    )


@shared_task(name="accounts.send_password_reset", base=ListenerTask)
def send_password_reset(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_password_reset(
        message_id=message_id, user_id=payload["user_id"], now=timezone.now()
    )


@shared_task(name="accounts.send_password_changed", base=ListenerTask)
def send_password_changed(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_password_changed(message_id=message_id, user_id=payload["user_id"])


@shared_task(name="accounts.send_email_change_link", base=ListenerTask)
def send_email_change_link(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_email_change_link(
        message_id=message_id, change_id=payload["change_id"], now=timezone.now()
    )


@shared_task(name="accounts.send_email_changed", base=ListenerTask)
def send_email_changed(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_email_changed(message_id=message_id, change_id=payload["change_id"])


@shared_task(name="accounts.send_second_factor_changed", base=ListenerTask)
def send_second_factor_changed(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_second_factor_changed(
        message_id=message_id, user_id=payload["user_id"], change=payload["change"]
    )


@shared_task(name="accounts.send_session_ended", base=ListenerTask)
def send_session_ended(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_session_ended(message_id=message_id, user_id=payload["user_id"])


@shared_task(name="accounts.prune_sessions")
def prune_sessions() -> int:
    """Safe to run twice."""
    now = timezone.now()
    return services.prune_sessions(now=now) + services.prune_email_changes(now=now)
