"""Work about accounts that nobody waits for."""

from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from accounts import services

# Seconds before the next attempts at a mail that the mail server did not take.
_PAUSES = (60, 300, 1500)


class _MailTask(Task):  # type: ignore[type-arg]  # generic for mypy only, not when it runs
    autoretry_for = (OSError,)  # smtplib's errors among them
    max_retries = len(_PAUSES)

    def retry(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["countdown"] = _PAUSES[min(self.request.retries, len(_PAUSES) - 1)]
        return super().retry(*args, **kwargs)


@shared_task(name="accounts.send_verification", base=_MailTask)
def send_verification(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_verification(
        message_id=message_id, user_id=payload["user_id"], now=timezone.now()
    )


@shared_task(name="accounts.send_registration_notice", base=_MailTask)
def send_registration_notice(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_registration_notice(
        message_id=message_id, user_id=payload["user_id"], now=timezone.now()
    )


@shared_task(name="accounts.send_password_reset", base=_MailTask)
def send_password_reset(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_password_reset(
        message_id=message_id, user_id=payload["user_id"], now=timezone.now()
    )


@shared_task(name="accounts.send_password_changed", base=_MailTask)
def send_password_changed(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_password_changed(message_id=message_id, user_id=payload["user_id"])


@shared_task(name="accounts.send_session_ended", base=_MailTask)
def send_session_ended(*, message_id: str, payload: dict[str, Any]) -> None:
    """At least once."""
    services.send_session_ended(message_id=message_id, user_id=payload["user_id"])


@shared_task(name="accounts.prune_sessions")
def prune_sessions() -> int:
    """Safe to run twice."""
    return services.prune_sessions(now=timezone.now())
