"""Secrets from files: what a vault or an orchestrator mounts, beside what the environment sets."""

from collections.abc import Mapping
from pathlib import Path

# Whatever opens something or has a password in it. Each may be given as NAME_FILE.
SECRETS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "SHOP_EMAIL_HASH_KEY",
    "SHOP_EMAIL_HASH_KEY_FALLBACKS",
    "SHOP_DIGEST_KEY",
    "SHOP_JWT_PRIVATE_KEY",
    "SHOP_JWT_KEYS",
    "DATABASE_URL",
    "DATABASE_REPLICA_URLS",
    "REDIS_URL",
    "REDIS_CARTS_URL",
    "REDIS_CACHE_URL",
    "REDIS_LIMITER_URL",
    "CELERY_BROKER_URL",
    "EMAIL_URL",
    "STRIPE_API_KEY",
    "STRIPE_WEBHOOK_SECRETS",
    "SHOP_STAFF_PASSWORD",
)


def with_secret_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with each secret that it names a file of (`NAME_FILE`) read in.

    What is set as itself counts, and its file is not read. A line end at the end of a file, which
    editors leave, is no part of the secret. Raises OSError where a file cannot be read.
    """
    found = dict(environ)
    for name in SECRETS:
        path = environ.get(f"{name}_FILE", "")
        if path and not environ.get(name):
            found[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    return found
