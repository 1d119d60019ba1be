"""Which route a request counts for: the template of its path."""

import re
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from shop.http.rate_limit.policies import PREFLIGHT, UNKNOWN

# Whoever writes the prefix in another way gets a 404, and is counted for asking.
_LIMITED = re.compile(r"/+api/+v1(?:/|\Z)", re.IGNORECASE)
_LONGEST_KEPT = 200  # characters, so that 4,096 paths stay below a few megabytes


def limited_route(request: HttpRequest) -> str | None:
    """Return the template (`api/v1/products/<ref:ref>`) that `request` counts for.

    None outside of the API, which is not limited. The method is no part of it: all methods of a
    path share one limit, so that none of them is a way around it.
    """
    path = request.path_info
    if _LIMITED.match(path) is None:
        return None
    # What corsheaders answers by itself; a plain OPTIONS is a call like any other.
    if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
        return PREFLIGHT
    if len(path) > _LONGEST_KEPT:
        return _template_of(path)
    return _kept_template_of(path, settings.ROOT_URLCONF)


@lru_cache(maxsize=4096)
def _kept_template_of(path: str, urlconf: str) -> str:
    return _template_of(path)


def _template_of(path: str) -> str:
    try:
        return resolve(path).route
    except Resolver404:
        return UNKNOWN
