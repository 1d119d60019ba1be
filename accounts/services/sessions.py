"""Sessions: from log-in, through refreshes, to their end."""

import base64
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from cryptography.fernet import Fernet, InvalidToken
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import F

from accounts.errors import (
    ChallengeNotValid,
    InvalidCode,
    InvalidCredentials,
    LinkNotValid,
    RefreshTokenNotValid,
    SecondFactorRequired,
    TokenReused,
)
from accounts.models import RefreshToken, User
from accounts.selectors import forget_sessions
from accounts.services.access_tokens import LIFETIME_SECONDS, sign_access_token
from accounts.services.factors import accepts, kinds_of
from accounts.services.links import Purpose, link_token, locked_user_of_link
from shop.errors import FieldError, Malformed
from shop.observe.security import Event, note
from shop.outbox.services import publish
from shop.privacy import normal_email

SESSION_LASTS = timedelta(days=30)
FRESH_LASTS = timedelta(minutes=10)  # from log-in: so long the password need not be said again
IDLE_LASTS = timedelta(days=7)
TWIN_GRACE = timedelta(seconds=10)  # within it a spent token that comes again is an honest twin
KEPT_AFTER_END = timedelta(days=1)  # rows of sessions that are over

# The claim of a refresh token: of any number of callers one gets a row, and the others wait for its
# commit and get none. A family counts as ended when any of its links is revoked, so the link that
# is inserted next cannot slip past somebody who ends the family right now.
_CLAIM = """
    UPDATE accounts_refreshtoken AS token
       SET used_at = %(now)s, sealed_successor = %(sealed)s
      FROM accounts_user AS person
     WHERE token.token_hash = %(spent)s
       AND token.used_at IS NULL AND token.revoked_at IS NULL
       AND token.expires_at > %(now)s AND token.idle_until > %(now)s
       AND NOT EXISTS (SELECT 1 FROM accounts_refreshtoken AS link
                        WHERE link.family = token.family AND link.revoked_at IS NOT NULL)
       AND person.id = token.user_id AND person.is_active
    RETURNING token.id, token.family, token.expires_at, token.second_factor_at,
              person.id, person.public_id, person.token_version
"""


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """What a client holds of a session."""

    access: str
    refresh: str
    expires_in: int  # seconds that `access` is good for


def log_in(*, email: str, password: str, now: datetime) -> SessionTokens:
    """Begin a session for whoever proves to own the account.

    Takes as long for an address that nobody has as for a wrong password.

    Raises InvalidCredentials, the same for an unknown address, a wrong password and a disabled
    account; and SecondFactorRequired where the password is right and does not suffice.
    """
    user = _user_of_password(email, password)
    if kinds := kinds_of(user):
        raise SecondFactorRequired(
            "Show a second factor, together with this challenge, within five minutes.",
            challenge=link_token(user=user, purpose=Purpose.SECOND_FACTOR, now=now),
            factors=kinds,
        )
    return _begin(user, second_factor_at=None, now=now)


def log_in_with_second_factor(
    *, challenge: str, kind: str, proof: str, now: datetime
) -> SessionTokens:
    """Begin a session for whoever knew the password, and shows the second factor now.

    Raises ChallengeNotValid; InvalidCode, also for a proof that was shown before; and TooMany for
    one that comes too soon after wrong ones: they count, whatever else becomes of the request.
    """
    with transaction.atomic():
        try:
            user = locked_user_of_link(token=challenge, purpose=Purpose.SECOND_FACTOR, now=now)
        except LinkNotValid:
            raise ChallengeNotValid("Log in again by e-mail and password.") from None
        is_accepted = accepts(user, kind=kind, proof=proof, now=now)
    if not is_accepted:
        note(Event.SECOND_FACTOR_FAILED, user_id=user.pk, factor=kind)
        raise InvalidCode("The code is wrong, over, or was used before.")
    return _begin(user, second_factor_at=now, now=now)


def _user_of_password(email: str, password: str) -> User:
    user = User.objects.filter(email=normal_email(email)).first()
    if user is None:
        make_password(password)  # the time that comparing would have taken
    if user is None or not user.check_password(password) or not user.is_active:
        note(Event.LOG_IN_FAILED, user_id=user.pk if user else None, through="api")
        raise InvalidCredentials("There is no account with this e-mail and password.")
    return user


def _begin(user: User, *, second_factor_at: datetime | None, now: datetime) -> SessionTokens:
    refresh = _new_token()
    family = uuid4()
    RefreshToken.objects.create(
        token_hash=_hash_of(refresh),
        family=family,
        user=user,
        issued_at=now,
        idle_until=now + IDLE_LASTS,
        expires_at=now + SESSION_LASTS,
        second_factor_at=second_factor_at,
    )
    note(
        Event.LOGGED_IN,
        user_id=user.pk,
        through="api",
        has_second_factor=second_factor_at is not None,
    )
    return _tokens(
        refresh,
        user.public_id,
        family,
        user.token_version,
        now,
        has_second_factor=second_factor_at is not None,
    )


@transaction.atomic
def refresh_session(*, refresh: str, now: datetime) -> SessionTokens | TokenReused:
    """Exchange `refresh` for a new pair; it is spent from then on.

    Two exchanges of one token that cross within 10 s get the same successor, as long as it was not
    used itself. A spent token that comes back otherwise was copied by somebody: the session ends,
    its owner is told, and TokenReused is *returned*, so that no rollback can undo that end.

    Raises RefreshTokenNotValid when the token is unknown or over.
    """
    successor = _new_token()
    spent = _hash_of(refresh)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "spent": spent, "sealed": _seal(successor, refresh)})
        claimed = cursor.fetchone()
    if claimed is None:
        return _answer_twin_or_thief(refresh, spent, now)

    token_id, family, expires_at, second_factor_at, user_id, public_id, token_version = claimed
    RefreshToken.objects.create(
        token_hash=_hash_of(successor),
        family=family,
        user_id=user_id,
        parent_id=token_id,
        issued_at=now,
        idle_until=min(now + IDLE_LASTS, expires_at),
        expires_at=expires_at,
        second_factor_at=second_factor_at,
    )
    return _tokens(
        successor,
        public_id,
        family,
        token_version,
        now,
        has_second_factor=second_factor_at is not None,
    )


