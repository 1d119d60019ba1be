"""What each role of the database is refused, however it is asked."""
# ruff: noqa: S608 - our own names

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from pytest_django.plugin import DjangoDbBlocker

from catalog.models import Product, Variant
from catalog.services import remove_product, remove_variant
from shop.audit.tracking import tables_of_changes
from shop.db.privileges import APPEND_ONLY, NEVER_DELETED, WORKERS_ALONE
from shop.db.version import server_version
from shop.management.granting import give_roles
from tests.make import catalog as make_catalog
from tests.make import database_roles as make
from tests.make import inventory as make_inventory
from tests.make.database_roles import acting_as, role, roles

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def _roles(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), make.made_roles("web", "worker", "readonly"):
        yield


def table(label: str) -> str:
    return str(apps.get_model(label)._meta.db_table)


def refused(purpose: str, statement: str) -> bool:
    """Tell whether a role may not do it at all; what it did is undone."""
    with transaction.atomic():
        undo = transaction.savepoint()
        try:
            with acting_as(purpose), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege):
                raise
            return True
        transaction.savepoint_rollback(undo)
    return False


DDL = [
    "CREATE TABLE loot (id int)",
    "CREATE TABLE public.loot (id int)",
    "CREATE TEMPORARY TABLE loot (id int)",
    "CREATE SCHEMA loot",
    "CREATE EXTENSION hstore",
    "CREATE FUNCTION public.loot() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE loot",
    "ALTER TABLE inventory_stock DISABLE TRIGGER ALL",
    "ALTER TABLE inventory_stockmovement DISABLE TRIGGER movement_never_changes",
    "ALTER TABLE inventory_stock DROP CONSTRAINT stock_reserved_within_on_hand",
    "ALTER TABLE accounts_user ADD COLUMN loot int",
    "CREATE INDEX loot ON inventory_stock (on_hand)",
    "DROP TABLE inventory_stock",
    "DROP INDEX outbox_unpublished",
    "TRUNCATE inventory_stock",
    "TRUNCATE orders_orderevent",
    "CREATE TRIGGER loot AFTER INSERT ON inventory_stock EXECUTE FUNCTION shop_refuse_change()",
    "COPY inventory_stock TO PROGRAM 'cat'",
    "COPY inventory_stock TO '/tmp/loot'",
    "SET session_replication_role = replica",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', 'loot', now())",
    "DELETE FROM django_migrations",
]  # fmt: skip


@pytest.mark.parametrize("statement", DDL)
@pytest.mark.parametrize("purpose", ["web", "worker", "readonly"])
def test_no_process_may_do_more_than_to_rows(purpose: str, statement: str) -> None:
    if statement.startswith("DROP INDEX"):
        with connection.cursor() as cursor:
            cursor.execute("CREATE INDEX outbox_unpublished ON shop_outboxmessage (key)")

    assert refused(purpose, statement)


@pytest.mark.parametrize("label", sorted(APPEND_ONLY))
@pytest.mark.parametrize("purpose", ["web", "worker"])
def test_what_is_written_once_can_be_added_to_and_not_be_changed(purpose: str, label: str) -> None:
    name = table(label)
    erased = APPEND_ONLY[label].get(purpose, ())

    assert refused(purpose, f"DELETE FROM {name}")
    for column in {one.column for one in apps.get_model(label)._meta.concrete_fields}:
        change = f'UPDATE {name} SET "{column}" = "{column}"'
        assert refused(purpose, change) is (column not in erased), column
    assert not refused(purpose, f"SELECT count(*) FROM {name}")
    assert not refused(purpose, f"INSERT INTO {name} SELECT * FROM {name} WHERE false")


@pytest.mark.parametrize("purpose", ["web", "worker"])
def test_what_nothing_points_at_can_be_deleted(purpose: str) -> None:
    """Django also writes to the tables that could point at it, whether a row of theirs does."""
    kept, gone = make_catalog.product(), make_catalog.product()
    variant = make_catalog.variant()

    with acting_as(purpose), transaction.atomic():
        assert remove_product(product_id=gone.pk, now=make_catalog.NOW) == "deleted"
        assert remove_variant(variant_id=variant.pk, now=make_catalog.NOW) == "deleted"

    assert Product.objects.filter(pk__in=[kept.pk, gone.pk]).get() == kept
    assert not Variant.objects.filter(pk=variant.pk).exists()


