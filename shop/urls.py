"""Every address of the shop. Apps are named as strings: the ground imports none of them."""

from datetime import timedelta

from csp.decorators import csp_replace, csp_update
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.generic import RedirectView
from django.views.static import serve

from shop import problems
from shop.errors import NotFound
from shop.http.json import dumps
from shop.http.methods import read_only
from shop.http.schema_view import RedocView, SchemaView, SwaggerView
from shop.observe import probes


@read_only
def problem_types(request: HttpRequest, code: str | None = None) -> HttpResponse:
    """List the problem types, or describe one: where a problem's `type` leads."""
    found = problems.catalogue()
    if code is not None:
        found = [problem for problem in found if problem["code"] == code]
        if not found:
            raise NotFound("There is no problem of this code.")
    body = dumps({"results": found} if code is None else found[0])
    response = HttpResponse(body, content_type="application/json")
    response["Cache-Control"] = "public, max-age=3600"
    return response


@read_only
def security_txt(request: HttpRequest) -> HttpResponse:
    """Tell whom to write to about a hole (RFC 9116); nothing, where nobody is named."""
    if not settings.SHOP_SECURITY_CONTACTS:
        raise NotFound("Nobody is named here to write to.")
    lines = [f"Contact: {one}" for one in settings.SHOP_SECURITY_CONTACTS]
    # It may be believed for so long; the text is as fresh as the shop's settings are.
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    lines += [
        f"Expires: {(midnight + timedelta(days=90)).strftime('%Y-%m-%dT%H:%M:%SZ')}",
        "Preferred-Languages: en",
        f"Canonical: {settings.SHOP_PUBLIC_URL}/.well-known/security.txt",
    ]
    if settings.SHOP_SECURITY_POLICY:
        lines.append(f"Policy: {settings.SHOP_SECURITY_POLICY}")
    response = HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "public, max-age=86400"
    return response


# Redoc searches in a worker that it makes from a blob, and shows its maker's logo from a CDN: the
# first is let in here alone, the second is not.
redoc = csp_update({"worker-src": ["'self'", "blob:"]})(
    csp_replace({"img-src": ["'self'", "data:"]})(
        RedocView.as_view(url_name="schema", template_name="shop/redoc.html")
    )
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", read_only(RedirectView.as_view(url="/api/docs")), name="home"),
    path("api/v1/", include("accounts.urls")),
    path("api/v1/", include("catalog.urls")),
    path("api/v1/", include("cart.urls")),
    path("api/v1/", include("inventory.urls")),
    path("api/v1/", include("orders.urls")),
    path("api/v1/", include("shop.jobs.urls")),
    path(".well-known/", include(import_string("accounts.urls.well_known"))),
    path(".well-known/security.txt", security_txt),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", SwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/redoc", redoc, name="redoc"),
    path("problems", problem_types),
    path("problems/<slug:code>", problem_types),
    path("livez", probes.livez),
    path("readyz", probes.readyz),
    path("metrics", probes.metrics),
    path(settings.SHOP_ADMIN_PATH.removeprefix("/"), admin.site.urls),
]

if not settings.IS_PRODUCTION:  # in production the web server or blob store does it
    urlpatterns += [
        re_path(r"^media/(?P<path>.*)$", read_only(serve), {"document_root": settings.MEDIA_ROOT}),
    ]

handler400 = "shop.problems.bad_request"
handler403 = "shop.problems.forbidden"
handler404 = "shop.problems.not_found"
handler500 = "shop.problems.server_error"
