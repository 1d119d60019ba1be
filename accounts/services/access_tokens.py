"""Access tokens: short-lived JWTs that tell who asks, signed and read here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from accounts.errors import AccessTokenNotValid
from shop.jwt_keys import PublicKey, is_private, public_key_of

LIFETIME_SECONDS = 600
TYPE = "at+jwt"  # RFC 9068: so that no other JWT of ours can pass for an access token
LONGEST = 4096  # characters; ours have about 700
_MANY_FACTORS = "mfa"
_HEADER = {"alg", "kid", "typ"}
_OF_A_PUBLIC_KEY = {"kty", "n", "e", "crv", "x", "y"}


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a token that was checked says."""

    subject: UUID  # User.public_id
    family: UUID  # the session it belongs to
    token_version: int
    expires_at: int  # seconds since the epoch
    has_second_factor: bool  # whether its owner showed one, and not the password alone


class SigningBackend(TokenBackend):
    """One trusted key: reads what was signed with it, and signs if its private half is here."""

    def __init__(self, *, kid: str, **options: Any) -> None:
        super().__init__(**options)
        self.kid = kid

    def encode(self, payload: dict[str, Any]) -> str:
        return jwt.encode(
            {**payload, "iss": self.issuer, "aud": self.audience},
            self.prepared_signing_key,
            algorithm=self.algorithm,
            headers={"kid": self.kid, "typ": TYPE},
        )


def sign_access_token(
    *,
    subject: UUID,
    family: UUID,
    token_version: int,
    now: datetime,
    has_second_factor: bool = False,
) -> str:
    """Return a token for `subject` in the session `family`, good for ten minutes."""
    issued_at = int(now.timestamp())
    token: str = _backends()[settings.SHOP_JWT_SIGNING_KID].encode(
        {
            "sub": str(subject),
            "sid": str(family),
            "tv": token_version,
            # How they proved it, by RFC 8176.
            "amr": ["pwd", "otp", _MANY_FACTORS] if has_second_factor else ["pwd"],
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + LIFETIME_SECONDS,
            "jti": uuid4().hex,
        }
    )
    return token


def read_access_token(token: str) -> AccessClaims:
    """Return what `token` says, its signature, type, issuer, audience and times checked.

    Whether the session still lives is another question: `user_of_session`.

    Raises AccessTokenNotValid.
    """
    if len(token) > LONGEST:
        raise AccessTokenNotValid
    try:
        header = jwt.get_unverified_header(token)
        # Exactly our three members: what a token says beside them (`crit`, `jku`, `jwk`) must be
        # neither obeyed nor overlooked.
        if header.keys() != _HEADER or header["typ"] != TYPE:
            raise AccessTokenNotValid
        # The key decides on the algorithm, never the token: else a public key, which everybody
        # may have, could be used as the secret of an HMAC.
        backend = _backends().get(header["kid"])
        if backend is None or header["alg"] != backend.algorithm:
            raise AccessTokenNotValid
        # simplejwt's annotation asks for its own class; what it passes on to PyJWT is the text.
        return _claims(backend.decode(token))  # type: ignore[arg-type]
    except (jwt.InvalidTokenError, TokenBackendError, KeyError, ValueError, TypeError):
        raise AccessTokenNotValid from None


def public_keys() -> list[dict[str, str]]:
    """Return the public half of every key that we trust, as RFC 7517 writes keys.

    A key that will sign only with the next release is among them, so that whoever keeps a copy
    knows it by then.
    """
    backends = _backends()
    return [
        {
            **_public_jwk(public_key_of(pem)),
            "kid": kid,
            "use": "sig",
            "alg": backends[kid].algorithm,
        }
        for kid, pem in settings.SHOP_JWT_KEYS.items()
    ]


def _public_jwk(public: PublicKey) -> dict[str, str]:
    if isinstance(public, RSAPublicKey):
        made = RSAAlgorithm.to_jwk(public, as_dict=True)
    else:
        made = ECAlgorithm.to_jwk(public, as_dict=True)
    # What the set says of use is said once, by us.
    return {name: value for name, value in made.items() if name in _OF_A_PUBLIC_KEY}


def _claims(claims: Mapping[str, Any]) -> AccessClaims:
    version, expires_at = claims["tv"], claims["exp"]
    if type(version) is not int or type(expires_at) is not int:
        raise AccessTokenNotValid
    return AccessClaims(
        subject=UUID(claims["sub"]),
        family=UUID(claims["sid"]),
        token_version=version,
        expires_at=expires_at,
        # What a release before signed has none.
        has_second_factor=_MANY_FACTORS in claims.get("amr", ()),
    )


def _backends() -> Mapping[str, SigningBackend]:
    return _backends_of(
        tuple(sorted(settings.SHOP_JWT_KEYS.items())),
        settings.SHOP_JWT_ISSUER,
        settings.SHOP_JWT_AUDIENCE,
    )


@cache
def _backends_of(
    keys: tuple[tuple[str, str], ...], issuer: str, audience: str
) -> Mapping[str, SigningBackend]:
    return {kid: _backend(kid, pem, issuer, audience) for kid, pem in keys}


def _backend(kid: str, pem: str, issuer: str, audience: str) -> SigningBackend:
    try:
        public = public_key_of(pem)
    except ValueError as error:
        raise ImproperlyConfigured(f"SHOP_JWT_KEYS: {kid}: {error}.") from None
    verifying = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return SigningBackend(
        kid=kid,
        algorithm="RS256" if isinstance(public, RSAPublicKey) else "ES256",
        signing_key=pem if is_private(pem) else None,
        verifying_key=verifying,
        issuer=issuer,
        audience=audience,
    )
