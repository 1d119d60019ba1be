"""The short way past DRF, watched and closed: both ways are to give the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.test import Client, override_settings

from shop.http.at_hand import AnswerAtHandMiddleware

SHORT_WAY = f"{AnswerAtHandMiddleware.__module__}.{AnswerAtHandMiddleware.__qualname__}"


@contextmanager
def no_short_way() -> Iterator[Client]:
    assert SHORT_WAY in settings.MIDDLEWARE
    rest = [name for name in settings.MIDDLEWARE if name != SHORT_WAY]
    with override_settings(MIDDLEWARE=rest):
        yield Client()


def watch_short_way(view: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that tells which requests to this view went the short way, from now on."""
    taken: list[str] = []
    answer = view.answer_at_hand

    def noted(request: HttpRequest, **path: Any) -> Any:
        try:
            response = answer(request, **path)
        except Exception:
            taken.append(request.path)
            raise
        if response is not None:
            taken.append(request.path)
        return response

    monkeypatch.setattr(view, "answer_at_hand", noted)
    return taken


def headers_of(response: Any) -> dict[str, str]:
    """Return all headers; of the limit that each call counts down, only that it is told."""
    return {**response.headers, "RateLimit": str("RateLimit" in response.headers)}
