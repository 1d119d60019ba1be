"""Access tokens that are none, for tests: forged in every way that has a name."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings


@dataclass(frozen=True, slots=True)
class Whose:
    """Of whom a token tells, and of which session."""

    subject: UUID
    family: UUID
    token_version: int = 0


def claims(whose: Whose, **changes: Any) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    usual = {
        "iss": settings.SHOP_JWT_ISSUER,
        "aud": settings.SHOP_JWT_AUDIENCE,
        "sub": str(whose.subject),
        "sid": str(whose.family),
        "tv": whose.token_version,
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": "1",
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def signed(payload: dict[str, Any], *, key: Any = None, **header: Any) -> str:
    headers = {"typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID, **header}
    return jwt.encode(
        payload,
        key or settings.SHOP_JWT_KEYS[settings.SHOP_JWT_SIGNING_KID],
        algorithm="RS256",
        headers=headers,
    )


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(whose: Whose, alg: str) -> str:
    header = {"alg": alg, "typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID}
    return f"{part(header)}.{part(claims(whose))}."


def public_pem() -> bytes:
    pem = settings.SHOP_JWT_KEYS[settings.SHOP_JWT_SIGNING_KID].encode()
    public = load_pem_private_key(pem, password=None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hmac_by_public_key(whose: Whose) -> str:
    # PyJWT refuses to sign so itself; an attacker's tool would not.
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID}
    message = f"{part(header)}.{part(claims(whose))}"
    signature = hmac.sign(message.encode(), public_pem())
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def tampered(whose: Whose) -> str:
    header, _, signature = signed(claims(whose)).split(".")
    return f"{header}.{part(claims(whose, sub=str(uuid4())))}.{signature}"


def duplicated_claim(whose: Whose) -> str:
    header, _, signature = signed(claims(whose)).split(".")
    body = json.dumps(claims(whose))[:-1] + f', "sub": "{uuid4()}"}}'
    forged = base64.urlsafe_b64encode(body.encode()).rstrip(b"=").decode()
    return f"{header}.{forged}.{signature}"


def strangers_key() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def null_signature(whose: Whose, alg: str) -> str:
    header, body, _ = signed(claims(whose)).split(".")
    fields = json.loads(base64.urlsafe_b64decode(header + "=="))
    zeros = base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()
    return f"{part({**fields, 'alg': alg})}.{body}.{zeros}"


def self_signed(whose: Whose) -> str:
    key = strangers_key()
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return signed(claims(whose), key=key, jwk=public)


def signed_text(inner: str) -> str:
    """Return a token of ours that carries another one (`cty: JWT`)."""
    header = {
        "alg": "RS256",
        "typ": "at+jwt",
        "cty": "JWT",
        "kid": settings.SHOP_JWT_SIGNING_KID,
    }
    key = settings.SHOP_JWT_KEYS[settings.SHOP_JWT_SIGNING_KID]
    return jwt.api_jws.encode(inner.encode(), key, algorithm="RS256", headers=header)


def nested_jwe(whose: Whose) -> str:
    """Return what is said to be encrypted for us, and is not: five parts, the right members."""
    header = {
        "alg": "RSA-OAEP",
        "enc": "A256GCM",
        "typ": "at+jwt",
        "cty": "JWT",
        "kid": settings.SHOP_JWT_SIGNING_KID,
    }
    text = base64.urlsafe_b64encode(signed(claims(whose)).encode()).rstrip(b"=").decode()
    return f"{part(header)}.e30.e30.{text}.e30"


def seconds_ago(seconds: int) -> int:
    return int((datetime.now(UTC) - timedelta(seconds=seconds)).timestamp())


FORGED: dict[str, Callable[[Whose], str]] = {
    "alg none": lambda whose: unsigned(whose, "none"),
    "alg None": lambda whose: unsigned(whose, "None"),
    "alg nOnE": lambda whose: unsigned(whose, "nOnE"),
    "alg empty": lambda whose: unsigned(whose, ""),
    "HS256 with the public key": hmac_by_public_key,
    "ES256 with r = s = 0": lambda whose: null_signature(whose, "ES256"),
    "RS256 with zeros": lambda whose: null_signature(whose, "RS256"),
    "another key, our kid": lambda whose: signed(claims(whose), key=strangers_key()),
    "unknown kid": lambda whose: signed(claims(whose), kid="nobody"),
    "kid is a path": lambda whose: signed(claims(whose), kid="../../../dev/null"),
    "kid is SQL": lambda whose: signed(claims(whose), kid="' OR 1=1 --"),
    "kid absent": lambda whose: jwt.encode(
        claims(whose),
        settings.SHOP_JWT_KEYS[settings.SHOP_JWT_SIGNING_KID],
        algorithm="RS256",
        headers={"typ": "at+jwt"},
    ),
    "kid is a list": lambda whose: f"{part({'alg': 'RS256', 'typ': 'at+jwt', 'kid': []})}.e30.e30",
    "expired a second ago": lambda whose: signed(claims(whose, exp=seconds_ago(1))),
    "expired a minute ago": lambda whose: signed(claims(whose, exp=seconds_ago(61))),
    "not yet good": lambda whose: signed(claims(whose, nbf=seconds_ago(-60))),
    "issued in the future": lambda whose: signed(claims(whose, iat=seconds_ago(-60))),
    "no expiry": lambda whose: signed(claims(whose, exp=None)),
    "expiry is text": lambda whose: signed(claims(whose, exp="soon")),
    "wrong issuer": lambda whose: signed(claims(whose, iss="https://evil.example")),
    "no issuer": lambda whose: signed(claims(whose, iss=None)),
    "wrong audience": lambda whose: signed(claims(whose, aud="another-api")),
    "no audience": lambda whose: signed(claims(whose, aud=None)),
    "typ JWT": lambda whose: signed(claims(whose), typ="JWT"),
    "typ of a refresh token": lambda whose: signed(claims(whose), typ="rt+jwt"),
    "no subject": lambda whose: signed(claims(whose, sub=None)),
    "subject is no uuid": lambda whose: signed(claims(whose, sub="1")),
    "no session": lambda whose: signed(claims(whose, sid=None)),
    "no version": lambda whose: signed(claims(whose, tv=None)),
    "version is text": lambda whose: signed(claims(whose, tv="0")),
    "version is true": lambda whose: signed(claims(whose, tv=False)),
    "crit": lambda whose: signed(claims(whose), crit=["b64"]),
    "jku": lambda whose: signed(claims(whose), jku="https://evil.example/keys"),
    "jwk": lambda whose: signed(claims(whose), jwk={"kty": "RSA"}),
    "x5u": lambda whose: signed(claims(whose), x5u="https://evil.example/cert"),
    "another body under the signature": tampered,
    "a claim twice": duplicated_claim,
    "embedded key with its own signature": self_signed,
    "nested JWS": lambda whose: signed_text(signed(claims(whose))),
    "nested JWE": nested_jwe,
    "five parts": lambda whose: "a.b.c.d.e",
    "nothing": lambda whose: "",
    "dots": lambda whose: "..",
    "not base64": lambda whose: "%%%.%%%.%%%",
    "100 KB": lambda whose: signed(claims(whose, jti="x" * 100_000)),
    "an opaque refresh token": lambda whose: "Zm9yZ2VkLXJlZnJlc2gtdG9rZW4tb2YtNDMtY2hhcnM",
}
