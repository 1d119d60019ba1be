"""The two classes that every API view descends from."""

import hashlib
import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from shop import idempotency
from shop.errors import FieldError, Malformed, Refusal
from shop.faults import fault
from shop.http.client_address import client_address
from shop.http.json import dumps
from shop.idempotency import Scope, StoredAnswer
from shop.observe import metrics
from shop.privacy import keyed_digest
from shop.problems import MEDIA_TYPE

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")
_NOT_STORED = frozenset({401, 409, 412, 429})
_KEPT_HEADERS = ("Content-Type", "ETag", "Location", "X-Cart-Token", "WWW-Authenticate")


class IdempotencyKeyRequired(Malformed):
    """The route moves money or stock, so it wants an `Idempotency-Key`."""

    code = "idempotency_key_required"
    title = "Send an Idempotency-Key"


class IdempotencyKeyInvalid(Malformed):
    """The `Idempotency-Key` is not 1 to 255 visible ASCII characters, or was sent twice."""

    code = "idempotency_key_invalid"
    title = "The Idempotency-Key cannot be used"


class _Conventions(APIView):
    """What all views share: deny by default, idempotent POSTs, no negotiation by suffix.

    Every POST honours `Idempotency-Key`: the handler runs in one transaction together with the
    stored answer, so both happen or neither does. A view that commits in several steps sets
    `keeps_own_idempotency` and uses `shop.idempotency` itself.
    """

    # OPTIONS is CORS' alone, which its middleware answers.
    http_method_names = ("get", "head", "post", "put", "patch", "delete")
    requires_idempotency_key = False
    keeps_own_idempotency = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before anything is asked of the caller: no token makes the path do this.
        if str(request.method) not in self.allowed_methods:
            raise exceptions.MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)
        if request.method != "POST":
            return
        key = read_idempotency_key(request)
        if key is None and self.requires_idempotency_key:
            raise IdempotencyKeyRequired("Make one up for each order and send it again on retry.")
        if key is not None and not self.keeps_own_idempotency:
            self.post = self._run_once(scope_of(request, key), self._post_handler())

    def _post_handler(self) -> Callable[..., HttpResponseBase]:
        handler: Callable[..., HttpResponseBase] = getattr(
            self, "post", self.http_method_not_allowed
        )
        return handler

    def _run_once(
        self, scope: Scope, handler: Callable[..., HttpResponseBase]
    ) -> Callable[..., HttpResponseBase]:
        def post(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with transaction.atomic():
                claim = idempotency.claim(scope, now=timezone.now())
                if claim.answer is not None:
                    return replayed(claim.answer)
                try:
                    with transaction.atomic():
                        response = handler(request, *args, **kwargs)
                except (Refusal, exceptions.APIException) as error:
                    response = self.handle_exception(error)
                answer = answer_of(response)
                if is_stored(answer.status):
                    idempotency.complete(claim.id, answer)
                else:
                    idempotency.discard(claim.id)
                fault("idempotency.before_commit")
            return as_response(answer)

        return post


class ApiView(_Conventions):
    """The base of a view with hand-written methods."""


class ApiViewSet(ViewSet, _Conventions):
    """The base of a viewset."""


def read_idempotency_key(request: Request | HttpRequest) -> str | None:
    """Return the request's `Idempotency-Key`, or None. Raises IdempotencyKeyInvalid."""
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    # A header sent twice reaches WSGI joined by a comma, which no sane key has.
    if not _VISIBLE_ASCII.fullmatch(key) or "," in key:
        raise IdempotencyKeyInvalid(
            errors=[FieldError("/Idempotency-Key", "invalid", "1 to 255 visible ASCII characters.")]
        )
    return key


def principal_of(request: Request) -> str:
    """Return whom an idempotency key belongs to: the user, else the guest's cart or order token.

    Somebody with neither is told apart by address and browser, so that a stranger who happens to
    choose the same key is not given the other's cart.
    """
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    for name in ("X-Cart-Token", "X-Order-Token"):
        if token := request.headers.get(name):
            return f"{name}:{hashlib.sha256(token.encode()).hexdigest()}"
    seen = f"{client_address(request._request)} {request.headers.get('User-Agent', '')}"
    return f"nobody:{keyed_digest('idempotency.nobody', seen.encode())}"


def scope_of(request: Request, key: str) -> Scope:
    """Return the scope of `key`: principal, method and route, with a hash of path and body."""
    match = request._request.resolver_match
    route = match.route if match else request.path
    # As the routes see it, so that a trailing slash makes no other request.
    query = request._request.META.get("QUERY_STRING", "")
    address = f"{request._request.path_info}?{query}" if query else request._request.path_info
    parts = [address.encode()]
    if request.content_type and request.content_type.startswith("multipart/"):
        form: list[tuple[str, list[Any]]] = [
            *request._request.POST.lists(),
            *request._request.FILES.lists(),
        ]
        for name, values in sorted(form, key=itemgetter(0)):
            for value in values:
                content = _digest_of(value) if hasattr(value, "chunks") else value.encode()
                parts += [name.encode(), content]
    else:
        parts.append(dumps(_sorted(request.data)))
    return Scope(
        subject=principal_of(request),
        route=f"{request.method} {route}",
        key=key,
        request_hash=keyed_digest("idempotency.request", b"\0".join(parts)),
    )


def _digest_of(upload: Any) -> bytes:
    """Return the digest of a file that need not fit into memory."""
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    return digest.digest()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def is_stored(status: int) -> bool:
    """Tell whether an answer of this status is final for its key (the contract's list)."""
    return status < 500 and status not in _NOT_STORED


def answer_of(response: HttpResponseBase) -> StoredAnswer:
    """Return what is stored of a response: status, a few headers, the bytes."""
    if isinstance(response, Response):
        body = dumps(response.data) if response.data is not None else b""
        if body:  # a response that is not rendered yet says text/html
            response["Content-Type"] = response.content_type or (
                MEDIA_TYPE if hasattr(response, "problem_code") else "application/json"
            )
    else:
        body = getattr(response, "content", b"")
    headers = {name: response[name] for name in _KEPT_HEADERS if response.has_header(name)}
    retry_after = {"Retry-After": response["Retry-After"]} if "Retry-After" in response else {}
    return StoredAnswer(response.status_code, {**headers, **retry_after}, body)


def as_response(answer: StoredAnswer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, headers=answer.headers)
    if not answer.body:
        del response["Content-Type"]
    response["Cache-Control"] = "private, no-store"
    return response


def replayed(answer: StoredAnswer) -> HttpResponse:
    """Return the stored answer again, byte for byte."""
    metrics.idempotent_replays.inc()
    response = as_response(answer)
    response["Idempotent-Replayed"] = "true"
    return response
