"""Production settings: they start when safe, and name what is not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings

from shop.local_secrets import local_secrets
from shop.secret_files import SECRETS, with_secret_files

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
    "SHOP_ADMIN_PATH": "behind-the-counter",
    "SHOP_ADMIN_NETWORKS": "10.8.0.0/16",
}


PUBLIC_PEM = (
    load_pem_private_key(SAFE["SHOP_JWT_PRIVATE_KEY"].encode(), password=None)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
WEAK_PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


def _start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Read the settings, as every process of the shop does first."""
    return subprocess.run(
        [sys.executable, "-c", "import shop.settings"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


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


def test_safe_settings_start() -> None:
    # So that what follows stops for its one value, and for nothing else.
    new = {
        "SHOP_JWT_KEYS": json.dumps({"2026-11": SAFE["SHOP_JWT_PRIVATE_KEY"], "next": PUBLIC_PEM})
    }
    proxies = {"SHOP_TRUSTED_PROXIES": "10.0.0.0/8"}
    cluster = {"REDIS_CLUSTER": "all", "REDIS_URL": "redis://a.invalid/0,redis://b.invalid"}

    started = _start({**SAFE, **new, **proxies, **cluster})

    assert started.returncode == 0, started.stderr


def test_production_is_strict_without_being_told() -> None:
    names = (
        "DEBUG", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS",
        "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE",
        "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY", "SECURE_CONTENT_TYPE_NOSNIFF",
        "X_FRAME_OPTIONS", "ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "SHOP_SANDBOX_PAYMENTS",
        "SHOP_METRICS_PUBLIC", "SHOP_SERVER_TIMING",
    )  # fmt: skip
    code = (
        "import json, shop.settings as s;"
        f"print(json.dumps({{name: getattr(s, name) for name in {names!r}}}))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=SAFE,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert tuple(json.loads(told.stdout).values()) == (
        False, True, 31_536_000, True, True, True, "Lax", True, True, True, "DENY",
        ["shop.example.com"], [], False, False, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("unsafe", "named"),
    [
        ({"DEBUG": "1"}, "DEBUG"),
        ({"SHOP_FAULTS": "1"}, "SHOP_FAULTS"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "django-insecure-" + "x1y2z3" * 20}, "SECRET_KEY"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "ab" * 40}, "SECRET_KEY"),
        ({"SECRET_KEY_FALLBACKS": "short"}, "SECRET_KEY_FALLBACKS"),
        ({"SHOP_EMAIL_HASH_KEY": ""}, "SHOP_EMAIL_HASH_KEY"),
        ({"SHOP_EMAIL_HASH_KEY": "a" * 40}, "SHOP_EMAIL_HASH_KEY"),
        ({"SHOP_EMAIL_HASH_KEY": SAFE["SECRET_KEY"]}, "SHOP_EMAIL_HASH_KEY"),
        ({"SHOP_EMAIL_HASH_KEY": "short"}, "SHOP_EMAIL_HASH_KEY"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"SHOP_PUBLIC_URL": "http://shop.example.com"}, "SHOP_PUBLIC_URL"),
        ({"SHOP_PUBLIC_URL": ""}, "SHOP_PUBLIC_URL"),
        ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS"),
        ({"CORS_ALLOWED_ORIGINS": "http://shop.example.com"}, "CORS_ALLOWED_ORIGINS"),
        ({"CSRF_TRUSTED_ORIGINS": "https://*.example.com"}, "CSRF_TRUSTED_ORIGINS"),
        ({"CSRF_TRUSTED_ORIGINS": "http://shop.example.com"}, "CSRF_TRUSTED_ORIGINS"),
        ({"SECURE_HSTS_SECONDS": "0"}, "SECURE_HSTS_SECONDS"),
        ({"SHOP_STAFF_TOTP": "0"}, "SHOP_STAFF_TOTP"),
        ({"SHOP_ADMIN_PATH": ""}, "SHOP_ADMIN_PATH"),
        ({"SHOP_ADMIN_PATH": "/admin/"}, "SHOP_ADMIN_PATH"),
        ({"SHOP_ADMIN_PATH": "api/v1"}, "SHOP_ADMIN_PATH"),
        ({"SHOP_ADMIN_PATH": "no path"}, "SHOP_ADMIN_PATH"),
        ({"SHOP_ADMIN_NETWORKS": ""}, "SHOP_ADMIN_NETWORKS"),
        ({"SHOP_ADMIN_NETWORKS": "the office"}, "SHOP_ADMIN_NETWORKS"),
        ({"SHOP_RATE_LIMIT": "off"}, "SHOP_RATE_LIMIT"),
        ({"REDIS_CLUSTER": "carts,sessions"}, "REDIS_CLUSTER"),
        ({"REDIS_CLUSTER": "cache", "REDIS_CACHE_URL": "redis://r.invalid/1"}, "REDIS_CLUSTER"),
        ({"REDIS_CLUSTER": "all", "CELERY_BROKER_URL": ""}, "CELERY_BROKER_URL"),
        ({"SHOP_RATE_LIMIT": "a hundred"}, "SHOP_RATE_LIMIT"),
        ({"SHOP_TRUSTED_PROXIES": "everybody"}, "SHOP_TRUSTED_PROXIES"),
        ({"SHOP_TRUSTED_PROXIES": "0.0.0.0/0"}, "SHOP_TRUSTED_PROXIES"),
        ({"SHOP_TRUSTED_PROXIES": "10.0.0.0/8,::/0"}, "SHOP_TRUSTED_PROXIES"),
        ({"SHOP_JWT_SIGNING_KID": ""}, "SHOP_JWT_SIGNING_KID"),
        ({"SHOP_JWT_PRIVATE_KEY": "no key"}, "SHOP_JWT_KEYS"),
        ({"SHOP_JWT_PRIVATE_KEY": PUBLIC_PEM}, "SHOP_JWT_SIGNING_KID"),
        ({"SHOP_JWT_PRIVATE_KEY": WEAK_PEM}, "SHOP_JWT_KEYS"),
        ({"SHOP_JWT_KEYS": json.dumps({"another": PUBLIC_PEM})}, "SHOP_JWT_SIGNING_KID"),
        ({"SHOP_JWT_PRIVATE_KEY": ""}, "SHOP_JWT_PRIVATE_KEY"),
        ({"SHOP_ENV": "staging"}, "SHOP_ENV"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"CELERY_BROKER_URL": ""}, "CELERY_BROKER_URL"),
        ({"CELERY_BROKER_URL": "memory://"}, "CELERY_BROKER_URL"),
        ({"REDIS_URL": ""}, "REDIS_URL"),
    ],
)
def test_an_unsafe_value_stops_the_start_and_is_named(unsafe: dict[str, str], named: str) -> None:
    started = _start({**SAFE, **unsafe})

    assert started.returncode != 0
    assert "ImproperlyConfigured" in started.stderr
    assert named in started.stderr.strip().splitlines()[-1]
    # What is wrong is told by name: no secret ends up in a log.
    assert not any(
        value in started.stderr for name, value in SAFE.items() if "KEY" in name and value
    )