def _answer_twin_or_thief(refresh: str, spent: str, now: datetime) -> SessionTokens | TokenReused:
    token = (
        RefreshToken.objects.select_related("user", "successor").filter(token_hash=spent).first()
    )
    if token is None or token.used_at is None:
        raise RefreshTokenNotValid("Sign in again.")
    has_ended = RefreshToken.objects.filter(family=token.family, revoked_at__isnull=False).exists()
    if not has_ended:
        successor = _successor_for_twin(token, refresh, now)
        if successor is not None:
            user = token.user
            return _tokens(
                successor,
                user.public_id,
                token.family,
                user.token_version,
                now,
                has_second_factor=token.second_factor_at is not None,
            )
        _revoke(family=token.family, now=now)
        note(Event.TOKEN_REUSED, user_id=token.user_id, family=str(token.family))
        publish(
            topic="accounts.session_reused",
            key=f"user:{token.user_id}",
            payload={"v": 1, "user_id": token.user_id},
        )
    return TokenReused("This token was exchanged before, so its session has ended. Sign in again.")


def _successor_for_twin(token: RefreshToken, refresh: str, now: datetime) -> str | None:
    """Return the successor that the first of two crossing exchanges was given, if that is due."""
    successor: RefreshToken | None = getattr(token, "successor", None)
    if (
        token.used_at is None
        or token.sealed_successor is None
        or now - token.used_at > TWIN_GRACE
        or successor is None
        or successor.used_at is not None
        or successor.expires_at <= now
        or not token.user.is_active
    ):
        return None
    return _unseal(bytes(token.sealed_successor), refresh)


@transaction.atomic
def end_session(*, refresh: str, now: datetime) -> None:
    """End the session that `refresh` belongs to, spent or not. Safe to repeat.

    An unknown token is no error: then there is nothing to end. Access tokens of the session are
    refused within 15 s.
    """
    token = RefreshToken.objects.filter(token_hash=_hash_of(refresh)).first()
    if token is not None:
        _revoke(family=token.family, now=now)


@transaction.atomic
def end_all_sessions(*, user: User, now: datetime) -> None:
    """End every session of `user`. Safe to repeat; access tokens are refused within 15 s."""
    User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
    links = RefreshToken.objects.filter(user=user, revoked_at__isnull=True)
    families = set(links.values_list("family", flat=True).order_by().distinct())
    links.update(revoked_at=now, sealed_successor=None)
    note(Event.SESSIONS_ENDED, user_id=user.pk, sessions=len(families))
    _forget_after_commit(families)


def prune_sessions(*, now: datetime) -> int:
    """Delete the links of sessions long over, and successors kept for twins that did not come.

    Safe to repeat. Returns how many links were deleted.
    """
    RefreshToken.objects.filter(
        sealed_successor__isnull=False, used_at__lt=now - TWIN_GRACE
    ).update(sealed_successor=None)
    deleted, _ = RefreshToken.objects.filter(expires_at__lt=now - KEPT_AFTER_END).delete()
    return deleted


def _revoke(*, family: UUID, now: datetime) -> None:
    RefreshToken.objects.filter(family=family, revoked_at__isnull=True).update(
        revoked_at=now, sealed_successor=None
    )
    _forget_after_commit([family])


def _forget_after_commit(families: Collection[UUID]) -> None:
    transaction.on_commit(partial(forget_sessions, *families))


def _tokens(
    refresh: str,
    public_id: UUID,
    family: UUID,
    token_version: int,
    now: datetime,
    *,
    has_second_factor: bool,
) -> SessionTokens:
    access = sign_access_token(
        subject=public_id,
        family=family,
        token_version=token_version,
        has_second_factor=has_second_factor,
        now=now,
    )
    return SessionTokens(access=access, refresh=refresh, expires_in=LIFETIME_SECONDS)


def _new_token() -> str:
    return secrets.token_urlsafe(32)  # 256 bits


def _hash_of(token: str) -> str:
    # Plain and fast is enough here: nobody can try 2**256 tokens.
    return hashlib.sha256(token.encode()).hexdigest()


def _seal(successor: str, token: str) -> bytes:
    return _box(token).encrypt(successor.encode())


def _unseal(sealed: bytes, token: str) -> str | None:
    try:
        return _box(token).decrypt(sealed).decode()
    except InvalidToken:
        return None


def _box(token: str) -> Fernet:
    # The key is made of the spent token, which is kept nowhere: a copy of the database opens none.
    key = hashlib.sha256(b"shop.accounts.successor:" + token.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def prove_fresh_session(*, user: User, session: UUID, now: datetime) -> User:
    """Return `user` as they are now, locked, if they logged in to `session` moments ago.

    Refreshing a session makes it no fresher. Inside a transaction of the caller. Raises Malformed,
    which asks for the password in its place.
    """
    began = RefreshToken.objects.filter(
        family=session, user=user, expires_at__gt=now + SESSION_LASTS - FRESH_LASTS
    )
    if not began.exists():
        raise Malformed(
            errors=[FieldError("/password", "required", "Say the password, or log in again.")]
        )
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
