"""How people prove who they are: the bearer token of a request, and the hash of a password."""

import hashlib
import time

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import DatabaseError
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.errors import AccessTokenNotValid
from accounts.models import User
from accounts.selectors import user_of_session
from accounts.services import AccessClaims, read_access_token
from shop.audit import act_as
from shop.cache.memory import ShortMemory
from shop.problems import request_id_of


class ModestArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB a hash, OWASP's second recommendation.

    Django's own choice takes 100 MiB: ten people who log in at once would take a gigabyte.
    """

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1


class AccessTokenAuthentication(JWTAuthentication):
    """Signs in whoever sends a valid access token of a living session; nobody without a token.

    A token that was checked is remembered for 30 s and the state of its session for 15 s, so a
    hot read costs neither arithmetic nor SQL. Never longer than the token itself is good for.
    """

    www_authenticate_realm = "shop"

    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return the token of a header that begins with `Bearer`, in letters of any case."""
        scheme, space, token = header.partition(b" ")
        if scheme.lower() == b"bearer":
            header = b"Bearer" + space + token
        return super().get_raw_token(header)

    # simplejwt promises a token object of its own beside the user; ours is what the token says.
    def authenticate(  # type: ignore[override]
        self, request: Request
    ) -> tuple[User, AccessClaims] | None:
        header = self.get_header(request)
        raw = self.get_raw_token(header) if header is not None else None
        if raw is None:
            return None
        user, claims = _signed_in_by(raw)
        if settings.SHOP_STAFF_TOTP and user.is_staff and not claims.has_second_factor:
            _take_powers(user)
        if user.is_staff and request.method not in SAFE_METHODS:
            act_as(user_id=user.pk, request_id=request_id_of(request._request), through="api")
        return user, claims


def verified_user(request: HttpRequest) -> str | None:
    """Return the id of the user whom the request's access token names, or None.

    Signature and times are checked, as `AccessTokenAuthentication` does right after it at no
    further cost. Whether the session was ended meanwhile is not: this says whose budget is spent,
    and lets nobody in.
    """
    if "HTTP_AUTHORIZATION" not in request.META:
        return None
    reader = AccessTokenAuthentication()
    try:
        # It reads META alone, which a request has before it is DRF's.
        raw = reader.get_raw_token(reader.get_header(request))  # type: ignore[arg-type]
        return str(_claims_of(raw).subject) if raw is not None else None
    except AuthenticationFailed:
        return None


def customer_of(request: HttpRequest) -> User | None:
    """Return who would be signed in, before the request is DRF's; None in any doubt, and for staff.

    Of staff more is asked, and their doings are written down: that is for the long way alone.
    """
    reader = AccessTokenAuthentication()
    try:
        # It reads META alone, which a request has before it is DRF's.
        raw = reader.get_raw_token(reader.get_header(request))  # type: ignore[arg-type]
        user = _signed_in_by(raw)[0] if raw is not None else None
    except (AuthenticationFailed, DatabaseError):
        return None
    return None if user is None or user.is_staff else user


def _take_powers(user: User) -> None:
    """Make a customer of this copy of `user`, for this request.

    Here and not in each permission: what asks whether somebody is staff gets a no everywhere, also
    where nobody has thought of it yet.
    """
    user.is_staff = user.is_superuser = False
    user.lacks_second_factor = True


_checked = ShortMemory[bytes, AccessClaims](seconds=30, size=10_000)
# The limiter asks first and DRF a moment later: a forged token is not worth two checks either.
# Apart from the good ones, which no flood of bad ones shall drive out; short, as one that begins a
# moment from now by our clock becomes good.
_refused_lately = ShortMemory[bytes, bool](seconds=1, size=1000)


def _claims_of(raw: bytes) -> AccessClaims:
    digest = hashlib.sha256(raw).digest()
    claims = _checked.get(digest)
    if claims is None:
        if _refused_lately.get(digest):
            raise _refused()
        try:
            claims = read_access_token(raw.decode("ascii"))
        except (AccessTokenNotValid, UnicodeDecodeError):
            _refused_lately.put(digest, True)
            raise _refused() from None
        _checked.put(digest, claims)
    if claims.expires_at <= time.time():
        raise _refused()
    return claims


def _signed_in_by(raw: bytes) -> tuple[User, AccessClaims]:
    claims = _claims_of(raw)
    user = user_of_session(
        public_id=claims.subject, family=claims.family, token_version=claims.token_version
    )
    if user is None:
        raise _refused()
    return user, claims


def _refused() -> AuthenticationFailed:
    # DRF's own exception, and no Refusal: DRF then remembers that nobody is signed in, and whoever
    # asks for `request.user` while the problem is written does not fall over it again.
    return AuthenticationFailed()
