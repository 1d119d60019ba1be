"""Secrets of a laptop's shop: made once, kept under `SHOP_HOME`, never used in production."""

import json
import os
import secrets
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def local_secrets(home: Path | None) -> dict[str, str]:
    """Return the secrets kept in `home`, making them on first use; with no home, fresh ones.

    Safe when two processes start at once: the one that loses the race reads the winner's file.
    """
    if home is None:
        return _made_up()
    path = home / "secrets.json"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(_made_up(), file)
        try:
            os.link(draft, path)  # fails if a rival was first, and then the rival's file counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return known


def _made_up() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "SECRET_KEY": secrets.token_urlsafe(64),
        "SHOP_EMAIL_HASH_KEY": secrets.token_urlsafe(32),
        "SHOP_JWT_SIGNING_KID": f"local-{secrets.token_hex(4)}",
        "SHOP_JWT_PRIVATE_KEY": pem.decode(),
    }
