"""What the roles that the shop connects as may do to which table, and the SQL that has it so.

`web` and `worker` read and write rows, and no more: no DDL, no TRUNCATE, no temporary tables. What
is written once stays: they may add to ledgers, events and audits, and neither change nor delete.
`readonly` reads what says nothing of anybody. `migrator` owns the tables.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.apps import apps
from django.db import models
from psycopg import sql

from shop.privacy.registry import DataClass, field_of, needs_a_class

SCHEMA = "public"
BOUND = ("web", "worker", "readonly")  # all but the migrator, who may do everything to a table

ALL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
ADD = frozenset({"SELECT", "INSERT"})
READ = frozenset({"SELECT"})
NOTHING = frozenset[str]()

# The first PostgreSQL that lets others than the owner ANALYZE a table.
MAINTAIN_SINCE = 170_000

# Written once and never changed, whatever a fault or an injection asks for; with the columns that
# an erasure empties, by who does it. Tables of changes (pghistory) belong to them by themselves.
APPEND_ONLY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "admin.LogEntry": {"web": ("object_repr",), "worker": ("object_repr",)},
    "inventory.StockCount": {},
    "inventory.StockMovement": {},
    "orders.AccountAdjustment": {},
    "orders.Cancellation": {},
    "orders.CancellationLine": {},
    "orders.CreditNote": {},
    "orders.CreditNoteLine": {},
    "orders.OrderEvent": {"worker": ("detail",)},
    "orders.UnstockedWriteOff": {},
    "shop.PiiAccess": {},
}
# Who is erased leaves an empty row, and what was sold stays in the books.
NEVER_DELETED = frozenset({"accounts.User", "orders.Erasure", "orders.Order", "orders.OrderLine",
    "orders.Payment", "orders.ProviderEvent", "orders.Refund", "orders.RefundLine",
    "orders.Return", "orders.ReturnLine"})  # fmt: skip
# What is kept for the law alone: background work puts it there, and deletes it on its day.
WORKERS_ALONE = frozenset({"orders.RetainedInvoiceData"})
# Filled by COPY in one go, and analysed before it is read.
ANALYSED = frozenset({"shop.JobRow"})


@dataclass(frozen=True, slots=True)
class Rights:
    """What one role may do to one table: to the whole of it, and to some columns."""

    whole: frozenset[str]
    updates: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


def rights_of(purpose: str, model: type[models.Model], *, version: int) -> Rights:
    """Return what a role for `purpose` may do to the rows of `model`."""
    label = model._meta.label
    if purpose == "readonly":
        return Rights(NOTHING, reads=tuple(_columns_about_nobody(model)))
    if label in WORKERS_ALONE:
        return Rights(READ | {"INSERT", "DELETE"} if purpose == "worker" else READ)
    if label in APPEND_ONLY:
        return Rights(ADD, updates=APPEND_ONLY[label].get(purpose, ()))
    if hasattr(model, "pgh_tracked_model"):
        # A trigger keeps what is young from being swept away, whoever does it.
        return Rights(ADD | {"DELETE"} if purpose == "worker" else ADD)
    if label in NEVER_DELETED:
        return Rights(ALL - {"DELETE"})
    if label in ANALYSED and purpose == "worker" and version >= MAINTAIN_SINCE:
        return Rights(ALL | {"MAINTAIN"})
    return Rights(ALL)


def _columns_about_nobody(model: type[models.Model]) -> Iterator[str]:
    """Yield the columns that are no text, or a text that the registry calls plain."""
    for one in model._meta.concrete_fields:
        declared = field_of(model._meta.label, one.name)
        if not needs_a_class(one) or declared.data_class is DataClass.NONE:
            yield one.column


def privilege_statements(
    roles: Mapping[str, str], *, there: Iterable[str], version: int
) -> Iterator[sql.Composed]:
    """Yield the SQL that gives `roles`, by purpose, their rights to the tables, and takes others.

    `there` are the tables that the database has: what is not there yet is left out, and what the
    shop does not know is nobody's. Their owner may execute it. Safe to repeat.
    """
    known = {
        model._meta.db_table: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    tables = sorted(set(there))
    schema = sql.Identifier(SCHEMA)
    for purpose, role in roles.items():
        if purpose not in BOUND:
            continue
        who = sql.Identifier(role)
        yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, who)
        yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(schema, who)
        yield sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA {} FROM {}").format(schema, who)
        if purpose != "readonly":
            yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, who)
        for table in tables:
            if table == "django_migrations":  # readiness asks what is applied
                yield _grant(READ, (), table, role)
            elif model := known.get(table):
                rights = rights_of(purpose, model, version=version)
                if rights.whole:
                    yield _grant(rights.whole, (), table, role)
                if rights.updates:
                    yield _grant({"UPDATE"}, rights.updates, table, role)
                if rights.reads:
                    yield _grant({"SELECT"}, rights.reads, table, role)


def default_statements(
    roles: Mapping[str, str], *, owner: str | None = None
) -> Iterator[sql.Composed]:
    """Yield the SQL by which a table to come may be read and added to, until it is spoken of.

    For tables that `owner` makes, or else whoever executes it.
    """
    by = sql.SQL(" FOR ROLE {}").format(sql.Identifier(owner)) if owner else sql.SQL("")
    for purpose, role in roles.items():
        who = sql.Identifier(role)
        if purpose not in ("web", "worker"):
            continue
        for right, things in (("SELECT, INSERT", "TABLES"), ("USAGE", "SEQUENCES")):
            for verb in ("REVOKE ALL ON {things} FROM", f"GRANT {right} ON {{things}} TO"):
                yield sql.SQL("ALTER DEFAULT PRIVILEGES{} IN SCHEMA {} {} {}").format(
                    by, sql.Identifier(SCHEMA), sql.SQL(verb.format(things=things)), who
                )


def _grant(rights: Iterable[str], columns: Iterable[str], table: str, role: str) -> sql.Composed:
    named = sql.SQL(", ").join(map(sql.Identifier, columns))
    of = sql.SQL(" ({})").format(named) if columns else sql.SQL("")
    return sql.SQL("GRANT {}{} ON {} TO {}").format(
        sql.SQL(", ".join(sorted(rights))),
        of,
        sql.Identifier(SCHEMA, table),
        sql.Identifier(role),
    )
