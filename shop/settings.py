"""Settings, all from the environment (`.env.example` lists them). Unsafe production stops here.

`SHOP_ENV` says where we are: `production` (the default: nothing is assumed to be safe), `local`
(what `manage.py up` sets: secrets made once and kept under `SHOP_HOME`) or `test`.
"""

import os
import re
import sys
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured

from shop.db.timeouts import SESSION, TIMEOUTS
from shop.http.rate_limit.rates import Rate, read_rate
from shop.jwt_keys import faults_of
from shop.local_secrets import local_secrets
from shop.secret_files import with_secret_files

BASE_DIR = Path(__file__).resolve().parent.parent

# Lets annotations such as ModelForm[Product] be evaluated.
django_stubs_ext.monkeypatch()

env = environ.Env()
env.ENVIRON = with_secret_files(os.environ)  # type: ignore[assignment]  # read, never written

SHOP_ENV = env.str("SHOP_ENV", default="production")
if SHOP_ENV not in {"production", "local", "test"}:
    raise ImproperlyConfigured("SHOP_ENV must be production, local or test.")
IS_PRODUCTION = SHOP_ENV == "production"
IS_TEST = SHOP_ENV == "test"

SHOP_HOME = Path(env.str("SHOP_HOME", default=str(BASE_DIR / ".local"))).resolve()
PORT = env.int("PORT", default=8000)

DEBUG = env.bool("DEBUG", default=False)

# Secrets ---------------------------------------------------------------------------------------
_secrets = {} if IS_PRODUCTION else local_secrets(None if IS_TEST else SHOP_HOME)


def _secret(name: str) -> str:
    value = str(env.str(name, default=_secrets.get(name, "")))
    if not value:
        raise ImproperlyConfigured(f"{name} (or {name}_FILE) must be set.")
    return value


SECRET_KEY = _secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
SHOP_EMAIL_HASH_KEY = _secret("SHOP_EMAIL_HASH_KEY")
# The newest writes, all are read: see "Change the key of e-mail hashes" in the runbook.
SHOP_EMAIL_HASH_KEYS: list[str] = [
    SHOP_EMAIL_HASH_KEY,
    *env.list("SHOP_EMAIL_HASH_KEY_FALLBACKS", default=[]),
]
# What contents are compared by: apart, so that it stays when the key of addresses changes.
SHOP_DIGEST_KEY = env.str("SHOP_DIGEST_KEY", default="") or SHOP_EMAIL_HASH_KEYS[-1]
# Private keys that access tokens are signed with and public keys they are checked with, PEM by
# `kid`; `SHOP_JWT_SIGNING_KID` names the one that signs.
SHOP_JWT_SIGNING_KID = env.str(
    "SHOP_JWT_SIGNING_KID", default=_secrets.get("SHOP_JWT_SIGNING_KID", "")
)
SHOP_JWT_KEYS: dict[str, str] = env.json("SHOP_JWT_KEYS", default=None) or {
    SHOP_JWT_SIGNING_KID: _secret("SHOP_JWT_PRIVATE_KEY")
}
SHOP_JWT_ISSUER = env.str("SHOP_JWT_ISSUER", default="shop")
SHOP_JWT_AUDIENCE = env.str("SHOP_JWT_AUDIENCE", default="shop-api")

# Where we are reached ----------------------------------------------------------------------------
SHOP_PUBLIC_URL = env.str(
    "SHOP_PUBLIC_URL", default="" if IS_PRODUCTION else f"http://127.0.0.1:{PORT}"
).rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
if not IS_PRODUCTION:
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, "127.0.0.1", "localhost", "[::1]", "testserver"]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Cart-Token",
    "X-Request-ID",
]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "x-cart-token",
    "x-order-token",
    "x-request-id",
    "x-sale-ticket",
]

# The house -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # without a site of its own: the next one names ours
    "unfold.contrib.filters",
    "shop.staff.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "csp",
    "django_filters",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pghistory",
    "pgtrigger",
    "rest_framework",
    "tree_queries",
    "shop",
    "accounts",
    "catalog",
    "inventory",
    "cart",
    "orders",
]