@pytest.mark.parametrize("label", sorted(NEVER_DELETED))
@pytest.mark.parametrize("purpose", ["web", "worker"])
def test_what_the_books_stand_on_is_not_deleted(purpose: str, label: str) -> None:
    assert refused(purpose, f"DELETE FROM {table(label)}")
    assert not refused(purpose, f"UPDATE {table(label)} SET id = id WHERE false")


@pytest.mark.parametrize("label", sorted(WORKERS_ALONE))
def test_what_is_kept_for_the_law_is_the_workers_alone(label: str) -> None:
    for statement in (
        f"DELETE FROM {table(label)}",
        f"INSERT INTO {table(label)} SELECT * FROM {table(label)} WHERE false",
    ):
        assert refused("web", statement)
        assert not refused("worker", statement)
    assert refused("worker", f"UPDATE {table(label)} SET email = ''")


def test_every_table_that_a_trigger_seals_is_sealed_by_rights_too() -> None:
    """A trigger can be disabled by the owner of its table, and rights by nobody who has none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger"
            " JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE NOT tgisinternal AND prosrc ~ 'append-only'"
        )
        sealed = {name for (name,) in cursor.fetchall()}

    assert len(sealed) >= 3
    assert sealed <= {table(label) for label in APPEND_ONLY}


@pytest.mark.parametrize(
    "column",
    [
        "accounts_user.email",
        "accounts_user.password",
        "accounts_user.full_name",
        "accounts_user.phone",
        "accounts_address.line1",
        "accounts_refreshtoken.token_hash",
        "orders_order.email",
        "orders_order.shipping_address",
        "orders_order.access_token_hash",
        "orders_orderevent.detail",
        "orders_retainedinvoicedata.billing_address",
        "orders_providerevent.payload",
        "shop_idempotencykey.response_body",
        "django_session.session_data",
        "inventory_stocksubscription.email",
    ],
)
def test_reports_see_no_word_about_a_person(column: str) -> None:
    name, _, field = column.partition(".")

    assert refused("readonly", f"SELECT {field} FROM {name}")
    assert refused("readonly", f"SELECT * FROM {name}")
    assert not refused("readonly", f"SELECT count(*) FROM {name}")


def test_reports_see_what_was_sold_and_change_nothing() -> None:
    assert not refused(
        "readonly",
        "SELECT date(placed_at), currency, sum(orders_order.total_minor),"
        " count(DISTINCT customer_id) FROM orders_order"
        " JOIN orders_orderline ON order_id = orders_order.id"
        " WHERE sku <> '' GROUP BY 1, 2",
    )
    for statement in ("INSERT INTO cart_rulesversion VALUES (true, gen_random_uuid())",
                      "UPDATE inventory_stock SET on_hand = 1",
                      "DELETE FROM inventory_stock"):  # fmt: skip
        assert refused("readonly", statement)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolconfig FROM pg_roles WHERE rolname = %s", [role("readonly")])
        assert "default_transaction_read_only=on" in cursor.fetchone()[0]


def test_a_table_that_nobody_has_spoken_of_may_be_added_to_and_no_more() -> None:
    """As a partition or a table of the next release is, between its migration and its rights."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE newcomer (id bigint GENERATED BY DEFAULT AS IDENTITY)")

    for purpose in ("web", "worker"):
        assert not refused(purpose, "INSERT INTO newcomer DEFAULT VALUES")
        assert not refused(purpose, "SELECT nextval(pg_get_serial_sequence('newcomer', 'id'))")
        assert refused(purpose, "UPDATE newcomer SET id = 1")
        assert refused(purpose, "DELETE FROM newcomer")
    assert refused("readonly", "SELECT id FROM newcomer")

    give_roles(roles("web", "worker", "readonly"), rights_only=True)

    assert refused("web", "SELECT id FROM newcomer")  # what no model knows is nobody's


def test_a_partition_is_reached_by_its_parent_alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_unstockedwriteoff RENAME TO whole")
        cursor.execute(
            "CREATE TABLE orders_unstockedwriteoff (LIKE whole) PARTITION BY RANGE (happened_at)"
        )
        cursor.execute(
            "CREATE TABLE writeoffs_2026 PARTITION OF orders_unstockedwriteoff"
            " FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
        )
    give_roles(roles("web", "worker", "readonly"), rights_only=True)

    row = "VALUES (1, 'x', 1, 'x', 1, 'x', '2026-11-25')"
    assert not refused("web", f"INSERT INTO orders_unstockedwriteoff {row}")
    assert refused("web", f"INSERT INTO writeoffs_2026 {row}")
    assert refused("web", "DELETE FROM writeoffs_2026")


