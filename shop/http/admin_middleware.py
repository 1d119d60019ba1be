"""Django's session, log-in and message middlewares, for the pages of staff alone.

The API signs in by token and keeps no session, and these three cost a request as much as a view.
"""

import re
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from shop.audit import act_as
from shop.privacy.cards import CardNumberNotAccepted, refuse_card_numbers
from shop.problems import as_http, request_id_of
from shop.staff.gate import is_for_admin

_SESSION_KEY = re.compile(r"[a-z0-9]{32}")


class AdminSessionMiddleware(SessionMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        # The database is asked only for what could be a key: it falls over a NUL.
        if not _SESSION_KEY.fullmatch(request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")):
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        super().process_request(request)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_for_admin(request):
            return self.get_response(request)  # type: ignore[return-value]
        response = super().__call__(request)
        # The theme's Alpine.js evaluates expressions in attributes; nothing but the admin may.
        response._csp_update = {  # type: ignore[union-attr]
            "script-src": ["'unsafe-eval'", "'unsafe-inline'"]
        }
        return response  # type: ignore[return-value]


class AdminAuthenticationMiddleware(AuthenticationMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_for_admin(request):
            return self.get_response(request)  # type: ignore[return-value]
        return super().__call__(request)  # type: ignore[return-value]

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        _end_if_idle(request)
        if request.method == "POST" and request.user.pk is not None:
            # Ended by the outermost middleware.
            act_as(user_id=request.user.pk, request_id=request_id_of(request), through="admin")


class AdminCardNumbersMiddleware:
    """Refuses forms of the admin with a card's number in them, as the API does."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_for_admin(request) and request.method == "POST":
            for name, values in request.POST.lists():
                # A form in a row of forms: `variants-0-barcode`.
                try:
                    refuse_card_numbers({name.rpartition("-")[2]: values})
                except CardNumberNotAccepted as refusal:
                    return as_http(refusal, request)
        return self.get_response(request)


class AdminMessageMiddleware(MessageMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_for_admin(request):
            return self.get_response(request)  # type: ignore[return-value]
        return super().__call__(request)  # type: ignore[return-value]


_SEEN = "seen_at"
_NOTED_EVERY = 60  # seconds: not each page is worth a write


def _end_if_idle(request: HttpRequest) -> None:
    """Log out whoever has done nothing for `SHOP_STAFF_IDLE_SECONDS`."""
    if SESSION_KEY not in request.session:
        return
    now, seen = time.time(), request.session.get(_SEEN)
    if seen is not None and now - seen > settings.SHOP_STAFF_IDLE_SECONDS:
        logout(request)
    elif seen is None or now - seen > _NOTED_EVERY:
        request.session[_SEEN] = now
