"""Methods of pages that are plain Django views."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from shop.problems import MethodNotAllowed

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def read_only(view: View[P]) -> View[P]:
    """Let `view` answer GET and HEAD, and refuse everything else with a problem.

    Nothing is changed by such a view, so it is not asked for a CSRF token, whose absence Django
    would answer with a page of HTML.
    """

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("This page can only be read.", headers={"Allow": "GET, HEAD"})
        return view(request, *args, **kwargs)

    return guarded
