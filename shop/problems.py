"""Every refusal and every failure as one shape: RFC 9457 problem details."""

from typing import Any

import structlog
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django_redis.exceptions import ConnectionInterrupted
from psycopg import errors as pg
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError
from rest_framework import exceptions as drf
from rest_framework.response import Response

from shop import errors
from shop.errors import FieldError, Malformed, Refusal
from shop.http.json import BodyTooLarge, dumps
from shop.observe.security import Event, note

MEDIA_TYPE = "application/problem+json"

STATUS_OF_KIND = {
    "malformed": 400,
    "unauthenticated": 401,
    "declined": 402,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "precondition_failed": 412,
    "too_large": 413,
    "invalid": 422,
    "too_many": 429,
    "unavailable": 503,
}


class MethodNotAllowed(Refusal):
    """The path exists and does not do this."""

    kind = "method_not_allowed"
    code = "method_not_allowed"
    title = "This path does not take that method"


class NotAcceptable(Refusal):
    """The route cannot answer in any of the types asked for."""

    kind = "not_acceptable"
    code = "not_acceptable"
    title = "Answers are application/json"


class UnsupportedMediaType(Refusal):
    """The route does not read this type of body."""

    kind = "unsupported_media_type"
    code = "unsupported_media_type"
    title = "This type of body is not read here"


class UriTooLong(Refusal):
    """The request line is longer than the server reads (8,190 bytes)."""

    kind = "uri_too_long"
    code = "uri_too_long"
    title = "The address is too long"


class HeadersTooLarge(Refusal):
    """The request has more or longer headers than the server reads."""

    kind = "headers_too_large"
    code = "headers_too_large"
    title = "The request headers are too large"


class UnknownField(Malformed):
    """The request names a member or parameter that the route does not know."""

    code = "unknown_field"
    title = "The request has an unknown field"


class InternalError(Refusal):
    """A bug of ours: logged once, with nothing of it shown."""

    kind = "internal_error"
    code = "internal_error"
    title = "Something went wrong on our side"
    retryable = True


STATUS_OF_KIND.update(
    {
        "method_not_allowed": 405,
        "not_acceptable": 406,
        "uri_too_long": 414,
        "unsupported_media_type": 415,
        "headers_too_large": 431,
        "internal_error": 500,
    }
)

# The server ended a transaction that lasted too long, and with it the connection.
_CUT_OFF = (pg.IdleInTransactionSessionTimeout, pg.TransactionTimeout)

log = structlog.get_logger("shop.problems")


def catalogue() -> list[dict[str, Any]]:
    """Return every problem type that the shop can answer with, by code."""
    return [
        {
            "type": f"/problems/{code}",
            "code": code,
            "title": refusal.title,
            "status": STATUS_OF_KIND[refusal.kind],
            "retryable": refusal.retryable,
            "description": (refusal.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " "),
        }
        for code, refusal in sorted(Refusal.registry.items())
    ]


def document(refusal: Refusal, *, request_id: str) -> dict[str, Any]:
    """Return the members of the problem, RFC 9457 section 3.1 and our own."""
    members: dict[str, Any] = {
        "type": f"/problems/{refusal.code}",
        "title": refusal.title,
        "status": STATUS_OF_KIND[refusal.kind],
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": request_id,
        "retryable": refusal.retryable,
    }
    if isinstance(refusal, Malformed):
        members["errors"] = [error.as_json() for error in refusal.errors]
    members.update(refusal.facts)
    members.pop("headers", None)
    return members


def headers_of(refusal: Refusal) -> dict[str, str]:
    headers = dict(refusal.facts.get("headers", {}))
    if "retry_after" in refusal.facts:
        headers["Retry-After"] = str(refusal.facts["retry_after"])
    elif refusal.kind == "unavailable":
        headers["Retry-After"] = "1"
    return headers


def request_id_of(request: HttpRequest | None) -> str:
    return getattr(request, "request_id", "")


