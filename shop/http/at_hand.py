"""The short way: a route whose whole answer lies in a cache is answered before DRF begins.

A view takes it by a class method `answer_at_hand`, so it is declared where the route is, and the
middleware here is all there is of it. What is said of every answer (request id, limits, CORS,
security headers, metric, log line) is said by the middlewares outside of it.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Protocol, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from shop.http.request import match_of

_API = "/api/v1/"
_READS = frozenset({"GET", "HEAD"})
_JSON = frozenset({"application/json", "application/*", "*/*"})


class AnswersAtHand(Protocol):
    """A view class with a short way."""

    @classmethod
    def answer_at_hand(cls, request: HttpRequest, /, **path: Any) -> HttpResponse | None:
        """Return the very answer that the view would, if it is at hand, or None.

        None sends the request the long way, so it is right for every doubt: a query that has to
        be checked, a refusal, a miss, a store that is away. Asks no database, raises nothing.
        Called for reads, or for what the class names in `methods_at_hand`.
        """


class AnswerAtHandMiddleware:
    """Answers what a view has at hand, and lets everything else go on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return _answer_at_hand(request) or self.get_response(request)


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
