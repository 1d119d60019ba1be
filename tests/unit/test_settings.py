"""Production settings: they start when safe, and name what is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shop.local_secrets import local_secrets

ROOT = Path(__file__).resolve().parents[2]
_made_up = local_secrets(None)
SAFE = {
    "PATH": os.environ["PATH"],
    "SHOP_ENV": "production",
    "SECRET_KEY": _made_up["SECRET_KEY"],
    "SHOP_EMAIL_HASH_KEY": _made_up["SHOP_EMAIL_HASH_KEY"],
    "SHOP_JWT_SIGNING_KID": "2026-11",
    "SHOP_JWT_PRIVATE_KEY": _made_up["SHOP_JWT_PRIVATE_KEY"],
    "ALLOWED_HOSTS": "shop.example.com",
    "SHOP_PUBLIC_URL": "https://shop.example.com",
    "DATABASE_URL": "postgresql://shop@db.invalid/shop",
    "REDIS_URL": "redis://redis.invalid/0",
    "CELERY_BROKER_URL": "amqp://broker.invalid//",
}


def _manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments, "--settings", "shop.settings"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_safe_settings_pass_djangos_own_deployment_check() -> None:
    checked = _manage(SAFE, "check", "--deploy", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("unsafe", "named"),
    [
        ({"DEBUG": "1"}, "DEBUG"),
        ({"SHOP_FAULTS": "1"}, "SHOP_FAULTS"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "django-insecure-" + "x1y2z3" * 20}, "SECRET_KEY"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SHOP_EMAIL_HASH_KEY": "short"}, "SHOP_EMAIL_HASH_KEY"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"SHOP_PUBLIC_URL": "http://shop.example.com"}, "SHOP_PUBLIC_URL"),
        ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS"),
        ({"SHOP_RATE_LIMIT": "off"}, "SHOP_RATE_LIMIT"),
        ({"SHOP_RATE_LIMIT": "a hundred"}, "SHOP_RATE_LIMIT"),
        ({"SHOP_TRUSTED_PROXIES": "everybody"}, "SHOP_TRUSTED_PROXIES"),
        ({"SHOP_JWT_SIGNING_KID": ""}, "SHOP_JWT_SIGNING_KID"),
        ({"SHOP_JWT_PRIVATE_KEY": ""}, "SHOP_JWT_PRIVATE_KEY"),
        ({"SHOP_ENV": "staging"}, "SHOP_ENV"),
        ({"CELERY_BROKER_URL": ""}, "CELERY_BROKER_URL"),
        ({"REDIS_URL": ""}, "REDIS_URL"),
    ],
)
def test_an_unsafe_value_stops_the_start_and_is_named(unsafe: dict[str, str], named: str) -> None:
    started = _manage({**SAFE, **unsafe}, "check")

    assert started.returncode != 0
    assert "ImproperlyConfigured" in started.stderr
    assert named in started.stderr.strip().splitlines()[-1]


def test_nothing_is_assumed_to_be_local() -> None:
    environment = {name: SAFE[name] for name in ("PATH",)}

    started = _manage(environment, "check")

    assert started.returncode != 0
    assert "must be set" in started.stderr