def as_http(refusal: Refusal, request: HttpRequest | None) -> HttpResponse:
    """Answer with a problem where DRF is not at work: middlewares, unknown paths, crashes."""
    response = HttpResponse(
        dumps(document(refusal, request_id=request_id_of(request))),
        status=STATUS_OF_KIND[refusal.kind],
        content_type=MEDIA_TYPE,
        headers=headers_of(refusal),
    )
    response["Cache-Control"] = "no-store"
    response.problem_code = refusal.code  # type: ignore[attr-defined]
    return response


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: a problem for all that is expected, None for a bug."""
    refusal = refusal_for(error)
    if refusal is None:
        return None
    request = context.get("request")
    http_request = getattr(request, "_request", None)
    headers = headers_of(refusal)
    if isinstance(error, drf.MethodNotAllowed | errors.Unauthenticated):
        headers.update(_drf_headers(error, context))
    if refusal.kind == "forbidden":
        user_id = getattr(getattr(request, "user", None), "pk", None)
        note(Event.NOT_ALLOWED, user_id=user_id, code=refusal.code)
    if refusal.kind == "unauthenticated":
        headers.setdefault("WWW-Authenticate", _challenge(error))
    response = Response(
        document(refusal, request_id=request_id_of(http_request)),
        status=STATUS_OF_KIND[refusal.kind],
        headers=headers,
        content_type=MEDIA_TYPE,
    )
    response["Cache-Control"] = "no-store"
    response.problem_code = refusal.code  # type: ignore[attr-defined]
    return response


def _drf_headers(error: Exception, context: dict[str, Any]) -> dict[str, str]:
    view = context.get("view")
    if isinstance(error, drf.MethodNotAllowed) and view is not None:
        return {"Allow": ", ".join(view.allowed_methods)}
    return {}


def _challenge(error: Exception) -> str:
    # RFC 6750 section 3: no error code when no token was sent at all.
    if isinstance(error, drf.NotAuthenticated):
        return 'Bearer realm="shop"'
    return 'Bearer realm="shop", error="invalid_token"'


def refusal_for(error: BaseException) -> Refusal | None:
    """Return the refusal that stands for `error`, or None if it is a bug."""
    match error:
        case Refusal():
            return error
        case drf.ValidationError():
            return _malformed(field_errors(error.detail))
        case drf.ParseError():
            return Malformed(str(error.detail))
        case drf.NotAuthenticated():
            return errors.Unauthenticated("Sign in: send an access token.")
        case drf.AuthenticationFailed():
            return InvalidToken("The access token is not valid, or no longer.")
        case drf.PermissionDenied() | PermissionDenied():
            return errors.Forbidden("You may not do this.")
        case drf.NotFound() | Http404():
            return errors.NotFound("There is nothing here.")
        case drf.MethodNotAllowed():
            return MethodNotAllowed(str(error.detail))
        case drf.NotAcceptable():
            return NotAcceptable("This route answers in application/json.")
        case drf.UnsupportedMediaType():
            return UnsupportedMediaType(str(error.detail))
        case drf.Throttled():
            seconds = int(getattr(error, "wait", 1) or 1) + 1
            return errors.TooMany("Wait a little.", retry_after=seconds)
        case RequestDataTooBig():
            return BodyTooLarge("The body is larger than this route reads.")
        case UnreadablePostError():
            return Malformed("The body breaks off.")
        case SuspiciousOperation() | BadRequest() | MultiPartParserError():
            return Malformed("The request cannot be understood.")
        case PoolTimeout():
            return errors.Unavailable("The database is busy.", retry_after=1)
        case OperationalError() | InterfaceError():
            return _database_refusal(error)
        case DatabaseError() if isinstance(error.__cause__, _CUT_OFF):
            return errors.Busy("The database took too long.", retry_after=1)
        case RedisError() | ConnectionInterrupted():
            return errors.Unavailable("A store that this needs does not answer.", retry_after=2)
        case _:
            return None


class InvalidToken(errors.Unauthenticated):
    """The access token is forged, expired, revoked or not ours."""

    code = "invalid_token"
    title = "The access token is not valid"


def _database_refusal(error: BaseException) -> Refusal:
    cause = error.__cause__
    if isinstance(
        cause, pg.LockNotAvailable | pg.DeadlockDetected | pg.SerializationFailure | PoolTimeout
    ):
        return errors.Busy("Others are changing the same thing.", retry_after=1)
    if isinstance(cause, pg.QueryCanceled):
        return errors.Busy("The database took too long.", retry_after=1)
    log.error("database_unavailable", error=type(cause or error).__name__)
    return errors.Unavailable("The database does not answer.", retry_after=2)


def _malformed(found: list[FieldError]) -> Malformed:
    if found and all(error.code == "unknown_field" for error in found):
        return UnknownField(found[0].detail, errors=found)
    return Malformed(errors=found)


def field_errors(detail: Any, pointer: str = "") -> list[FieldError]:
    """Flatten DRF's nested error detail into one list, in the order of the fields."""
    if isinstance(detail, dict):
        found = []
        for name, inner in detail.items():
            if name == "non_field_errors":
                found += field_errors(inner, pointer)
            else:
                step = str(name).replace("~", "~0").replace("/", "~1")
                found += field_errors(inner, f"{pointer}/{step}")
        return found
    if isinstance(detail, list):
        found = []
        for index, inner in enumerate(detail):
            if isinstance(inner, dict | list):
                if inner:
                    found += field_errors(inner, f"{pointer}/{index}")
            else:
                found += field_errors(inner, pointer)
        return found
    return [FieldError(pointer, getattr(detail, "code", "") or "invalid", str(detail))]


# Django's own handlers: what never reaches a DRF view still answers in the one shape.


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return as_http(Malformed("The request cannot be understood."), request)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return as_http(errors.Forbidden("You may not do this."), request)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return as_http(errors.NotFound("There is nothing at this address."), request)


def server_error(request: HttpRequest) -> HttpResponse:
    return as_http(InternalError("We have been told, and look into it."), request)
