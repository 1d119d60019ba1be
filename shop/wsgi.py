"""What gunicorn serves: `gunicorn shop.wsgi`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup(set_prefix=False)

# Its requests read Django's settings, which are there from here on.
from shop.http.request import ShopHandler  # noqa: E402

application = ShopHandler()
