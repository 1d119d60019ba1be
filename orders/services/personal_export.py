"""All that the shop holds of a person, as one JSON document, written by a job.

What belongs into it is said by the registry of personal fields: every table with a section.
"""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.db.models import Q

from accounts.models import User
from accounts.services import prove_fresh_session, prove_password
from cart.services import CartOwner, cart_snapshot
from shop.jobs.files import write_part
from shop.jobs.kinds import PERSONAL_DATA
from shop.jobs.models import Job
from shop.jobs.services import advance, finish, start_job
from shop.privacy import email_hashes
from shop.privacy.registry import DataClass, Table, field_of, tables

_ROWS = 500  # in one part of the file


@transaction.atomic
def request_personal_export(
    *, user: User, session: UUID, password: str | None, now: datetime
) -> Job:
    """Have a worker write down everything about somebody who proves to be that person.

    Without the password, `session` proves it for some minutes after they logged in to it. Joins
    the caller's transaction. Raises WrongPassword, Malformed where the password must be said, and
    JobRunning while another is open.
    """
    if password is None:
        person = prove_fresh_session(user=user, session=session, now=now)
    else:
        person = prove_password(user=user, password=password)
    return start_job(kind=PERSONAL_DATA, owner_id=person.pk, options={}, now=now)


@transaction.atomic
def personal_export_step(*, job: Job, now: datetime) -> None:
    """Write the next part of a person's data, or the end. Each row is as it is at that moment."""
    sections = [table for table in tables().values() if table.section]
    cursor = job.cursor or {"section": 0, "after": None, "parts": 0}
    position, after, number = cursor["section"], cursor["after"], cursor["parts"] + 1
    if position == len(sections):
        finish(job=job, now=now, result={"parts": cursor["parts"]})
        return
    person = User.objects.get(pk=job.owner_id)
    text = _opening(person, now=now) if number == 1 else ""
    left = _ROWS
    while left > 0 and position < len(sections):
        table = sections[position]
        rows = _page(table, person, after=after, size=left)
        text += f',\n"{table.section}": [' if after is None else ""
        text += "".join(
            f"{',' if after is not None or place else ''}\n  {_written(table, row)}"
            for place, row in enumerate(rows)
        )
        if len(rows) < left:
            text += "\n]"
            position, after = position + 1, None
        else:
            after = rows[-1].pk
        left -= len(rows)
    if position == len(sections):
        text += "\n}\n"
    content = text.encode()
    write_part(job, number=number, content=content)
    rows_written = _ROWS - left
    advance(
        job=job,
        now=now,
        cursor={
            "section": position,
            "after": after if after is None or isinstance(after, int) else str(after),
            "parts": number,
        },
        done=position,
        total=len(sections),
        counts={"rows": rows_written, "bytes": len(content)},
    )


def _opening(person: User, *, now: datetime) -> str:
    cart = cart_snapshot(owner=CartOwner(customer_id=person.pk, token=None))
    lines = [{"variant_id": line.variant_id, "quantity": line.quantity} for line in cart.lines]
    members = {"v": 1, "person": person.public_id, "made_at": now, "cart": lines}
    return json.dumps(members, cls=DjangoJSONEncoder, ensure_ascii=False)[:-1]


def _page(table: Table, person: User, *, after: Any, size: int) -> list[models.Model]:
    rows = apps.get_model(table.label)._default_manager.filter(_about(table, person))
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.order_by("pk")[:size])


def _about(table: Table, person: User) -> Q:
    """Return the condition for rows about this person, what they did as a guest among it.

    As a guest: by an address that they have shown to read, and no other.
    """
    mine = Q(**table.rows_of(person.pk))
    path, _, end = table.subject.rpartition("__")
    owner = apps.get_model("orders.Order" if path else table.label)
    has_guests = end == "customer" and any(f.name == "email_hash" for f in owner._meta.fields)
    if not (has_guests and person.email_verified):
        return mine
    prefix = f"{path}__" if path else ""
    guest = {f"{prefix}customer": None, f"{prefix}email_hash__in": email_hashes(person.email)}
    return mine | Q(**guest)


def _written(table: Table, row: models.Model) -> str:
    fields = {
        one.attname: one.value_from_object(row)
        for one in row._meta.concrete_fields
        if one.is_relation
        or one.name not in table.fields
        or field_of(table.label, one.name).data_class is not DataClass.SECRET
    }
    return json.dumps(fields, cls=DjangoJSONEncoder, ensure_ascii=False)
