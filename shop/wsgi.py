"""What gunicorn serves: `gunicorn shop.wsgi`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup(set_prefix=False)

# What follows reads Django's settings, which are there from here on.
from django.conf import settings  # noqa: E402
from django.core.cache import close_caches  # noqa: E402
from django.core.handlers.base import reset_urlconf  # noqa: E402
from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import close_old_connections, reset_queries  # noqa: E402

from shop.http.request import ShopHandler  # noqa: E402

# Django's own listeners, of which a cached read would notice the time and nothing else: our caches
# keep their connections, there is one URLconf, what is closed after each request is closed before
# the next, and queries are kept for debugging only.
request_finished.disconnect(close_caches)
request_finished.disconnect(reset_urlconf)
request_started.disconnect(close_old_connections)
if not settings.DEBUG:
    request_started.disconnect(reset_queries)

application = ShopHandler()