# What these say of an answer depends on nothing but the scheme and the origin of the request, and
# so an answer at hand is given without running them: their headers are remembered.
SHOP_HEADER_LAYERS = [
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "shop.http.csp_middleware.PolicyMiddleware",  # outside of the admin's, which loosens it
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MIDDLEWARE = [
    "shop.http.middleware.RequestMiddleware",
    "shop.http.at_hand.AnswerAtHandMiddleware",
    SHOP_HEADER_LAYERS[0],
    # Says nothing of the API, and looks through all files when it is made: once is enough.
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *SHOP_HEADER_LAYERS[1:],
    # Sessions, log-in and messages serve the admin alone: API requests do not pay for them.
    "shop.staff.gate.AdminGateMiddleware",
    "shop.http.admin_middleware.AdminSessionMiddleware",
    "shop.http.admin_middleware.AdminCardNumbersMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "shop.http.admin_middleware.AdminAuthenticationMiddleware",
    "shop.http.admin_middleware.AdminMessageMiddleware",
]

ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database --------------------------------------------------------------------------------------
# Which process this is decides on pool and timeouts: web (gunicorn), worker (Celery, relay),
# migrator (the release's migrations), readonly (reports) or command (anything else).
SHOP_PROCESS = env.str("SHOP_PROCESS", default="command")
_session = {
    **TIMEOUTS.get(SHOP_PROCESS, TIMEOUTS["command"]).settings(
        # Told by whoever knows it, as a server refuses a setting that it has not heard of.
        server_version=env.int("DATABASE_SERVER_VERSION", default=0) or None
    ),
    **SESSION,
}
# The roles of the database have them (`manage.py database_roles`): a pooler passes none on.
if env.bool("DATABASE_TIMEOUTS_BY_ROLE", default=False):
    _session = {}

_NO_DATABASE_NEEDED = {"spectacular", "check", "makemigrations", "collectstatic", "lintmigrations"}
_database_url = env.str("DATABASE_URL", default="")
if not _database_url:
    if IS_PRODUCTION and not _NO_DATABASE_NEEDED & set(sys.argv):
        raise ImproperlyConfigured("DATABASE_URL must be set.")
    _database_url = "postgresql://shop@127.0.0.1:1/shop"
DATABASES = {"default": env.db_url_config(_database_url)}
DATABASES["default"].update(
    ENGINE="django.db.backends.postgresql",
    CONN_MAX_AGE=0 if SHOP_PROCESS == "web" else 60,
    CONN_HEALTH_CHECKS=SHOP_PROCESS != "web",
    ATOMIC_REQUESTS=False,
)
DATABASES["default"].setdefault("OPTIONS", {}).update(
    connect_timeout=2,
    # Parameters travel apart from the statement, and what comes often is planned once. Behind a
    # pooler that hands connections around between statements, switch it off.
    server_side_binding=env.bool("DATABASE_PREPARED_STATEMENTS", default=True),
    prepare_threshold=5 if env.bool("DATABASE_PREPARED_STATEMENTS", default=True) else None,
    application_name=f"shop-{SHOP_PROCESS}",
    # A server that vanished without a word is noticed in seconds, not in the system's hours.
    keepalives_idle=10,
    keepalives_interval=3,
    keepalives_count=3,
    tcp_user_timeout=10_000,  # milliseconds
    options=" ".join(f"-c {name}={value}" for name, value in _session.items()),
)
DATABASE_POOL = {
    "min_size": 1,
    "max_size": env.int("DATABASE_POOL_SIZE", default=4),
    "timeout": 1.0,  # seconds a request waits for a connection before it is told 503
    "max_idle": 300,
    # Not the default of five minutes, in which the pauses between attempts double: after these
    # seconds the pool waits for the next request and tries again then, so that the shop is back
    # as soon as the database is, however long it was away.
    "reconnect_timeout": 2.0,
}
if SHOP_PROCESS == "web" and DATABASE_POOL["max_size"]:
    DATABASES["default"]["OPTIONS"]["pool"] = DATABASE_POOL

# Redis, three roles -----------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:1/0")
REDIS_CARTS_URL = env.str("REDIS_CARTS_URL", default=REDIS_URL)  # the only copy: must not evict
REDIS_CACHE_URL = env.str("REDIS_CACHE_URL", default=REDIS_URL)  # copies: may evict
REDIS_LIMITER_URL = env.str("REDIS_LIMITER_URL", default=REDIS_URL)
# Roles whose address is of a Redis Cluster, or `all`; its URL may name several nodes, with commas.
REDIS_CLUSTER = env.list("REDIS_CLUSTER", default=[])
_redis_roles = {"carts": REDIS_CARTS_URL, "cache": REDIS_CACHE_URL, "limiter": REDIS_LIMITER_URL}
if REDIS_CLUSTER == ["all"]:
    REDIS_CLUSTER = list(_redis_roles)
if _unknown := set(REDIS_CLUSTER) - set(_redis_roles):
    raise ImproperlyConfigured(
        f"REDIS_CLUSTER: all, or some of {', '.join(_redis_roles)}; not {', '.join(_unknown)}."
    )
for _role in REDIS_CLUSTER:
    if urlsplit(_redis_roles[_role].partition(",")[0]).path.strip("/") not in {"", "0"}:
        raise ImproperlyConfigured(f"REDIS_CLUSTER: a Cluster has database 0 alone ({_role}).")


def _cache(role: str, prefix: str, timeout_seconds: float) -> dict[str, object]:
    if role in REDIS_CLUSTER:
        return {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": [_redis_roles[role]],  # nodes of one Cluster, and not a primary and copies
            "KEY_PREFIX": prefix,
            "OPTIONS": {
                "CONNECTION_FACTORY": "shop.cache.cluster.ClusterConnectionFactory",
                "CLIENT_CLASS": "shop.cache.cluster.ClusterClient",
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
                "SOCKET_CONNECT_TIMEOUT": timeout_seconds,
                "SOCKET_TIMEOUT": timeout_seconds,
            },
        }
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": _redis_roles[role],
        "KEY_PREFIX": prefix,
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": timeout_seconds,
            "SOCKET_TIMEOUT": timeout_seconds,
        },
    }


