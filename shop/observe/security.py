"""Security events: one vocabulary, one line of the log and one count for each.

The words are OWASP's logging vocabulary, so that a SIEM knows them. Facts are ids, kinds and
states; never a password, a code, a token or an address (`shop.observe.redaction` would hide them).
"""

from enum import StrEnum
from typing import Any

import structlog

from shop.observe import metrics


class Event(StrEnum):
    """What may happen that somebody who watches over the shop wants to know."""

    LOGGED_IN = "authn_login_success"
    LOG_IN_FAILED = "authn_login_fail"
    LOG_IN_LOCKED = "authn_login_lock"  # too many failures: not even looked at
    SECOND_FACTOR_FAILED = "authn_second_factor_fail"
    SECOND_FACTOR_CHANGED = "authn_second_factor_change"
    PASSWORD_CHANGED = "authn_password_change"  # noqa: S105 - the name of an event
    EMAIL_CHANGED = "user_email_change"
    TOKEN_REUSED = "authn_token_reuse"  # noqa: S105 - the name of an event
    SESSIONS_ENDED = "session_terminate_all"
    POWERS_CHANGED = "privilege_permissions_changed"
    NOT_ALLOWED = "authz_fail"
    ADMIN_REFUSED = "authz_admin_address_fail"  # by host or address: the admin is not there
    PERSONAL_DATA_SHOWN = "sensitive_read"


_ALARMING = frozenset(
    {
        Event.LOG_IN_LOCKED,
        Event.SECOND_FACTOR_FAILED,
        Event.TOKEN_REUSED,
        Event.NOT_ALLOWED,
        Event.ADMIN_REFUSED,
    }
)

log = structlog.get_logger("shop.security")


def note(event: Event, *, user_id: int | None = None, **facts: Any) -> None:
    """Write the event down; `user_id` is whose account it is about, where that is known.

    Not undone by a rollback: what was tried was tried.
    """
    metrics.security_events.labels(event.value).inc()
    write = log.warning if event in _ALARMING else log.info
    write(event.value, user_id=user_id, **facts)
