"""The outermost layer: request id, path form, body size, timing, one log line, one metric."""

import random
import re
import time
from collections.abc import Callable
from functools import cache

import structlog
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware

from shop.audit import stop_acting
from shop.errors import Malformed, NotFound, Refusal
from shop.http.headers import write_own
from shop.http.json import BodyTooLarge
from shop.http.rate_limit.limiter import check
from shop.http.request import take_in_chunks
from shop.observe import metrics
from shop.observe.timing import QueryClock, cache_clock
from shop.problems import (
    MEDIA_TYPE,
    UnsupportedMediaType,
    as_http,
    refusal_for,
    server_error,
)
from shop.staff.gate import is_for_admin, may_reach_admin

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_API = "/api/v1/"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LARGEST_DISCARDED = 8 * 1024 * 1024
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})  # asked by address, under any Host

log = structlog.get_logger("shop.http")


class RequestMiddleware:
    """Gives each request its id, and each answer the headers that every answer has.

    A path below `/api/v1/` may end in a slash: it is the same path, answered without a redirect
    that would lose a body. Bodies over the limit are refused before they are read. The rate limit
    is asked here and nowhere else, first of all: whatever is refused later has counted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._cors = CorsMiddleware(get_response)
        self._security = SecurityMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request_id = request.META.get("HTTP_X_REQUEST_ID", "")
        if not _SANE_REQUEST_ID.fullmatch(request_id):
            # Tells requests apart and opens nothing: to ask the system for it would cost more.
            request_id = f"{random.getrandbits(128):032x}"
        request.request_id = request_id  # type: ignore[attr-defined]
        if request.path_info.startswith(_API) and request.path_info.endswith("/"):
            request.path_info = request.path_info.rstrip("/")
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = (
                self._timed(request) if settings.SHOP_SERVER_TIMING else self._answer(request)
            )
        finally:
            stop_acting()
        _read_what_is_left(request)
        elapsed = time.perf_counter() - started

        write_own(response, "X-Request-ID", request_id)
        if not response.streaming and not response.has_header("Content-Length"):
            write_own(response, "Content-Length", str(len(response.content)))  # type: ignore[attr-defined]
        if request.path_info.startswith("/api/") and not response.has_header("Cache-Control"):
            write_own(response, "Cache-Control", "private, no-store")
        route = route_of(request)
        # A client may make methods up, and each would be kept as a series of its own for ever.
        method = request.method if request.method in _METHODS else "other"
        count, observe = _series(method, route, response.status_code)
        count()
        observe(elapsed)
        log.info(
            "request",
            method=method,
            route=route,
            status=response.status_code,
            problem=getattr(response, "problem_code", None),
            ms=round(elapsed * 1000, 1),
        )
        return response

    def _timed(self, request: HttpRequest) -> HttpResponseBase:
        clock, started = QueryClock(), time.perf_counter()
        with connections["default"].execute_wrapper(clock), cache_clock.running():
            response = self._answer(request)
            response["Server-Timing"] = (
                f"{clock.header('db', 'queries')}, {cache_clock.header()},"
                f" total;dur={(time.perf_counter() - started) * 1000:.1f}"
            )
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        decision = check(request)
        try:
            if decision is not None:
                decision.require_allowed()
            _require_readable(request)
        except Refusal as refusal:
            # Refused before these middlewares saw it, and a browser shall be able to read why.
            refused = self._security.process_response(request, as_http(refusal, request))
            response = self._cors.add_response_headers(request, refused)
        else:
            response = self.get_response(request)
            # DRF keeps the problem's own media type only when it is put in by hand.
            if response.status_code >= 400 and hasattr(response, "problem_code"):
                response["Content-Type"] = MEDIA_TYPE
        if decision is not None:
            decision.write_headers(response)
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer for views that are not DRF's and for bugs: log once, show nothing."""
        refusal = refusal_for(exception)
        if refusal is not None:
            return as_http(refusal, request)
        log.error("bug", route=route_of(request), exc_info=exception)
        return server_error(request)


@cache
def _series(
    method: str | None, route: str, status: int
) -> tuple[Callable[[], None], Callable[[float], None]]:
    # Looked up once: to find a series by its labels takes longer than to count in it.
    return (
        metrics.requests.labels(method, route, status).inc,
        metrics.request_seconds.labels(method, route).observe,
    )


def route_of(request: HttpRequest) -> str:
    """Return the route's template (`api/v1/products/<ref>`), never the path: ids stay out."""
    if match := request.resolver_match:
        return match.route
    decision = getattr(request, "rate_limit", None)  # of a request refused before it was routed
    return decision.route if decision else "unknown"


def _require_readable(request: HttpRequest) -> None:
    """Refuse what no view could read: another shop's host, a packed body, one that is too large."""
    if request.path_info not in _PROBES:
        try:
            request.get_host()
        except DisallowedHost:
            raise Malformed("This host is not served here.") from None
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType(
            "Bodies are read as they are: send it without a Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )
    if "\0" in request.path_info:
        # No name of anything has one, and the database would not even compare it.
        raise NotFound("There is nothing at this address.")
    largest = _largest_body(request)
    if "HTTP_TRANSFER_ENCODING" in request.META:
        # Kept in memory, so what is large must tell its length.
        largest = int(settings.SHOP_MAX_BODY_BYTES)
        take_in_chunks(request, largest=largest)
    if _declared_length(request) > largest:
        raise BodyTooLarge("The body is larger than this route reads.")


def _declared_length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdigit() else 0


def _read_what_is_left(request: HttpRequest) -> None:
    """Read what no view has read of the body, up to a size; nothing from who is over the limit.

    The server says that the connection may be used again, and then closes it if that much is left:
    the client's next request would be lost.
    """
    left_to_server = 64 * 1024  # less than this it reads by itself
    if not left_to_server <= _declared_length(request) <= _LARGEST_DISCARDED:
        return
    if hasattr(request, "_body"):  # read as a whole, and kept
        return
    decision = getattr(request, "rate_limit", None)
    if decision is not None and not decision.taken.is_allowed:
        return  # whoever asks too often gets no thread to send slowly to
    try:
        while request._stream.read(left_to_server):
            pass
    except OSError:
        return  # the client is gone, and the connection with it


def _largest_body(request: HttpRequest) -> int:
    is_admin = is_for_admin(request) and may_reach_admin(request)
    if request.content_type == "multipart/form-data" or is_admin:
        return int(settings.SHOP_MAX_UPLOAD_BYTES)
    return int(settings.SHOP_MAX_BODY_BYTES)
