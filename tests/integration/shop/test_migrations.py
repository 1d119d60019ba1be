"""Migrations that could not run beside the release before them are refused."""

import pytest
from django_migration_linter import MigrationLinter

from shop.embedded.home import PROJECT

OURS = ["shop", "accounts", "catalog", "inventory", "cart", "orders"]


# Outside of a transaction, as an index that is built beside writers is written out there alone.
@pytest.mark.django_db(transaction=True)
def test_each_can_run_while_the_release_before_it_serves() -> None:
    linter = MigrationLinter(str(PROJECT), include_apps=OURS, no_cache=True, quiet=["ok", "ignore"])

    linter.lint_all_migrations()

    assert linter.nb_total > 0
    assert not linter.has_errors
