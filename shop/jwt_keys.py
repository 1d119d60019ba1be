"""The keys of access tokens, as settings have them: PEM by `kid`."""

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

PublicKey = RSAPublicKey | EllipticCurvePublicKey


def is_private(pem: str) -> bool:
    return "PRIVATE KEY" in pem


def public_key_of(pem: str) -> PublicKey:
    """Return the public half of a key: RSA of 2048 bits or more, or P-256.

    Raises ValueError for anything else.
    """
    try:
        public = (
            load_pem_private_key(pem.encode(), password=None).public_key()
            if is_private(pem)
            else load_pem_public_key(pem.encode())
        )
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise ValueError("it is no PEM of a key, or has a pass phrase") from None
    if isinstance(public, RSAPublicKey) and public.key_size >= 2048:
        return public
    if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1):
        return public
    raise ValueError("it must be RSA of 2048 bits or more, or P-256")


def faults_of(keys: Mapping[str, str], *, signing_kid: str) -> list[str]:
    """Return what is wrong with these keys, in words that tell none of them."""
    found = []
    for kid, pem in keys.items():
        try:
            public_key_of(pem)
        except ValueError as error:
            found.append(f"SHOP_JWT_KEYS: {kid}: {error}")
    if not signing_kid or signing_kid not in keys:
        found.append("SHOP_JWT_SIGNING_KID must name one of SHOP_JWT_KEYS")
    elif not is_private(keys[signing_kid]):
        found.append("SHOP_JWT_SIGNING_KID names a key whose private half is not here")
    return found
