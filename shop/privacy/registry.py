"""The registry of personal fields: every text of every table, its class, its end.

Each app declares its own in `<app>/personal.py`, in plain words and without importing a model, so
that logging can read it before Django is ready. Apps are named as strings here: the ground imports
none of them. `manage.py pii_audit` compares the declarations with the models.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any

from django.db import models

_MODULES = (
    "shop.personal",
    "accounts.personal",
    "catalog.personal",
    "inventory.personal",
    "cart.personal",
    "orders.personal",
)


class DataClass(StrEnum):
    """What a field may say of a person."""

    NONE = "none"  # nothing
    IDENTIFIER = "identifier"  # tells people apart and does not name them: ids, keyed hashes
    NAME = "name"
    CONTACT = "contact"  # e-mail address, telephone number
    ADDRESS = "address"
    FREE_TEXT = "free text"  # whatever somebody typed
    SECRET = "secret"  # noqa: S105 - the name of a class: never shown, logged or exported


class Erasure(StrEnum):
    """What becomes of a field when the person it is about is erased."""

    KEEP = "keep"
    DELETE = "delete"  # the row goes
    BLANK = "blank"  # the field is emptied
    REPLACE = "replace"  # by something that tells nothing
    EXPIRE = "expire"  # the row goes by itself within its retention, and is of use to nobody


@dataclass(frozen=True, slots=True)
class Personal:
    """How one field is treated. `retention` is for people: how long, and why."""

    data_class: DataClass
    erasure: Erasure = Erasure.KEEP
    retention: str = "no limit"


PLAIN = Personal(DataClass.NONE)


@dataclass(frozen=True, slots=True)
class Table:
    """The texts of one table.

    `label` is Django's (`orders.Order`), `plain` names what says nothing of anybody. `subject` is
    the lookup that finds a person's rows by what `subject_form` makes of their id; with a
    `section`, an export holds those rows under that name. `not_about` says, of a table with a key
    to a person, why its rows are not about them.
    """

    label: str
    plain: str = ""
    personal: Mapping[str, Personal] = field(default_factory=dict)
    subject: str = ""
    subject_form: str = "{id}"
    section: str = ""
    not_about: str = ""

    @property
    def fields(self) -> dict[str, Personal]:
        return {**dict.fromkeys(self.plain.split(), PLAIN), **self.personal}

    def rows_of(self, person_id: int) -> dict[str, Any]:
        """Return the condition for the rows about this person."""
        return {self.subject: self.subject_form.format(id=person_id)}


def table_of_changes(label: str, plain: str = "") -> Table:
    """Return the declaration of a table that `shop.audit.track` makes."""
    return Table(
        label,
        plain=f"pgh_label {plain}",
        # Who made the change, by number, and in which request.
        personal={
            "pgh_context": Personal(
                DataClass.IDENTIFIER, Erasure.KEEP, "SHOP_AUDIT_KEEP_DAYS: who changed what"
            )
        },
        not_about="They tell what staff did in the course of their work.",
    )


@cache
def tables() -> dict[str, Table]:
    """Return every declared table by its label. Raises ValueError for one declared twice."""
    found: dict[str, Table] = {}
    for name in _MODULES:
        for table in import_module(name).TABLES:
            if table.label in found:
                raise ValueError(f"{table.label} is declared twice")
            found[table.label] = table
    return found


def field_of(label: str, name: str) -> Personal:
    """Return how a field is treated; one that nobody declared, as a secret."""
    table = tables().get(label)
    declared = table.fields.get(name) if table else None
    return declared or Personal(DataClass.SECRET)


@cache
def names_never_logged() -> frozenset[str]:
    """Return the names of fields whose values no log line may hold."""
    told = {DataClass.NAME, DataClass.CONTACT, DataClass.ADDRESS, DataClass.SECRET}
    return frozenset(
        name
        for table in tables().values()
        for name, personal in table.fields.items()
        if personal.data_class in told
    )


# Types whose values are numbers, times, truths or random: they say nothing by themselves. Any type
# that is not here must be classified.
_TELLS_NOTHING = (
    models.AutoField,
    models.BooleanField,
    models.DateField,
    models.DecimalField,
    models.DurationField,
    models.FloatField,
    models.IntegerField,
    models.TimeField,
    models.UUIDField,
)


def audit(found_models: Iterator[type[models.Model]], person: type[models.Model]) -> list[str]:
    """Return what is wrong with the registry, a sentence for each: nothing, if it is complete.

    A field with `choices` is a closed list of our own words and needs no class.
    """
    wrong, seen = [], set()
    for model in found_models:
        if model._meta.proxy:  # the rows of another
            continue
        label = model._meta.label
        seen.add(label)
        table = tables().get(label)
        declared = table.fields if table else {}
        needed = {one.name for one in model._meta.concrete_fields if needs_a_class(one)}
        wrong += [f"{label}.{name} is not classified" for name in sorted(needed - set(declared))]
        there = {one.name for one in model._meta.concrete_fields}
        wrong += [f"{label}.{name} is declared and not there" for name in set(declared) - there]
        points_at = [one.name for one in model._meta.concrete_fields if one.related_model is person]
        if points_at and not (table and (table.subject or table.not_about)):
            wrong.append(f"{label} has a key to a person and does not say whose rows they are")
        if table and table.section and not table.subject:
            wrong.append(f"{label} has a section and no subject to find its rows by")
    wrong += [f"{label} is declared and no table" for label in sorted(set(tables()) - seen)]
    return wrong


def needs_a_class(one: Any) -> bool:
    """Tell whether a field's values may say something of somebody, so that the registry says it."""
    return not (one.is_relation or one.choices or isinstance(one, _TELLS_NOTHING))