# 50 ms where a miss or a guess will do, 200 ms where there is no other copy (redis-py's own default
# is 5 s). A test machine is shared and may pause for longer than that.
_patience = 10.0 if IS_TEST else 1.0
# So many threads of a process read the database for the cache at once while Redis is away.
SHOP_UNCACHED_READS = env.int("SHOP_UNCACHED_READS", default=2)
REDIS_TIMEOUT_SECONDS = {
    "carts": 0.2 * _patience,
    "default": 0.05 * _patience,
    "limiter": _patience if IS_TEST else 0.05,  # its tests count exactly, and a fallback would not
}
CACHES = {
    "default": _cache("cache", "shop", REDIS_TIMEOUT_SECONDS["default"]),
    "carts": _cache("carts", "carts", REDIS_TIMEOUT_SECONDS["carts"]),
    "limiter": _cache("limiter", "limiter", REDIS_TIMEOUT_SECONDS["limiter"]),
}

# Background work -------------------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or REDIS_CARTS_URL
if "carts" in REDIS_CLUSTER and CELERY_BROKER_URL == REDIS_CARTS_URL:
    raise ImproperlyConfigured("CELERY_BROKER_URL must be set: Celery cannot use a Redis Cluster.")
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 25
CELERY_TASK_TIME_LIMIT = 30
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5 if SHOP_ENV == "local" else 25
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 300_000  # KiB
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
if CELERY_BROKER_URL.startswith("amqp"):
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {"confirm_publish": True}
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    CELERY_TASK_DEFAULT_EXCHANGE_TYPE = "topic"
    CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum"  # all but the default one are "missing"
    CELERY_TASK_CREATE_MISSING_QUEUE_EXCHANGE_TYPE = "topic"
    CELERY_WORKER_DETECT_QUORUM_QUEUES = True
    CELERY_CONTROL_QUEUE_EXCLUSIVE = True
    CELERY_EVENT_QUEUE_EXCLUSIVE = True
else:
    # A task is given out again if it was not acknowledged in this time: longer than its limit.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 120,
        "socket_timeout": 30,
        "socket_connect_timeout": 2,
        "global_keyprefix": env.str("SHOP_BROKER_PREFIX", default="shop:"),
    }
