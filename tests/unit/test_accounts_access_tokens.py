"""What passes for an access token: nothing but what this shop signed as one."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from accounts.errors import AccessTokenNotValid
from accounts.services import public_keys, read_access_token
from accounts.services.access_tokens import sign_access_token
from tests.make import tokens

SUBJECT, FAMILY = uuid4(), uuid4()
WHOSE = tokens.Whose(SUBJECT, FAMILY)


def test_a_token_that_we_signed_is_read() -> None:
    token = sign_access_token(
        subject=SUBJECT, family=FAMILY, token_version=3, now=datetime.now(UTC)
    )

    read = read_access_token(token)

    assert (read.subject, read.family, read.token_version) == (SUBJECT, FAMILY, 3)
    assert (
        read_access_token(tokens.signed(tokens.claims(WHOSE))).subject == SUBJECT
    )  # so that the forged ones below are near


def test_a_token_tells_who_without_telling_anything_personal() -> None:
    now = datetime.now(UTC)

    token = sign_access_token(subject=SUBJECT, family=FAMILY, token_version=0, now=now)

    header = jwt.get_unverified_header(token)
    body = jwt.decode(token, options={"verify_signature": False})
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": settings.SHOP_JWT_SIGNING_KID}
    assert body.keys() == {"iss", "aud", "sub", "sid", "tv", "iat", "nbf", "exp", "jti", "amr"}
    assert UUID(body["sub"]) == SUBJECT
    assert body["exp"] - body["iat"] == 600


@pytest.mark.parametrize("name", tokens.FORGED)
def test_what_we_did_not_sign_as_an_access_token_is_refused(name: str) -> None:
    with pytest.raises(AccessTokenNotValid):
        read_access_token(tokens.FORGED[name](WHOSE))


def test_keys_rotate_with_both_known_for_a_while(settings: Settings) -> None:
    old_kid = settings.SHOP_JWT_SIGNING_KID
    old_token = tokens.signed(tokens.claims(WHOSE))
    new = ec.generate_private_key(ec.SECP256R1())
    new_pem = new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    # The new key signs, and of the old one only the public half is left.
    settings.SHOP_JWT_KEYS = {old_kid: tokens.public_pem().decode(), "new": new_pem}
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


def test_a_new_key_is_known_a_release_before_it_signs(settings: Settings) -> None:
    kid = settings.SHOP_JWT_SIGNING_KID
    new = ec.generate_private_key(ec.SECP256R1())
    new_pem = new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    new_public = new.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    today = {kid: settings.SHOP_JWT_KEYS[kid], "new": new_public.decode()}

    settings.SHOP_JWT_KEYS = {**today, "new": new_pem}
    settings.SHOP_JWT_SIGNING_KID = "new"
    tomorrows = sign_access_token(
        subject=SUBJECT, family=FAMILY, token_version=0, now=datetime.now(UTC)
    )

    # Processes of the release before, which serve beside the new ones during a deployment.
    settings.SHOP_JWT_KEYS, settings.SHOP_JWT_SIGNING_KID = today, kid
    assert read_access_token(tomorrows).subject == SUBJECT
    assert [key["kid"] for key in public_keys()] == [kid, "new"]


def test_others_can_check_our_tokens_by_the_published_keys(
    client: Client, settings: Settings
) -> None:
    settings.SHOP_JWT_KEYS = {
        **settings.SHOP_JWT_KEYS,
        "elliptic": ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
    }

    answer = client.get("/.well-known/jwks.json")

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/jwk-set+json")
    assert answer["Cache-Control"] == "public, max-age=300"
    keys = answer.json()["keys"]
    assert [key.keys() for key in keys] == [
        {"kty", "n", "e", "kid", "use", "alg"},
        {"kty", "crv", "x", "y", "kid", "use", "alg"},
    ]  # and nothing of a private half
    known = jwt.PyJWKSet.from_dict(answer.json())
    for kid in settings.SHOP_JWT_KEYS:
        settings.SHOP_JWT_SIGNING_KID = kid
        token = sign_access_token(
            subject=SUBJECT, family=FAMILY, token_version=0, now=datetime.now(UTC)
        )
        said = jwt.decode(
            token, known[kid], algorithms=["RS256", "ES256"], audience=settings.SHOP_JWT_AUDIENCE
        )
        assert said["sub"] == str(SUBJECT)
    again = client.get("/.well-known/jwks.json", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_weak_key_is_not_put_to_use(settings: Settings) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    pem = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    settings.SHOP_JWT_KEYS = {settings.SHOP_JWT_SIGNING_KID: pem}

    with pytest.raises(ImproperlyConfigured):
        sign_access_token(subject=SUBJECT, family=FAMILY, token_version=0, now=datetime.now(UTC))
