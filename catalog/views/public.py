"""The catalogue over HTTP, for everyone."""

from collections.abc import Sequence

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from catalog.errors import ProductNotFound
from catalog.selectors import (
    category_document,
    category_tree_rendered,
    facet_counts,
    listed_products,
    product_by_ref,
    product_rendered,
    related_products,
    row_document,
)
from catalog.serializers.public import (
    CategoryResponse,
    CategoryTreeResponse,
    ProductListQuery,
    ProductListResponse,
    ProductQuery,
    ProductResponse,
    RelatedResponse,
    wanted_of,
)
from shop.http.conditional import etag_of, not_modified
from shop.http.json import dumps
from shop.http.pagination import paginate
from shop.http.permissions import Public
from shop.http.serializers import QuerySerializer
from shop.http.views import ApiView

CACHE_CONTROL = "public, max-age=60, stale-while-revalidate=30"

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of the copy at hand: 304 if it is current.",
)
NOT_MODIFIED = OpenApiResponse(description="The copy at hand is current.")
REF = OpenApiParameter(
    "ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="The product's id or slug."
)
OPTION = OpenApiParameter(
    "option.<name>",
    OpenApiTypes.STR,
    OpenApiParameter.QUERY,
    many=True,
    description="Products with any of these values of the option, such as `option.Size=M`.",
)


class NoQuery(QuerySerializer):
    """Nothing may be asked."""


class _CatalogueView(ApiView):
    """What everybody sees alike, signed in or not: so nobody is asked who they are."""

    authentication_classes: Sequence[type[BaseAuthentication]] = []
    permission_classes = [Public]


def _answer(request: Request, body: bytes) -> HttpResponse:
    """Return `body` with its tag, or 304 to a client that has it.

    Everything public leaves by this door, so what comes from the cache and what was just made
    have the same bytes and headers.
    """
    etag = etag_of(body)
    if not_modified(request.headers.get("If-None-Match"), etag):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = CACHE_CONTROL
    return response


class CategoryListView(_CatalogueView):
    @extend_schema(
        operation_id="categories_list",
        tags=["Catalogue"],
        summary="The tree of categories",
        parameters=[IF_NONE_MATCH],
        responses={200: CategoryTreeResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request) -> HttpResponse:
        NoQuery.parse_query(request)
        return _answer(request, category_tree_rendered(now=timezone.now()))


class CategoryView(_CatalogueView):
    @extend_schema(
        operation_id="categories_show",
        tags=["Catalogue"],
        summary="A category, its path and its children",
        parameters=[IF_NONE_MATCH],
        responses={200: CategoryResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        NoQuery.parse_query(request)
        return _answer(request, dumps(category_document(slug, now=timezone.now())))


class ProductListView(_CatalogueView):
    @extend_schema(
        operation_id="products_list",
        tags=["Catalogue"],
        summary="Products: filtered, searched, sorted, counted",
        parameters=[ProductListQuery, OPTION, IF_NONE_MATCH],
        responses={200: ProductListResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request) -> HttpResponse:
        query = ProductListQuery.parse_query(request)
        wanted = wanted_of(query)
        listed = listed_products(wanted=wanted, sort=query.get("sort"), now=timezone.now())
        page = paginate(listed.rows, request=request, order=listed.order)
        more = {}
        if query.get("facets"):
            more["facets"] = facet_counts(listed=listed, wanted=wanted)
        rows = [row_document(row) for row in page.rows]
        return _answer(request, dumps(page.answer(rows, **more)))


class ProductView(_CatalogueView):
    @extend_schema(
        operation_id="products_show",
        tags=["Catalogue"],
        summary="A product with its variants",
        parameters=[REF, ProductQuery, IF_NONE_MATCH],
        responses={200: ProductResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request, ref: str) -> HttpResponse:
        currency = _currency(request)
        body = product_rendered(ref, currency=currency, now=timezone.now())
        if body is None:
            raise ProductNotFound("There is no such product.")
        return _answer(request, body)


class RelatedProductsView(_CatalogueView):
    @extend_schema(
        operation_id="products_related",
        tags=["Catalogue"],
        summary="Products like this one",
        parameters=[REF, ProductQuery, IF_NONE_MATCH],
        responses={200: RelatedResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request, ref: str) -> HttpResponse:
        currency = _currency(request)
        now = timezone.now()
        product = product_by_ref(ref, now=now)
        if product is None:
            raise ProductNotFound("There is no such product.")
        found = related_products(product_id=product.pk, currency=currency, now=now)
        rows = [row_document(row) for row in found]
        return _answer(request, dumps({"results": rows, "next": None, "previous": None}))


def _currency(request: Request) -> str:
    currency: str = ProductQuery.parse_query(request).get("currency", settings.SHOP_CURRENCY)
    return currency
