"""The short way: a route whose whole answer lies in a cache is answered before DRF begins.

A view takes it by a class method `answer_at_hand`, so it is declared where the route is, and the
middleware here is all there is of it. Request id, limit, metric and log line are said by the
middleware outside of it. Headers that are alike on all answers (security, CORS) are those of the
layers that it passes by, which are asked once for each kind of request and not for each request.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Protocol, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from shop.http.request import match_of

_API = "/api/v1/"
_READS = frozenset({"GET", "HEAD"})
_JSON = frozenset({"application/json", "application/*", "*/*"})
_LONGEST_ORIGIN = 200  # characters
_KINDS = 256  # of requests that are remembered: origins are what strangers make up

Headers = tuple[tuple[str, str], ...]


class AnswersAtHand(Protocol):
    """A view class with a short way."""

    @classmethod
    def answer_at_hand(cls, request: HttpRequest, /, **path: Any) -> HttpResponse | None:
        """Return the very answer that the view would, if it is at hand, or None.

        None sends the request the long way, so it is right for every doubt: a query that has to
        be checked, a refusal, a miss, a store that is away. What is at hand costs no SQL, but
        for one query now and then that keeps it so. Raises nothing. It sets no header that
        `SHOP_HEADER_LAYERS` say, `Vary` among them. Called for reads, or for what the class names
        in `methods_at_hand`.
        """


class AnswerAtHandMiddleware:
    """Answers what a view has at hand, and lets everything else go on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._layers = _Layers(settings.SHOP_HEADER_LAYERS)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = _answer_at_hand(request)
        if response is None:
            return self.get_response(request)
        said = self._layers.headers_for(request)
        if said is None:
            return self.get_response(request)
        for name, value in said:
            response.headers[name] = value
        return response


class _Layers:
    """The middlewares that only say headers, and what they say to each kind of request."""

    def __init__(self, names: list[str]) -> None:
        self._said: dict[tuple[bool, str | None], Headers | None] = {}
        self._chain: Callable[[HttpRequest], HttpResponseBase] = self._blank
        for name in reversed(names):
            self._chain = import_string(name)(self._chain)

    def headers_for(self, request: HttpRequest) -> Headers | None:
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

    def _asked(self, request: HttpRequest) -> Headers | None:
        response = self._chain(request)
        if not getattr(response, "is_blank", False):  # a redirect to https, say
            return None
        return tuple(response.items())

    @staticmethod
    def _blank(_: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        del response["Content-Type"]
        response.is_blank = True  # type: ignore[attr-defined]
        return response


def _answer_at_hand(request: HttpRequest) -> HttpResponse | None:
    if not request.path_info.startswith(_API):
        return None
    if not _takes_json(request.META.get("HTTP_ACCEPT", "*/*")):
        return None
    match = match_of(request)
    view = _short_way_of(getattr(match.func, "view_class", None)) if match else None
    if match is None or view is None:
        return None
    if request.method not in getattr(view, "methods_at_hand", _READS):
        return None
    response = view.answer_at_hand(request, **match.kwargs)
    if response is not None:
        response.headers.setdefault("Allow", _allowed(match.func))
    return response


def _short_way_of(view: type[Any] | None) -> AnswersAtHand | None:
    return cast(AnswersAtHand, view) if hasattr(view, "answer_at_hand") else None


@cache
def _allowed(view: Callable[..., Any]) -> str:
    """Return the `Allow` that DRF writes on each answer of this view."""
    methods = view.view_class  # type: ignore[attr-defined]
    names = [
        name
        for name in methods.http_method_names
        if hasattr(methods, name) or (name == "head" and hasattr(methods, "get"))
    ]
    return ", ".join(name.upper() for name in names)


@lru_cache(maxsize=256)
def _takes_json(accept: str) -> bool:
    """Tell whether DRF would find that JSON is welcome. A doubt is a no."""
    return any(part.partition(";")[0].strip() in _JSON for part in accept.split(","))
