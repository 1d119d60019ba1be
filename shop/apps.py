from django.apps import AppConfig

from shop.celery import app as celery_app  # noqa: F401 — makes it Celery's current app


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = "Platform"
