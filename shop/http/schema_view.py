"""The OpenAPI document, as JSON or YAML, and the pages that show it."""

from typing import Any

from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.errors import FieldError, Malformed
from shop.http.json import JsonRenderer

_BY_NAME = {one.format: one for one in (OpenApiJsonRenderer, OpenApiYamlRenderer)}


class _RefusesInJson(APIView):
    """A view whose problems are JSON, whatever its answers would have been."""

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(exc)
        self.request.accepted_renderer = JsonRenderer()
        self.request.accepted_media_type = JsonRenderer.media_type
        return response


class SwaggerView(_RefusesInJson, SpectacularSwaggerSplitView):
    """Swagger UI."""


class RedocView(_RefusesInJson, SpectacularRedocView):
    """Redoc."""


class SchemaView(_RefusesInJson, SpectacularAPIView):
    """Answers in what `Accept` asks for, or in what `?format=` does: json or yaml."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise Malformed where the address asks for another format."""
        super().initial(request, *args, **kwargs)
        if request.GET.get("format", "json") not in _BY_NAME:
            raise Malformed(errors=[FieldError("/format", "invalid", "json or yaml.")])

    def get_renderers(self) -> list[BaseRenderer]:
        """Return who may answer; only one, where the address says which."""
        if named := _BY_NAME.get(self.request.GET.get("format", "")):
            return [named()]
        renderers: list[BaseRenderer] = super().get_renderers()
        return renderers
