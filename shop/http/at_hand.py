"""The short way: a route whose whole answer lies in a cache is answered before DRF begins.

A view takes it by a class method `answer_at_hand`, so it is declared where the route is, and the
middleware here is all there is of it. Request id, limit, metric and log line are said by the
middleware outside of it. Headers that are alike on all answers (security, CORS) are those of the
layers that it passes by, which are asked once for each kind of request and not for each request.
"""

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any, Protocol, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch
from django.utils.module_loading import import_string

from shop.http.headers import Block, block_of, write_block
from shop.http.request import match_of
from shop.problems import as_http, refusal_for

_API = "/api/v1/"
_READS = frozenset({"GET", "HEAD"})
_JSON = frozenset({"application/json", "application/*", "*/*"})
_LONGEST_ORIGIN = 200  # characters
_KINDS = 256  # of requests that are remembered: origins are what strangers make up


class AnswersAtHand(Protocol):
    """A view class with a short way."""

    @classmethod
    def answer_at_hand(cls, request: HttpRequest, /, **path: Any) -> HttpResponse | None:
        """Return the very answer that the view would, if it is at hand, or None.

        None sends the request the long way, so it is right for every doubt: a query that has to
        be checked, a body that is not in order, a caller who has to be asked for. Nothing was done
        then that the view would do again. What is raised is answered as if the view had raised it.
        It sets no header that `SHOP_HEADER_LAYERS` say, `Vary` among them. Called for reads, or for
        what the class names in `methods_at_hand`.
        """


class AnswerAtHandMiddleware:
    """Answers what a view has at hand, and lets everything else go on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._layers = _Layers(settings.SHOP_HEADER_LAYERS)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = _short_way_of(request)
        # Before anything is done: a layer that answers by itself has the request never get there.
        said = self._layers.headers_for(request) if match else None
        if match is None or said is None:
            return self.get_response(request)
        try:
            response = match.func.cls.answer_at_hand(request, **match.kwargs)  # type: ignore[attr-defined]
        except Exception as error:
            refusal = refusal_for(error)
            if refusal is None:
                raise
            response = as_http(refusal, request)
        if response is None:
            return self.get_response(request)
        if "Allow" not in response.headers:
            write_block(response, _allowed(match.func))
        write_block(response, said)
        return cast(HttpResponseBase, response)


class _Layers:
    """The middlewares that only say headers, and what they say to each kind of request."""

    def __init__(self, names: list[str]) -> None:
        self._said: dict[tuple[bool, str | None], Block | None] = {}
        self._chain: Callable[[HttpRequest], HttpResponseBase] = self._blank
        for name in reversed(names):
            self._chain = import_string(name)(self._chain)

    def headers_for(self, request: HttpRequest) -> Block | None:
        """Return the headers of all layers; None where one of them would answer by itself.

        Asked with the request itself, once for its scheme and origin.
        """
        origin = request.META.get("HTTP_ORIGIN")
        kind = (request.is_secure(), origin)
        try:
            return self._said[kind]
        except KeyError:
            pass
        said = self._asked(request)
        if origin is None or len(origin) <= _LONGEST_ORIGIN:
            if len(self._said) >= _KINDS:
                self._said.clear()
            self._said[kind] = said
        return said

    def _asked(self, request: HttpRequest) -> Block | None:
        response = self._chain(request)
        if not getattr(response, "is_blank", False):  # a redirect to https, say
            return None
        return block_of(response.items())

    @staticmethod
    def _blank(_: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        del response["Content-Type"]
        response.is_blank = True  # type: ignore[attr-defined]
        return response


def _short_way_of(request: HttpRequest) -> ResolverMatch | None:
    """Return the route whose view has a short way for such a request; see `AnswersAtHand`."""
    if not request.path_info.startswith(_API):
        return None
    if not _takes_json(request.META.get("HTTP_ACCEPT", "*/*")):
        return None
    match = match_of(request)
    view = getattr(match.func, "cls", None) if match else None
    if not hasattr(view, "answer_at_hand"):
        return None
    return match if request.method in getattr(view, "methods_at_hand", _READS) else None


@cache
def _allowed(view: Callable[..., Any]) -> Block:
    """Return the `Allow` that DRF writes on each answer of this view."""
    kind = view.cls  # type: ignore[attr-defined]
    actions = getattr(view, "actions", None)  # of a viewset, by method
    has = partial(hasattr, kind) if actions is None else actions.__contains__
    names = [
        name for name in kind.http_method_names if has(name) or (name == "head" and has("get"))
    ]
    return block_of([("Allow", ", ".join(name.upper() for name in names))])


@lru_cache(maxsize=256)
def _takes_json(accept: str) -> bool:
    """Tell whether DRF would find that JSON is welcome. A doubt is a no."""
    return any(part.partition(";")[0].strip() in _JSON for part in accept.split(","))
