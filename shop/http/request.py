"""A request that is read in one way, whatever its headers ask for."""

import io
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, get_resolver
from django.utils.http import parse_header_parameters
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from shop.errors import Malformed


class ShopRequest(WSGIRequest):
    """A request whose text is UTF-8.

    Django decodes paths' parameters and forms by the `charset` of the Content-Type, which may name
    any codec of Python: some fail on every text, and some make surrogates out of plain letters.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(
            meta.get("CONTENT_TYPE", "")
        )

    def get_host(self) -> str:
        """Return the host that was asked. Raises DisallowedHost for one that is not served here."""
        host = str(self._get_raw_host())  # type: ignore[attr-defined]
        if len(host) <= _REMEMBERED_HOST and _is_served(host, tuple(settings.ALLOWED_HOSTS)):
            return host
        return super().get_host()


class ShopHandler(WSGIHandler):
    """Django, with requests of our own."""

    request_class = ShopRequest

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, as Django does for a shop of one URLconf.

        Refusals are told by the request's own log line, so not once more by Django's logger.
        """
        response: HttpResponseBase = self._middleware_chain(request)  # type: ignore[attr-defined]
        response._resource_closers.append(request.close)  # type: ignore[attr-defined]
        return response

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Return the route, which is looked up once for a path that is asked for often."""
        return match_of(request) or super().resolve_request(request)


# Longer ones are looked through each time, too.
_REMEMBERED_HOST = 100


@lru_cache(maxsize=256)
def _is_served(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


# Longer paths are looked up each time: what strangers send does not fill the memory.
_REMEMBERED_PATH = 200


def match_of(request: HttpRequest) -> ResolverMatch | None:
    """Return the route that the request takes, before Django has looked; None for an unknown path.

    The paths that are asked for most are remembered, as looking one up costs as much as serving
    a copy. Never changed by whoever asks: several requests share it.
    """
    if request.resolver_match is None:
        path = request.path_info
        look_up = _resolved if len(path) <= _REMEMBERED_PATH else _resolved.__wrapped__
        try:
            request.resolver_match = look_up(path, settings.ROOT_URLCONF)
        except Resolver404:
            return None
    return request.resolver_match


@lru_cache(maxsize=4096)
def _resolved(path: str, urlconf: str) -> ResolverMatch:
    return get_resolver(urlconf).resolve(path)


def take_in_chunks(request: HttpRequest, *, largest: int) -> None:
    """Read a body that came in chunks, without telling its length, and tell it.

    Django would take such a body for an empty one. One byte more than `largest` is read at most.

    Raises Malformed when the chunks are broken, or are packed in a way that is not read here.
    """
    if request.META["HTTP_TRANSFER_ENCODING"].strip().lower() != "chunked":
        raise Malformed("This transfer coding is not read here.")
    source, left, pieces = request.META["wsgi.input"], largest + 1, []
    try:
        while left > 0 and (piece := source.read(left)):
            pieces.append(piece)
            left -= len(piece)
    except (ParseException, OSError):
        raise Malformed("The chunks of the body are broken.") from None
    body = b"".join(pieces)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = io.BytesIO(body)