def test_repeating_changes_nothing() -> None:
    before = _rights()

    give_roles(roles("web", "worker", "readonly"), create=True)

    assert _rights() == before


def test_nobody_hands_on_what_they_have() -> None:
    before = _rights()

    with acting_as("web"), connection.cursor() as cursor:
        cursor.execute("GRANT ALL ON inventory_stock TO PUBLIC")  # a warning, and nothing given

    assert _rights() == before


def test_a_right_that_was_given_by_hand_is_taken_away() -> None:
    with connection.cursor() as cursor:
        name = sql.Identifier(role("web"))
        cursor.execute(sql.SQL("GRANT DELETE ON orders_orderevent TO {}").format(name))
        cursor.execute(sql.SQL("GRANT UPDATE (kind) ON orders_orderevent TO {}").format(name))
    assert not refused("web", "DELETE FROM orders_orderevent")

    give_roles(roles("web", "worker", "readonly"))

    assert refused("web", "DELETE FROM orders_orderevent")
    assert refused("web", "UPDATE orders_orderevent SET kind = kind")


@pytest.mark.parametrize("power", ["SUPERUSER", "CREATEROLE", "BYPASSRLS"])
def test_a_role_with_powers_of_its_own_is_refused(power: str) -> None:
    before = _rights()
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(f"ALTER ROLE {{}} {power}").format(sql.Identifier(role("web"))))

    with pytest.raises(CommandError, match=f"powers beyond its rights: {power.lower()}"):
        give_roles(roles("web", "worker", "readonly"))

    assert _rights() == before


def test_a_role_that_may_act_as_the_owner_is_refused() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("GRANT {} TO {}").format(
                sql.Identifier(connection.settings_dict["USER"]), sql.Identifier(role("worker"))
            )
        )

    with pytest.raises(CommandError, match="may act as the tables' owner"):
        give_roles(roles("web", "worker", "readonly"))


def test_the_migrator_owns_what_is_there_and_gives_rights_after_each_migration() -> None:
    everybody = roles()
    give_roles(everybody, create=True)

    assert not refused("migrator", "ALTER TABLE inventory_stock ADD COLUMN later int")
    assert not refused("migrator", "CREATE TABLE later (id int)")
    assert not refused("migrator", "DROP TRIGGER rules_changed ON cart_taxrate")
    assert not refused("migrator", "DROP FUNCTION cart_rules_changed() CASCADE")
    assert refused("migrator", "CREATE ROLE later")
    with acting_as("migrator"):
        give_roles(everybody, rights_only=True)
    assert refused("web", "DELETE FROM orders_orderevent")
    assert not refused("web", "DELETE FROM accounts_address WHERE false")


def test_passwords_are_set_and_written_down_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_WEB_DATABASE_PASSWORD", "quince-and-medlar")
    out = StringIO()
    names: dict[str, Any] = roles("web", "worker", "readonly")

    call_command("database_roles", apply=True, create=True, migrator="", stdout=out, **names)

    assert "quince" not in out.getvalue()
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role("web")])
        assert cursor.fetchone()[0].startswith("SCRAM-SHA-256$")


def test_workers_analyse_what_they_filled() -> None:
    if server_version() < 170_000:
        pytest.skip("before PostgreSQL 17 only the owner can")
    stock = make_inventory.stock()

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege(%s, 'shop_jobrow', 'MAINTAIN'),"
            " has_table_privilege(%s, 'shop_jobrow', 'MAINTAIN')",
            [role("worker"), role("web")],
        )
        assert cursor.fetchone() == (True, False)
    assert stock.pk


def _rights() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relacl::text FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        found = dict(cursor.fetchall())
        cursor.execute(
            "SELECT attrelid::regclass || '.' || attname, attacl::text FROM pg_attribute"
            " WHERE attacl IS NOT NULL AND attrelid::regclass::text !~ '^pg_' ORDER BY 1"
        )
        found.update(cursor.fetchall())
    return found


def test_nobody_rewrites_who_changed_what_and_workers_delete_what_is_old() -> None:
    for changes in tables_of_changes().values():
        name = changes._meta.db_table
        for purpose in ("web", "worker"):
            assert refused(purpose, f"UPDATE {name} SET pgh_label = pgh_label"), name
            assert not refused(purpose, f"SELECT count(*) FROM {name}")
        assert refused("web", f"DELETE FROM {name}")
        assert not refused("worker", f"DELETE FROM {name} WHERE false")
    assert len(tables_of_changes()) > 5
