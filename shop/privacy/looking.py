"""Looking at personal data in full: by permission, for a reason, for ten minutes, written down."""

from collections.abc import Sequence
from datetime import datetime

from django.core import signing

from shop.models import PiiAccess
from shop.observe.security import Event, note

SEE = "shop.view_personal_data"
GOOD_FOR_SECONDS = 10 * 60

_signer = signing.TimestampSigner(salt="shop.privacy.looking")


def note_look(
    *,
    actor_id: int,
    table: str,
    row: str,
    fields: Sequence[str],
    reason: str,
    request_id: str,
    now: datetime,
) -> str:
    """Write down that somebody looks at a row in full, and return the ticket that lets them."""
    PiiAccess.objects.create(
        actor_id=actor_id,
        table=table,
        row=row,
        fields=", ".join(fields)[:500],
        reason=reason[:200],
        request_id=request_id,
        seen_at=now,
    )
    note(Event.PERSONAL_DATA_SHOWN, user_id=actor_id, table=table, row=row, fields=list(fields))
    return _signer.sign(_subject(actor_id, table, row)).rpartition("|")[2]


def may_look(ticket: str, *, actor_id: int | None, table: str, row: str) -> bool:
    """Tell whether the ticket is this person's, for this row, and of the last ten minutes."""
    if not ticket or actor_id is None:
        return False
    try:
        _signer.unsign(f"{_subject(actor_id, table, row)}{ticket}", max_age=GOOD_FOR_SECONDS)
    except signing.BadSignature:
        return False
    return True


def _subject(actor_id: int, table: str, row: str) -> str:
    return f"{actor_id}|{table}|{row}|"
