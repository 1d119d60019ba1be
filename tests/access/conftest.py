"""Every call of the matrix is made as the web processes make it: as their role of the database."""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.make.database_roles import made_roles


@pytest.fixture(scope="module", autouse=True)
def _roles(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), made_roles("web"):
        yield
