import atexit
import gc

from django.apps import AppConfig

from shop.celery import app as celery_app  # noqa: F401 — makes it Celery's current app


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = "Platform"

    def ready(self) -> None:
        # Python ends a process by collecting all of its objects once more, and of so many that
        # takes most of a second of processor time, in each web process, worker and command.
        atexit.register(gc.freeze)