# The first pattern that fits counts. Mails have a queue of their own: an import drops thousands of
# cached copies, and nobody's confirmation should stand behind them.
CELERY_TASK_ROUTES = {
    "orders.run_*": {"queue": "bulk"},
    "inventory.run_*": {"queue": "bulk"},
    "*.send_*": {"queue": "mail"},
    # Seconds at a time: nothing that a shopper waits for should stand behind one.
    "*.reconcile*": {"queue": "default"},
    "orders.count_sales": {"queue": "bulk"},
    "orders.*": {"queue": "critical"},
    "inventory.*": {"queue": "critical"},
    "shop.*": {"queue": "default"},
    "catalog.relist_type": {"queue": "bulk"},
    # After an import there are hundreds, and the next import should not wait for them.
    "catalog.render_*": {"queue": "pictures"},
    "catalog.*": {"queue": "default"},
    "accounts.*": {"queue": "default"},
}
# `expires`: what beat asked for while the workers were away is not done many times over.
CELERY_BEAT_SCHEDULE = {
    "orders.sweep_payments": {
        "task": "orders.sweep_payments",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "orders.expire_holds": {
        "task": "orders.expire_holds",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "orders.resume_checkouts": {
        "task": "orders.resume_checkouts",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "inventory.reconcile": {
        "task": "inventory.reconcile",
        "schedule": 300.0,
        "options": {"expires": 240},
    },
    "inventory.reconcile_catalogue": {
        "task": "inventory.reconcile_catalogue",
        "schedule": 300.0,
        "options": {"expires": 240},
    },
    "orders.reconcile_orders": {
        "task": "orders.reconcile_orders",
        "schedule": 300.0,
        "options": {"expires": 240},
    },
    "orders.reconcile_payments": {
        "task": "orders.reconcile_payments",
        "schedule": 300.0,
        "options": {"expires": 240},
    },
    "catalog.render_waiting": {
        "task": "catalog.render_waiting",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "orders.count_sales": {
        "task": "orders.count_sales",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "catalog.refresh_due": {
        "task": "catalog.refresh_due",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "accounts.prune_sessions": {
        "task": "accounts.prune_sessions",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "orders.sweep_erasures": {
        "task": "orders.sweep_erasures",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "orders.purge_retained_invoice_data": {
        "task": "orders.purge_retained_invoice_data",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "shop.sweep_jobs": {"task": "shop.sweep_jobs", "schedule": 30.0, "options": {"expires": 30}},
    "shop.prune": {"task": "shop.prune", "schedule": 3600.0, "options": {"expires": 3600}},
}

# Mail, media, static -----------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Shop <orders@shop.invalid>")
if env.str("EMAIL_URL", default=""):
    vars().update(env.email("EMAIL_URL"))
elif SHOP_ENV == "local":
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(SHOP_HOME / "mail")
EMAIL_TIMEOUT = 10

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
MEDIA_URL = "/media/"
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(SHOP_HOME / "media"))
# Without `collectstatic` files are found where the packages keep them: nothing to build locally.
# A test makes many a client, and each would look for them all anew.
WHITENOISE_USE_FINDERS = SHOP_ENV == "local"
WHITENOISE_AUTOREFRESH = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # What no web server shows: uploads and results of jobs. Web and workers share it.
    "private": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": env.str("SHOP_PRIVATE_ROOT", default=str(SHOP_HOME / "private")),
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000  # admin forms with many inlines
FILE_UPLOAD_PERMISSIONS = 0o644
SHOP_MAX_BODY_BYTES = 1024 * 1024  # JSON; uploads have the next one
SHOP_MAX_UPLOAD_BYTES = 64 * 1024 * 1024
SHOP_JOB_KEEP_DAYS = env.int("SHOP_JOB_KEEP_DAYS", default=14)  # ended jobs, with their files
# Who changed what: kept so long, and at least 90 days, below which the database deletes nothing.
SHOP_AUDIT_KEEP_DAYS = env.int("SHOP_AUDIT_KEEP_DAYS", default=730)
if SHOP_AUDIT_KEEP_DAYS < 91:
    raise ImproperlyConfigured("SHOP_AUDIT_KEEP_DAYS must be 91 or more.")
# What invoices say is kept so long after the year of the sale, also when its buyer is erased.
SHOP_INVOICE_KEEP_YEARS = env.int("SHOP_INVOICE_KEEP_YEARS", default=10)

# Accounts --------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "accounts.authentication.ModestArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if IS_TEST:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *PASSWORD_HASHERS]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "full_name")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 8},
    },
    # Django's own list, and those of ours that leaked: accounts/data/README.md.
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.CommonPasswordValidator",
        "OPTIONS": {
            "password_list_path": BASE_DIR / "accounts" / "data" / "leaked-passwords.txt.gz"
        },
    },
]
# Where staff work: below which path, on which hosts (any), and from which networks (anywhere).
# Others are told that there is nothing. Production wants path and networks named.
_admin = env.str("SHOP_ADMIN_PATH", default="").strip("/") or "admin"
if not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", _admin) or _admin.split("/")[0] == "api":
    raise ImproperlyConfigured("SHOP_ADMIN_PATH: letters, digits, - and _, and not below api.")
SHOP_ADMIN_PATH = f"/{_admin}/"
SHOP_ADMIN_HOSTS = env.list("SHOP_ADMIN_HOSTS", default=[])
SHOP_ADMIN_NETWORKS = env.list("SHOP_ADMIN_NETWORKS", default=[])
SHOP_ADMIN_OPEN = env.bool("SHOP_ADMIN_OPEN", default=not IS_PRODUCTION)
ALLOWED_HOSTS = [*ALLOWED_HOSTS, *SHOP_ADMIN_HOSTS]
LOGIN_URL = f"{SHOP_ADMIN_PATH}login/"
LOGIN_REDIRECT_URL = SHOP_ADMIN_PATH
# Whether staff must show a second factor: else the admin is shut, and a token of theirs opens what
# a customer's does. Production does not start without it.
SHOP_STAFF_TOTP = env.bool("SHOP_STAFF_TOTP", default=IS_PRODUCTION)
# What the site of staff, which is on the ground floor, takes from accounts.
SHOP_STAFF_LOGIN_FORM = "accounts.admin.log_in.StaffLoginForm"
SHOP_STAFF_SECOND_STEP = "accounts.admin.log_in.second_step"
OTP_TOTP_ISSUER = env.str("SHOP_NAME", default="shop")
OTP_TOTP_SYNC = False  # a clock that wanders is mended, not followed
RATELIMIT_USE_CACHE = "limiter"
RATELIMIT_IP_META_KEY = "shop.http.client_address.client_address"
SILENCED_SYSTEM_CHECKS = [
    # django-ratelimit knows Django's own Redis backend and not django-redis, which it also runs on.
    "django_ratelimit.E003",
    "django_ratelimit.W001",
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# Security --------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_SAVE_EVERY_REQUEST = False
SHOP_STAFF_IDLE_SECONDS = env.int("SHOP_STAFF_IDLE_SECONDS", default=1800)
# The admin alone has sessions and forms: no other path is sent their cookies.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = SHOP_ADMIN_PATH
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if IS_PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    # By these names a browser takes them from https alone.
    SESSION_COOKIE_NAME = "__Secure-staff"
    CSRF_COOKIE_NAME = "__Secure-csrf"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "https:"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
}

# REST ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["shop.http.json.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["shop.http.json.JsonParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.AccessTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["shop.http.permissions.Nobody"],
    "DEFAULT_SCHEMA_CLASS": "shop.http.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": None,
    "EXCEPTION_HANDLER": "shop.problems.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
    "FORMAT_SUFFIX_KWARG": None,
    "DATETIME_FORMAT": None,  # the renderer writes times
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "shop",
    "DESCRIPTION": "The shop's API. Conventions and problem types: docs/api-guidelines.md.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["shop.http.permissions.Public"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": True,
    "ENUM_NAME_OVERRIDES": {
        "OutcomeEnum": ["succeed", "fail"],
        "StockRowOutcomeEnum": ["updated", "unchanged", "failed"],
        "ProductStatusEnum": ["draft", "active", "archived"],
        "CollectionKindEnum": ["hand", "rule"],
        "ReviewStatusEnum": ["pending", "approved", "rejected"],
        "RowOutcomeEnum": ["created", "updated", "unchanged", "failed"],
        "StateEnum": ["in_stock", "low_stock", "out_of_stock", "backorder"],
        "JobStateEnum": "shop.jobs.serializers.JOB_STATES",
        "ImportFormatEnum": "shop.jobs.serializers.IMPORT_FORMATS",
        "FindingStateEnum": "inventory.models.ReconciliationFinding.State",
        "TransferStateEnum": "inventory.models.StockTransfer.State",
        "OrderStatusEnum": "orders.serializers.ORDER_STATUSES",
        "PaymentAttemptStatusEnum": "orders.serializers.PAYMENT_WORDS",
        "RefundStatusEnum": "orders.serializers.REFUND_STATUSES",
        "ReturnStatusEnum": "orders.serializers.RETURN_STATUSES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "shop.http.schema.document_conventions",
    ],
}

# The shop --------------------------------------------------------------------------------------
SHOP_CURRENCY = env.str("SHOP_CURRENCY", default="GBP")
SHOP_CURRENCIES = env.list("SHOP_CURRENCIES", default=["GBP", "EUR"])
SHOP_COUNTRY = env.str("SHOP_COUNTRY", default="GB")
_SEARCH_LANGUAGES = (  # those that every PostgreSQL has
    "simple",
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
)
# Whose word forms search knows: a text search configuration of PostgreSQL. After a change:
# `manage.py rebuild_listing`.
SHOP_SEARCH_LANGUAGE = env.str("SHOP_SEARCH_LANGUAGE", default="english")
if SHOP_SEARCH_LANGUAGE not in _SEARCH_LANGUAGES:
    raise ImproperlyConfigured(f"SHOP_SEARCH_LANGUAGE: one of {', '.join(_SEARCH_LANGUAGES)}.")
SHOP_HOLD_SECONDS = env.int("SHOP_HOLD_SECONDS", default=900)
# A payer who must act (3-D Secure) gets so much time from then on, once; but no hold is ever longer
# than the other, from the moment the order was placed.
SHOP_ACTION_HOLD_SECONDS = env.int("SHOP_ACTION_HOLD_SECONDS", default=1200)
SHOP_LONGEST_HOLD_SECONDS = env.int("SHOP_LONGEST_HOLD_SECONDS", default=3600)
# Who is told that stock is running low; nobody named: staff who may change stock.
SHOP_STOCK_ALERT_EMAILS = env.list("SHOP_STOCK_ALERT_EMAILS", default=[])
SHOP_SANDBOX_PAYMENTS = env.bool("SHOP_SANDBOX_PAYMENTS", default=not IS_PRODUCTION or DEBUG)
SHOP_SERVER_TIMING = env.bool("SHOP_SERVER_TIMING", default=False)
SHOP_IDEMPOTENCY_SECONDS = 72 * 3600
SHOP_TRUSTED_PROXIES = env.list("SHOP_TRUSTED_PROXIES", default=[])
# What /metrics reads from the database: selectors that return families of metrics.
SHOP_DATABASE_METRICS = ["inventory.selectors.reconciliation_metrics"]
# Lets tests have the shop's processes fail at a chosen line: see `shop.faults`.
SHOP_FAULTS = env.bool("SHOP_FAULTS", default=False)
_rate_limit = env.str("SHOP_RATE_LIMIT", default="") or "100/m"
try:
    for _proxy in [*SHOP_TRUSTED_PROXIES, *SHOP_ADMIN_NETWORKS]:
        ip_network(_proxy, strict=False)
    # None where it is off, which production refuses.
    SHOP_RATE_LIMIT: Rate | None = None if _rate_limit == "off" else read_rate(_rate_limit)
except ValueError as error:
    raise ImproperlyConfigured(
        f"SHOP_TRUSTED_PROXIES, SHOP_ADMIN_NETWORKS or SHOP_RATE_LIMIT: {error}."
    ) from None
# Who shares the limit while each process counts alone (deploy/gunicorn.conf.py starts as many).
SHOP_WEB_WORKERS = int(env.str("SHOP_WEB_WORKERS", default="") or 2)
# Tells the limiter who is signed in.
SHOP_VERIFIED_USER = "accounts.authentication.verified_user"
# Whom to tell of a hole, as `mailto:` or `https:` addresses: /.well-known/security.txt (RFC 9116).
SHOP_SECURITY_CONTACTS = env.list(
    "SHOP_SECURITY_CONTACTS", default=[] if IS_PRODUCTION else ["mailto:security@shop.example"]
)
SHOP_SECURITY_POLICY = env.str("SHOP_SECURITY_POLICY", default="")
SHOP_METRICS_PUBLIC = env.bool("SHOP_METRICS_PUBLIC", default=not IS_PRODUCTION)

DJANGO_STRUCTLOG_CELERY_ENABLED = True

UNFOLD = {
    "SITE_TITLE": "shop",
    "SITE_HEADER": "shop",
    "SITE_URL": "/api/docs",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True, "show_all_applications": True},
}

# Logs ------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "shop.observe.logs.json_formatter"},
        "plain": {"()": "shop.observe.logs.console_formatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if IS_PRODUCTION else "plain",
        },
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Each refusal is one line of ours already.
        "django.request": {"level": "CRITICAL"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "celery.worker.strategy": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}

# Refuse to start unsafe ------------------------------------------------------------------------
if IS_PRODUCTION:
    _wrong = []
    if DEBUG:
        _wrong.append("DEBUG must be off")
    if SHOP_FAULTS:
        _wrong.append("SHOP_FAULTS must be off")
    for _name, _keys in {
        "SECRET_KEY": [SECRET_KEY],
        "SECRET_KEY_FALLBACKS": SECRET_KEY_FALLBACKS,
    }.items():
        if any(
            len(key) < 50 or len(set(key)) < 5 or key.startswith("django-insecure") for key in _keys
        ):
            _wrong.append(f"{_name} must be long and random (50 characters or more)")
    for _name, _keys in {
        "SHOP_EMAIL_HASH_KEY": [SHOP_EMAIL_HASH_KEY],
        "SHOP_EMAIL_HASH_KEY_FALLBACKS": SHOP_EMAIL_HASH_KEYS[1:],
        "SHOP_DIGEST_KEY": [SHOP_DIGEST_KEY],
    }.items():
        if any(len(key) < 32 or len(set(key)) < 5 for key in _keys):
            _wrong.append(f"{_name} must be long and random (32 characters or more)")
        if SECRET_KEY in _keys:
            _wrong.append(f"{_name} must not be SECRET_KEY")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        _wrong.append("ALLOWED_HOSTS must name this shop's hosts, without *")
    if not SHOP_PUBLIC_URL.startswith("https://"):
        _wrong.append("SHOP_PUBLIC_URL must be an https:// address")
    for _name, _origins in {
        "CORS_ALLOWED_ORIGINS": CORS_ALLOWED_ORIGINS,
        "CSRF_TRUSTED_ORIGINS": CSRF_TRUSTED_ORIGINS,
    }.items():
        if any("*" in origin or not origin.startswith("https://") for origin in _origins):
            _wrong.append(f"{_name} must name https:// origins, without *")
    if any(ip_network(proxy, strict=False).prefixlen == 0 for proxy in SHOP_TRUSTED_PROXIES):
        _wrong.append("SHOP_TRUSTED_PROXIES must not be everybody")
    if SECURE_HSTS_SECONDS < 3600:
        _wrong.append("SECURE_HSTS_SECONDS must be 3600 or more")
    _wrong += faults_of(SHOP_JWT_KEYS, signing_kid=SHOP_JWT_SIGNING_KID)
    if SHOP_RATE_LIMIT is None:
        _wrong.append("SHOP_RATE_LIMIT must not be off")
    if not SHOP_ADMIN_OPEN:
        if _admin == "admin":
            _wrong.append("SHOP_ADMIN_PATH must be a path of your own, or SHOP_ADMIN_OPEN=1")
        if not SHOP_ADMIN_NETWORKS:
            _wrong.append("SHOP_ADMIN_NETWORKS must name networks, or SHOP_ADMIN_OPEN=1")
    if not SHOP_STAFF_TOTP:
        _wrong.append("SHOP_STAFF_TOTP must not be off")
    if not env.str("REDIS_URL", default=""):
        _wrong.append("REDIS_URL must be set")
    if not CELERY_BROKER_URL.startswith(("amqp", "redis")) or not env.str(
        "CELERY_BROKER_URL", default=""
    ):
        _wrong.append("CELERY_BROKER_URL must be set")
    if _wrong:
        raise ImproperlyConfigured("Unsafe for production: " + "; ".join(_wrong) + ".")
