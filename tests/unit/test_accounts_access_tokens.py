"""What passes for an access token: nothing but what this shop signed as one."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from accounts.errors import AccessTokenNotValid
from accounts.services import read_access_token
from accounts.services.access_tokens import sign_access_token

SUBJECT, FAMILY = uuid4(), uuid4()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    usual = {
        "iss": settings.SHOP_JWT_ISSUER,
        "aud": settings.SHOP_JWT_AUDIENCE,
        "sub": str(SUBJECT),
        "sid": str(FAMILY),
        "tv": 0,
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": "1",
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def signed(payload: dict[str, Any] | None = None, *, key: Any = None, **header: Any) -> str:
    headers = {"typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID, **header}
    return jwt.encode(
        payload or claims(),
        key or settings.SHOP_JWT_KEYS[settings.SHOP_JWT_SIGNING_KID],
        algorithm="RS256",
        headers=headers,
    )


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(alg: str) -> str:
    header = {"alg": alg, "typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID}
    return f"{part(header)}.{part(claims())}."


def public_pem() -> bytes:
    pem = settings.SHOP_JWT_KEYS[settings.SHOP_JWT_SIGNING_KID].encode()
    public = load_pem_private_key(pem, password=None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hmac_by_public_key() -> str:
    # PyJWT refuses to sign so itself; an attacker's tool would not.
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID}
    message = f"{part(header)}.{part(claims())}"
    signature = hmac.sign(message.encode(), public_pem())
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def tampered() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{part(claims(sub=str(uuid4())))}.{signature}"


def duplicated_claim() -> str:
    header, _, signature = signed().split(".")
    body = json.dumps(claims())[:-1] + f', "sub": "{uuid4()}"}}'
    forged = base64.urlsafe_b64encode(body.encode()).rstrip(b"=").decode()
    return f"{header}.{forged}.{signature}"


def strangers_key() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def null_signature(alg: str) -> str:
    header, body, _ = signed().split(".")
    fields = json.loads(base64.urlsafe_b64decode(header + "=="))
    zeros = base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()
    return f"{part({**fields, 'alg': alg})}.{body}.{zeros}"


def seconds_ago(seconds: int) -> int:
    return int((datetime.now(UTC) - timedelta(seconds=seconds)).timestamp())


FORGED: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg nOnE": lambda: unsigned("nOnE"),
    "alg empty": lambda: unsigned(""),
    "HS256 with the public key": hmac_by_public_key,
    "ES256 with r = s = 0": lambda: null_signature("ES256"),
    "RS256 with zeros": lambda: null_signature("RS256"),
    "another key, our kid": lambda: signed(key=strangers_key()),
    "unknown kid": lambda: signed(kid="nobody"),
    "kid is a path": lambda: signed(kid="../../../dev/null"),
    "kid is SQL": lambda: signed(kid="' OR 1=1 --"),
    "kid absent": lambda: jwt.encode(
        claims(),
        settings.SHOP_JWT_KEYS[settings.SHOP_JWT_SIGNING_KID],
        algorithm="RS256",
        headers={"typ": "at+jwt"},
    ),
    "kid is a list": lambda: f"{part({'alg': 'RS256', 'typ': 'at+jwt', 'kid': []})}.e30.e30",
    "expired a second ago": lambda: signed(claims(exp=seconds_ago(1))),
    "expired a minute ago": lambda: signed(claims(exp=seconds_ago(61))),
    "not yet good": lambda: signed(claims(nbf=seconds_ago(-60))),
    "issued in the future": lambda: signed(claims(iat=seconds_ago(-60))),
    "no expiry": lambda: signed(claims(exp=None)),
    "expiry is text": lambda: signed(claims(exp="soon")),
    "wrong issuer": lambda: signed(claims(iss="https://evil.example")),
    "no issuer": lambda: signed(claims(iss=None)),
    "wrong audience": lambda: signed(claims(aud="another-api")),
    "no audience": lambda: signed(claims(aud=None)),
    "typ JWT": lambda: signed(typ="JWT"),
    "typ of a refresh token": lambda: signed(typ="rt+jwt"),
    "no subject": lambda: signed(claims(sub=None)),
    "subject is no uuid": lambda: signed(claims(sub="1")),
    "no session": lambda: signed(claims(sid=None)),
    "no version": lambda: signed(claims(tv=None)),
    "version is text": lambda: signed(claims(tv="0")),
    "version is true": lambda: signed(claims(tv=False)),
    "crit": lambda: signed(crit=["b64"]),
    "jku": lambda: signed(jku="https://evil.example/keys"),
    "jwk": lambda: signed(jwk={"kty": "RSA"}),
    "x5u": lambda: signed(x5u="https://evil.example/cert"),
    "another body under the signature": tampered,
    "a claim twice": duplicated_claim,
    "nested JWE": lambda: "a.b.c.d.e",
    "nothing": lambda: "",
    "dots": lambda: "..",
    "not base64": lambda: "%%%.%%%.%%%",
    "100 KB": lambda: signed(claims(jti="x" * 100_000)),
    "an opaque refresh token": lambda: "Zm9yZ2VkLXJlZnJlc2gtdG9rZW4tb2YtNDMtY2hhcnM",
}


def test_a_token_that_we_signed_is_read() -> None:
    token = sign_access_token(
        subject=SUBJECT, family=FAMILY, token_version=3, now=datetime.now(UTC)
    )

    read = read_access_token(token)

    assert (read.subject, read.family, read.token_version) == (SUBJECT, FAMILY, 3)
    assert read_access_token(signed()).subject == SUBJECT  # so that the forged ones below are near


def test_a_token_tells_who_without_telling_anything_personal() -> None:
    now = datetime.now(UTC)

    token = sign_access_token(subject=SUBJECT, family=FAMILY, token_version=0, now=now)

    header = jwt.get_unverified_header(token)
    body = jwt.decode(token, options={"verify_signature": False})
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID}
    assert body.keys() == {"iss", "aud", "sub", "sid", "tv", "iat", "nbf", "exp", "jti"}
    assert UUID(body["sub"]) == SUBJECT
    assert body["exp"] - body["iat"] == 600


@pytest.mark.parametrize("name", FORGED)
def test_what_we_did_not_sign_as_an_access_token_is_refused(name: str) -> None:
    with pytest.raises(AccessTokenNotValid):
        read_access_token(FORGED[name]())


def test_keys_rotate_with_both_known_for_a_while(settings: Settings) -> None:
    old_kid = settings.SHOP_JWT_SIGNING_KID
    old_token = signed()
    new = ec.generate_private_key(ec.SECP256R1())
    new_pem = new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    # The new key signs, and of the old one only the public half is left.
    settings.SHOP_JWT_KEYS = {old_kid: public_pem().decode(), "new": new_pem}
    settings.SHOP_JWT_SIGNING_KID = "new"
    new_token = sign_access_token(
        subject=SUBJECT, family=FAMILY, token_version=0, now=datetime.now(UTC)
    )

    assert jwt.get_unverified_header(new_token)["alg"] == "ES256"
    assert read_access_token(old_token) is not None
    assert read_access_token(new_token) is not None
    settings.SHOP_JWT_KEYS = {"new": new_pem}
    with pytest.raises(AccessTokenNotValid):
        read_access_token(old_token)


def test_a_weak_key_is_not_put_to_use(settings: Settings) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    pem = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    settings.SHOP_JWT_KEYS = {settings.SHOP_JWT_SIGNING_KID: pem}

    with pytest.raises(ImproperlyConfigured):
        sign_access_token(subject=SUBJECT, family=FAMILY, token_version=0, now=datetime.now(UTC))