def test_an_admin_that_is_open_to_all_is_said_to_be() -> None:
    started = _start(
        {**SAFE, "SHOP_ADMIN_PATH": "", "SHOP_ADMIN_NETWORKS": "", "SHOP_ADMIN_OPEN": "1"}
    )

    assert started.returncode == 0, started.stderr


def test_every_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    secret = {name: value for name, value in SAFE.items() if name in SECRETS}
    secret["SECRET_KEY_FALLBACKS"] = local_secrets(None)["SECRET_KEY"][::-1]
    keys = {"2026-11": SAFE["SHOP_JWT_PRIVATE_KEY"], "next": PUBLIC_PEM}
    secret["SHOP_JWT_KEYS"] = json.dumps(keys)
    secret["EMAIL_URL"] = "smtp+tls://shop:from-a-file@mail.invalid:587"
    files = {}
    for name, value in secret.items():
        path = tmp_path / name
        path.write_text(f"{value}\n")
        files[f"{name}_FILE"] = str(path)
    environment = {name: value for name, value in SAFE.items() if name not in secret} | files
    told = (
        "import json; from shop import settings as s; print(json.dumps([s.SECRET_KEY,"
        " s.SECRET_KEY_FALLBACKS, s.SHOP_EMAIL_HASH_KEY, sorted(s.SHOP_JWT_KEYS),"
        " s.DATABASES['default']['HOST'], s.REDIS_URL, s.CELERY_BROKER_URL,"
        " s.EMAIL_HOST_PASSWORD]))"
    )

    read = subprocess.run(
        [sys.executable, "-c", told],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert json.loads(read.stdout) == [
        SAFE["SECRET_KEY"],
        [secret["SECRET_KEY_FALLBACKS"]],
        SAFE["SHOP_EMAIL_HASH_KEY"],
        ["2026-11", "next"],
        "db.invalid",
        "redis://redis.invalid/0",
        "amqp://broker.invalid//",
        "from-a-file",
    ]


def test_what_is_set_itself_counts_before_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file")
    given = {"SECRET_KEY": "itself", "SECRET_KEY_FILE": str(tmp_path / "key"), "EMPTY_FILE": "/x"}

    assert with_secret_files(given)["SECRET_KEY"] == "itself"
    assert with_secret_files({"PORT_FILE": "/nowhere"}) == {"PORT_FILE": "/nowhere"}


def test_a_file_that_is_not_there_stops_the_start() -> None:
    started = _start({**SAFE, "SECRET_KEY": "", "SECRET_KEY_FILE": "/nowhere/secret"})

    assert started.returncode != 0
    assert "/nowhere/secret" in started.stderr


def test_nothing_is_assumed_to_be_local() -> None:
    environment = {name: SAFE[name] for name in ("PATH",)}

    started = _start(environment)

    assert started.returncode != 0
    assert "must be set" in started.stderr


def test_nothing_that_is_stored_or_sent_can_be_made_to_run() -> None:
    # pickle would run what it reads: whoever can write to a broker or cache would own the shop.
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    assert settings.CELERY_TASK_SERIALIZER == "json"
    assert settings.CELERY_RESULT_BACKEND is None
    assert settings.SESSION_SERIALIZER.endswith("JSONSerializer")
    for cache in settings.CACHES.values():
        options: Any = cache["OPTIONS"]
        assert options["SERIALIZER"] == "django_redis.serializers.json.JSONSerializer"
    apps = ("shop", "accounts", "catalog", "inventory", "cart", "orders")
    unsafe = re.compile(
        r"^\s*(?:import|from) (?:pickle|marshal|shelve|dill)\b|yaml\.load\(|\beval\(|\bexec\(",
        re.MULTILINE,
    )
    assert [
        str(path.relative_to(ROOT))
        for app in apps
        for path in (ROOT / app).rglob("*.py")
        if unsafe.search(path.read_text(encoding="utf-8"))
    ] == []
