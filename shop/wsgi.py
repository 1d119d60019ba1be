"""What gunicorn serves: `gunicorn shop.wsgi`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup(set_prefix=False)

# What follows reads Django's settings, which are there from here on.
from django.conf import settings  # noqa: E402
from django.core.cache import close_caches  # noqa: E402
from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import reset_queries  # noqa: E402

from shop.http.request import ShopHandler  # noqa: E402

# Two of Django's own listeners, of which a cached read would notice the time and nothing else: our
# caches keep their connections, and queries are kept for debugging only.
request_finished.disconnect(close_caches)
if not settings.DEBUG:
    request_started.disconnect(reset_queries)

application = ShopHandler()
