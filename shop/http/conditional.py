"""Conditional requests, RFC 9110 section 13: strong ETags, `If-None-Match` and `If-Match`."""

import hashlib
import re

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from shop.errors import VersionMismatch
from shop.http.headers import write_own

PUBLIC_CACHE_CONTROL = "public, max-age=60, stale-while-revalidate=30"
_TAG = re.compile(r'(?:W/)?"[^"]*"')


def etag_of(content: bytes) -> str:
    """Return a strong ETag for exactly these bytes."""
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


def etag_for_version(version: int | str) -> str:
    """Return the ETag of a thing that counts its own versions, such as a cart."""
    return f'"{version}"'


def not_modified(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the client's copy is current (weak comparison, as the RFC says for GET)."""
    if not if_none_match:
        return False
    if if_none_match == etag or if_none_match.strip() == "*":
        return True
    return any(tag.removeprefix("W/") == etag for tag in _TAG.findall(if_none_match))


def public_answer(
    request: Request | HttpRequest, body: bytes, etag: str | None = None
) -> HttpResponse:
    """Return `body` with its tag for everybody's caches, or 304 to a client that has it.

    Everything public leaves by this door, so what comes from the cache and what was just made
    have the same bytes and headers. `etag` spares the work to who knows it already.
    """
    etag = etag or etag_of(body)
    if not_modified(request.META.get("HTTP_IF_NONE_MATCH"), etag):
        # With a type, which is then taken away: to make one up takes longer than all of this.
        response = HttpResponse(status=304, content_type="application/json")
        del response["Content-Type"]
    else:
        response = HttpResponse(body, content_type="application/json")
    write_own(response, "ETag", etag)
    write_own(response, "Cache-Control", PUBLIC_CACHE_CONTROL)
    return response


def if_match_of(request: Request) -> list[str] | None:
    """Return the tags of `If-Match`, or None when any version will do (absent, or `*`)."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return _TAG.findall(header)


def require_match(request: Request, etag: str) -> None:
    """Raise VersionMismatch if `If-Match` is given and is not the current tag (strong)."""
    tags = if_match_of(request)
    if tags is not None and etag not in tags:
        raise VersionMismatch("It has changed since you read it: read it again.")
