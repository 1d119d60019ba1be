"""The bare view once more, with nothing but the limiter's one trip: the most that a trip leaves."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from shop.http.rate_limit.rates import Rate  # noqa: E402
from shop.http.rate_limit.windows import take_shared  # noqa: E402

BODY = b'{"status":"ok"}'
LIMIT = Rate(1_000_000, 60)


def limited(request: HttpRequest) -> HttpResponse:
    take_shared("rl:3:{bench}", LIMIT)
    length = {"Content-Length": str(len(BODY))}
    return HttpResponse(BODY, content_type="application/json", headers=length)


urlpatterns = [path("constant", limited)]
settings.MIDDLEWARE, settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = [], __name__, ["*"]
application = WSGIHandler()
