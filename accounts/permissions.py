"""Who may come in, and how often they may try."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar
from uuid import UUID

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import customer_of
from accounts.errors import WrongPassword
from accounts.models import User
from accounts.services import AccessClaims
from shop.errors import TooMany, Unauthenticated
from shop.http.client_address import client_network
from shop.http.rate_limit.attempts import Usage, count_attempt, look_at_attempts
from shop.observe.security import Event, note
from shop.privacy import email_hash


def session_of(request: Request) -> UUID:
    """Return the session that the request's access token belongs to, where `SignedIn` let it in."""
    claims = request.auth
    assert isinstance(claims, AccessClaims)
    return claims.family


def user_or_none(request: Request) -> User | None:
    """Return who asks, or None for a guest.

    May be 15 s old and is not to be saved: services read the row again before they change it.
    """
    return request.user if isinstance(request.user, User) else None


def signed_in_user(request: Request) -> User:
    """Return who asks. Raises Unauthenticated for a guest; see `user_or_none` for its age."""
    user = user_or_none(request)
    if user is None:
        raise Unauthenticated("Sign in: send an access token.")
    return user


def customer_at_hand(request: HttpRequest) -> User | None:
    """Return who will be signed in by the request's token, as it would be told by `user_or_none`.

    For what is answered before DRF begins. None in any doubt, and for staff. Raises nothing.
    """
    return customer_of(request)


class SignedIn(BasePermission):
    """Whoever has an account."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return user_or_none(request) is not None


def count_email_change(request: Request) -> None:
    """Count a wish for another address: each sends mail to somebody who did not ask for it.

    Raises TooMany, with the seconds to wait.
    """
    usage = count_attempt(
        request._request,
        group="email_change",
        key=signed_in_user(request).email_hash,
        rate="5/h",
    )
    if usage.is_used_up:
        raise TooMany("Wait a little.", retry_after=usage.retry_after)


class Attempts:
    """Tries at something that one might guess, such as a password; only failures count.

    Counted for the account at one network, for the network, and for the account everywhere. The
    first two stop a guesser. The last one stops nobody by itself, or whoever wants to lock somebody
    out would only have to fail often enough in their name: while it is used up, each network has
    two tries at the account in an hour instead of ten in five minutes. So the owner, who knows the
    password, still comes in from anywhere; many guessers together get little.
    """

    LIMITS: ClassVar[dict[str, str]] = {
        "account_here": "10/5m",
        "address": "100/5m",
        "account": "200/h",
        "account_here_under_attack": "2/h",
    }

    def __init__(self, request: Request | HttpRequest, *, subject: str, account: str) -> None:
        """Name what is tried (`log_in`) and at which account (an e-mail, known or not)."""
        self._request = request._request if isinstance(request, Request) else request
        self._subject = subject
        address, account = client_network(self._request), email_hash(account)
        self._keys = {
            "account_here": f"{account} {address}",
            "address": address,
            "account": account,
            "account_here_under_attack": f"{account} {address}",
        }

    def require_one_left(self) -> None:
        """Raise TooMany, with the seconds to wait, when too many failed lately.

        While the counter does not answer each process counts alone: guessing never becomes free.
        """
        for part in ("account_here", "address"):
            self._refuse_if_used_up(self._look_at(part))
        if self._look_at("account").is_used_up:
            self._refuse_if_used_up(self._look_at("account_here_under_attack"))

    def count_failure(self) -> None:
        for part, rate in self.LIMITS.items():
            count_attempt(
                self._request, group=f"{self._subject}:{part}", key=self._keys[part], rate=rate
            )

    def _look_at(self, part: str) -> Usage:
        return look_at_attempts(
            self._request,
            group=f"{self._subject}:{part}",
            key=self._keys[part],
            rate=self.LIMITS[part],
        )

    def _refuse_if_used_up(self, usage: Usage) -> None:
        if usage.is_used_up:
            note(Event.LOG_IN_LOCKED, subject=self._subject)
            raise TooMany(
                "Too many failed attempts: wait, or reset the password.",
                retry_after=usage.retry_after,
            )


@contextmanager
def guessing_password(request: Request) -> Iterator[None]:
    """Count wrong passwords of somebody who is signed in: a stolen session must not find it out.

    Raises TooMany after too many.
    """
    attempts = Attempts(request, subject="change_password", account=signed_in_user(request).email)
    attempts.require_one_left()
    try:
        yield
    except WrongPassword:
        attempts.count_failure()
        raise
