"""A constant Django view and nothing else: the limit that reads are measured against."""

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of no use", MIDDLEWARE=[]
)


BODY = b'{"status":"ok"}'


def constant(request: HttpRequest) -> HttpResponse:
    length = {"Content-Length": str(len(BODY))}  # which a middleware of Django's would write
    return HttpResponse(BODY, content_type="application/json", headers=length)


urlpatterns = [path("constant", constant)]
application = WSGIHandler()
