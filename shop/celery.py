"""The Celery application. Tasks live in each app's `tasks` module and are called by name."""

import os

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Celery would otherwise replace the root handlers; Django's LOGGING is the one we want."""
    settings.LOGGING  # noqa: B018 — touching the settings configures them once
