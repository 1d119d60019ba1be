"""django-csp for a shop whose answers nearly all have the same policy."""

from collections.abc import Callable
from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# What django-csp's decorators leave on a response, and a template that asked for a nonce.
_CHANGES = frozenset(
    {
        f"_csp_{change}{suffix}"
        for change in ("config", "update", "replace", "exempt")
        for suffix in ("", "_ro")
    }
    | {"_csp_nonce"}
)


class PolicyMiddleware(CSPMiddleware):
    """Says the shop's policy, rendered once: doing it for each answer costs as much as a view.

    Where a view or the admin changes it (`csp_update`, `csp_replace`, a nonce …) it is rendered as
    django-csp does.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._policy = build_policy()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> Any:
        if settings.DEBUG or not (
            _CHANGES.isdisjoint(vars(response)) and _CHANGES.isdisjoint(vars(request))
        ):
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self._policy)
        return response
