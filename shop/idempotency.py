"""Idempotency keys: one execution for one key, its answer stored with what it did.

The row lives in the transaction of the write that it protects. Knows nothing of HTTP beyond a
status, a few headers and bytes.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from shop.db.updating import Change
from shop.errors import Conflict, Invalid
from shop.models import IdempotencyKey

# How long the first caller may take before a retry may go on in its place: longer than a provider
# is waited for, and short enough that who was struck twice still has an answer within a minute.
LOCK_SECONDS = 30
LEFT_AFTER = timedelta(minutes=2)  # who has no answer by then was killed, and did not come back

_COMPLETE = """
    UPDATE shop_idempotencykey
    SET state = 'DONE', response_status = %s, response_headers = %s::jsonb, response_body = %s
    WHERE id = %s AND state = 'STARTED'
"""


class IdempotencyKeyReused(Invalid):
    """The key was used before with another request: make up a new one."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key belongs to another request"


class IdempotencyInProgress(Conflict):
    """The first request with this key is still running: ask again in a moment."""

    code = "idempotency_in_progress"
    title = "The first request with this key is still running"
    retryable = True


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose key it is, for which route, and a digest of the request that it was sent with."""

    subject: str
    route: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it went out."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to execute, or the answer of the execution that was.

    `answer` is set when it is done. Otherwise go on: with nothing yet (`is_new`), or with what an
    interrupted twin left behind, which `resource` names.
    """

    id: int
    is_new: bool
    resource: str
    answer: StoredAnswer | None


@dataclass(frozen=True, slots=True)
class LeftKey:
    """A key whose request began and never answered, and what it was about."""

    id: int
    resource: str
    created_at: datetime


def claim(scope: Scope, *, now: datetime, resource: str = "") -> Claim:
    """Claim the key inside the caller's transaction, or return what became of it.

    A twin that is inside its transaction at this moment is waited for, as long as locks are.
    Safe to repeat.

    Raises IdempotencyKeyReused when the request differs, and IdempotencyInProgress when another
    caller is still inside its transaction, or has committed its claim and may still be at work
    (30 s). The caller's transaction is to be rolled back then.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("Claim a key inside a transaction.")
    locked_until = now + timedelta(seconds=LOCK_SECONDS)
    expires_at = now + timedelta(seconds=settings.SHOP_IDEMPOTENCY_SECONDS)
    try:
        with connection.cursor() as cursor:
            # One statement for the common case; a twin's row is locked, so nobody resumes it twice.
            cursor.execute(
                """
                INSERT INTO shop_idempotencykey AS mine
                    (subject, route, key, request_hash, state, resource,
                     response_headers, created_at, locked_until, expires_at)
                VALUES (%s, %s, %s, %s, 'STARTED', %s, '{}', %s, %s, %s)
                ON CONFLICT (subject, route, key) DO NOTHING
                RETURNING id
                """,
                [
                    scope.subject,
                    scope.route,
                    scope.key,
                    scope.request_hash,
                    resource,
                    now,
                    locked_until,
                    expires_at,
                ],
            )
            row = cursor.fetchone()
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise IdempotencyInProgress("Send it again in a second.", retry_after=1) from None
        raise
    if row is not None:
        return Claim(id=row[0], is_new=True, resource=resource, answer=None)

    known = (
        IdempotencyKey.objects.select_for_update(of=("self",))
        .filter(subject=scope.subject, route=scope.route, key=scope.key)
        .first()
    )
    if known is None:  # discarded by its owner while we waited for it
        raise IdempotencyInProgress("Send it again in a second.", retry_after=1)
    if known.expires_at <= now and known.state == IdempotencyKey.State.DONE:
        known.delete()
        return claim(scope, now=now, resource=resource)
    if known.request_hash != scope.request_hash:
        raise IdempotencyKeyReused("Use a new key for a new request.")
    if known.state == IdempotencyKey.State.DONE:
        return Claim(id=known.pk, is_new=False, resource=known.resource, answer=_answer_of(known))
    if known.locked_until > now:
        raise IdempotencyInProgress("Send it again in a second.", retry_after=1)
    known.locked_until = locked_until
    known.save(update_fields=["locked_until"])
    return Claim(id=known.pk, is_new=False, resource=known.resource, answer=None)


def complete(claim_id: int, answer: StoredAnswer) -> None:
    """Store the answer inside the caller's transaction, the one that made it true.

    The body is kept encrypted: answers hold addresses and tokens. Once stored it stays.
    """
    with connection.cursor() as cursor:
        cursor.execute(*completion(claim_id, answer))


def completion(claim_id: int, answer: StoredAnswer) -> Change:
    """Return what `complete` does, undone: for a part of the statement that makes it true."""
    headers = orjson.dumps(answer.headers).decode()
    return Change(_COMPLETE, [answer.status, headers, _box().encrypt(answer.body), claim_id])


def discard(claim_id: int) -> None:
    """Forget the claim: the outcome was not final, and the same key may be tried again."""
    IdempotencyKey.objects.filter(pk=claim_id, state=IdempotencyKey.State.STARTED).delete()


def left_running(
    *, now: datetime, for_at_least: timedelta = LEFT_AFTER, limit: int | None = None
) -> list[LeftKey]:
    """Return the keys that were claimed so long ago and have no answer.

    Only those that nobody may still be at work on: their lock is over. Those come first that were
    let go of first, so that some which cannot be finished do not keep others waiting.
    """
    left = IdempotencyKey.objects.filter(
        state=IdempotencyKey.State.STARTED,
        created_at__lte=now - for_at_least,
        locked_until__lte=now,
    ).order_by("locked_until", "id")[:limit]
    return [LeftKey(key.pk, key.resource, key.created_at) for key in left]


def take_over(claim_id: int, *, now: datetime) -> bool:
    """Go on in the place of whoever was killed; False if another does, or it has its answer.

    Others are told to wait, as long as they wait for one who has just begun.
    """
    taken = IdempotencyKey.objects.filter(
        pk=claim_id, state=IdempotencyKey.State.STARTED, locked_until__lte=now
    ).update(locked_until=now + timedelta(seconds=LOCK_SECONDS))
    return bool(taken)


def prune(*, now: datetime) -> int:
    """Delete keys whose time is over, and return how many. Safe to repeat."""
    deleted, _ = IdempotencyKey.objects.filter(expires_at__lt=now).delete()
    return deleted


def forget(*, subject: str) -> None:
    """Delete the keys of one principal, with the answers they were given. Safe to repeat."""
    IdempotencyKey.objects.filter(subject=subject, state=IdempotencyKey.State.DONE).delete()


def _answer_of(known: IdempotencyKey) -> StoredAnswer:
    try:
        body = _box().decrypt(bytes(known.response_body or b""))
    except InvalidToken:
        # The secret was rotated away within the time an answer is kept. The write was done, so it
        # must not be done again; and the first bytes cannot be given.
        raise IdempotencyKeyReused("Its answer cannot be read any more: look it up.") from None
    return StoredAnswer(known.response_status or 0, dict(known.response_headers), body)


def _box() -> MultiFernet:
    return _box_of((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _box_of(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([_fernet(secret) for secret in secrets])


def _fernet(secret: str) -> Fernet:
    digest = hashlib.sha256(b"shop.idempotency:" + secret.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
