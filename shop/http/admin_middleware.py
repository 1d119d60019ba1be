"""Django's session, log-in and message middlewares, for the pages of staff alone.

The API signs in by token and keeps no session, and these three cost a request as much as a view.
"""

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

ADMIN_PATH = "/admin/"


class AdminSessionMiddleware(SessionMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(ADMIN_PATH):
            return self.get_response(request)  # type: ignore[return-value]
        response = super().__call__(request)
        # The theme's Alpine.js evaluates expressions in attributes; nothing but the admin may.
        response._csp_update = {  # type: ignore[union-attr]
            "script-src": ["'unsafe-eval'", "'unsafe-inline'"]
        }
        return response  # type: ignore[return-value]


class AdminAuthenticationMiddleware(AuthenticationMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(ADMIN_PATH):
            return self.get_response(request)  # type: ignore[return-value]
        return super().__call__(request)  # type: ignore[return-value]


class AdminMessageMiddleware(MessageMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(ADMIN_PATH):
            return self.get_response(request)  # type: ignore[return-value]
        return super().__call__(request)  # type: ignore[return-value]
