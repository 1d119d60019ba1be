"""Which tables are tracked, and what is kept of a change."""

from typing import Any

import pghistory
import pgtrigger
from django.db import models

# Nobody deletes what is younger, whoever they are: it is no audit where traces can be swept away.
LEAST_KEPT_DAYS = 90

OLD, NEW, INSERTED, DELETED = "old", "new", "insert", "delete"
_BY_STAFF = "COALESCE(CURRENT_SETTING('pghistory.context_metadata', TRUE), '') <> ''"

_tables: dict[str, type[Any]] = {}


def track(
    tracked: type[models.Model],
    *fields: str,
    everybody: bool = False,
    model_name: str = "",
    inserted_if: str = "TRUE",
) -> type[Any]:
    """Return the table of changes of `tracked`, which triggers write: what was and what is.

    Changes by staff, that is by whoever `act_as` names; with `everybody` all changes, also by SQL:
    for tables of few rows that shoppers do not write to. Of a change `fields` are kept, none of
    which may say anything of a person: then nobody has to be forgotten here.
    """
    who = "TRUE" if everybody else _BY_STAFF
    name = model_name or f"{tracked.__name__}Change"
    columns = [one.column for one in tracked._meta.concrete_fields if one.name in fields]
    differs = " OR ".join(f'OLD."{one}" IS DISTINCT FROM NEW."{one}"' for one in columns)
    changed = pgtrigger.Condition(f"{who} AND ({differs})")
    table: type[Any] = pghistory.create_event_model(
        tracked,
        pghistory.InsertEvent(
            INSERTED,
            condition=pgtrigger.Condition(f"{who} AND {inserted_if}"),
            trigger_name="audit_insert",
        ),
        # By these names they fire in this order.
        pghistory.UpdateEvent(OLD, row="OLD", condition=changed, trigger_name="audit_update_1"),
        pghistory.UpdateEvent(NEW, row="NEW", condition=changed, trigger_name="audit_update_2"),
        pghistory.DeleteEvent(
            DELETED, condition=pgtrigger.Condition(who), trigger_name="audit_delete"
        ),
        fields=list(fields),
        obj_field=pghistory.ObjForeignKey(related_name="+"),
        context_field=pghistory.ContextJSONField(),
        context_id_field=None,  # type: ignore[arg-type]  # which its docstring allows
        model_name=name,
        abstract=False,
        meta={
            "default_permissions": (),
            "indexes": [
                models.Index(
                    fields=["-pgh_created_at", "-pgh_id"], name=f"{name.lower()[:22]}_newest"
                )
            ],
            "triggers": [
                pgtrigger.Protect(name="never_changes", operation=pgtrigger.Update),
                pgtrigger.Protect(
                    name="kept_for_long",
                    operation=pgtrigger.Delete,
                    condition=pgtrigger.Condition(
                        f"OLD.pgh_created_at > NOW() - INTERVAL '{LEAST_KEPT_DAYS} days'"
                    ),
                ),
            ],
        },
    )
    _tables[table._meta.label] = table
    return table


def tables_of_changes() -> dict[str, type[Any]]:
    """Return the tables of changes by the label of what they track: `catalog.Product`."""
    return {tracked_by(table)._meta.label: table for _, table in sorted(_tables.items())}


def tracked_by(table: Any) -> type[models.Model]:
    """Return the table whose changes these are."""
    tracked: type[models.Model] = table.pgh_tracked_model
    return tracked


def tracked_tables() -> frozenset[str]:
    """Return the names that the tracked tables have in the database."""
    return frozenset(tracked_by(table)._meta.db_table for table in _tables.values())
