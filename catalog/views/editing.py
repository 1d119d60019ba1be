"""What the views of staff share: who may do what, and which version was seen."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.errors import ProductNotFound
from catalog.models import Product
from catalog.selectors import edited_product
from shop.http.conditional import etag_for_version, if_match_of
from shop.http.permissions import Nobody, Public
from shop.http.views import ApiView

_VERSION_TAG = re.compile(r'"([0-9]{1,9})"')
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` that you have seen; 412 `version_mismatch` if there is another now.",
)
ETAG = OpenApiParameter(
    "ETag",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The version, quoted.",
    response=[200, 201],
)


class StaffView(ApiView):
    """A view whose methods ask for permissions: `may` names one for each."""

    may: ClassVar[Mapping[str, type[BasePermission]]] = {}

    def get_permissions(self) -> list[BasePermission]:
        return [self.may.get(_method(self.request), Nobody)()]


class PublicToReadView(StaffView):
    """Reading is everybody's, who are then not asked who they are; writing is for staff."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ApiView.authentication_classes

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if _method(self.request) == "GET" else super().get_authenticators()

    def get_permissions(self) -> list[BasePermission]:
        if _method(self.request) == "GET":
            return [Public()]
        return super().get_permissions()


def _method(request: Any) -> str:
    method = getattr(request, "method", "")  # the schema is made without a request
    return "GET" if method == "HEAD" else method


def product_of(ref: str) -> Product:
    """Return the product of this id or slug, whatever its status. Raises ProductNotFound."""
    product = edited_product(ref)
    if product is None:
        raise ProductNotFound("There is no such product.")
    return product


def versions_wanted(
    request: Request, *, version: int, public_tags: Callable[[], Iterable[str]]
) -> frozenset[int] | None:
    """Return the versions that `If-Match` accepts; None where any will do.

    A tag is a version, as answers to staff have it, or that of the public page: then it stands
    for the `version` that was read before the page was made.
    """
    tags = if_match_of(request)
    if tags is None:
        return None
    versions = {int(found[1]) for tag in tags if (found := _VERSION_TAG.fullmatch(tag))}
    others = {tag for tag in tags if not _VERSION_TAG.fullmatch(tag)}
    if others and others.intersection(public_tags()):
        versions.add(version)
    return frozenset(versions)


def edited(document: Mapping[str, Any], *, version: int, status: int = 200) -> Response:
    """Answer with what was edited and the version that it has now."""
    return Response(document, status=status, headers={"ETag": etag_for_version(version)})
