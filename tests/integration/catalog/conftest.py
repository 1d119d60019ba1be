from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from tests.trips import seeing_trips

Committing = Callable[[], AbstractContextManager[None]]
Trips = Callable[[], AbstractContextManager[list[int]]]


@pytest.fixture
def committing(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Committing:
    """Return a context in which what waits for the commit is done at its end."""

    @contextmanager
    def until_commit() -> Iterator[None]:
        with django_capture_on_commit_callbacks(execute=True):
            yield

    return until_commit


@pytest.fixture
def redis_trips() -> Trips:
    """Return a context that counts what is sent to Redis: a pipeline is one trip."""

    @contextmanager
    def counting() -> Iterator[list[int]]:
        sent: list[int] = []
        with seeing_trips(lambda *_: sent.append(1)):
            yield sent

    return counting


@pytest.fixture(autouse=True)
def _own_media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
