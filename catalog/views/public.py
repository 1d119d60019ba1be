"""The catalogue over HTTP, for everyone."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from catalog.errors import CategoryNotFound, CollectionNotFound, ProductNotFound
from catalog.selectors import (
    category_document,
    category_tree_rendered,
    collection_rendered,
    collections_rendered,
    facet_counts,
    listed_products,
    product_at_hand,
    product_by_ref,
    product_rendered,
    related_products,
    row_document,
    shown_collections,
    slug_of_moved,
    slug_of_moved_category,
)
from catalog.serializers.public import (
    CategoryResponse,
    CategoryTreeResponse,
    CollectionPageResponse,
    CollectionResponse,
    MovedResponse,
    ProductListQuery,
    ProductListResponse,
    ProductQuery,
    ProductResponse,
    RelatedResponse,
    wanted_of,
)
from shop.http.conditional import PUBLIC_CACHE_CONTROL, public_answer
from shop.http.json import dumps
from shop.http.pagination import paginate
from shop.http.permissions import Public
from shop.http.serializers import ListQuery, NoQuery
from shop.http.views import ApiView

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
ATTRIBUTE = OpenApiParameter(
    "attr.<name>",
    OpenApiTypes.STR,
    OpenApiParameter.QUERY,
    many=True,
    description="Products with any of these values of the attribute, such as `attr.fit=slim`.",
)
OPTION = OpenApiParameter(
    "option.<name>",
    OpenApiTypes.STR,
    OpenApiParameter.QUERY,
    many=True,
    description="Products with any of these values of the option, such as `option.Size=M`.",
)


class CatalogueView(ApiView):
    """What everybody sees alike, signed in or not: so nobody is asked who they are."""

    authentication_classes: Sequence[type[BaseAuthentication]] = []
    permission_classes = [Public]


class CategoryListView(CatalogueView):
    @extend_schema(
        operation_id="categories_list",
        tags=["Catalogue"],
        summary="The tree of categories",
        parameters=[IF_NONE_MATCH],
        responses={200: CategoryTreeResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request) -> HttpResponse:
        NoQuery.parse_query(request)
        return public_answer(request, category_tree_rendered(now=timezone.now()))


class CategoryView(CatalogueView):
    @extend_schema(
        operation_id="categories_show",
        tags=["Catalogue"],
        summary="A category, its path and its children",
        parameters=[IF_NONE_MATCH],
        responses={
            200: CategoryResponse,
            301: OpenApiResponse(MovedResponse, description="It has another slug now."),
            304: NOT_MODIFIED,
        },
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        NoQuery.parse_query(request)
        try:
            document = category_document(slug, now=timezone.now())
        except CategoryNotFound:
            moved = slug_of_moved_category(slug)
            if moved is None:
                raise
            return _moved(request, f"/api/v1/categories/{quote(moved)}", slug=moved)
        return public_answer(request, dumps(document))


class ProductListView(CatalogueView):
    @extend_schema(
        operation_id="products_list",
        tags=["Catalogue"],
        summary="Products: filtered, searched, sorted, counted",
        parameters=[ProductListQuery, OPTION, ATTRIBUTE, IF_NONE_MATCH],
        responses={200: ProductListResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request) -> HttpResponse:
        query = ProductListQuery.parse_query(request)
        wanted = wanted_of(query)
        listed = listed_products(wanted=wanted, sort=query.get("sort"), now=timezone.now())
        page = paginate(listed.rows, request=request, order=listed.order, whole=listed.whole)
        more: dict[str, Any] = {}
        if query.get("facets"):
            facets = facet_counts(listed=listed, wanted=wanted)
            more = {"facets": facets.values, "facets_are_estimates": facets.are_estimates}
        rows = [row_document(row) for row in page.rows]
        return public_answer(request, dumps(page.answer(rows, **more)))


class ProductView(CatalogueView):
    @extend_schema(
        operation_id="products_show",
        tags=["Catalogue"],
        summary="A product with its variants",
        parameters=[REF, ProductQuery, IF_NONE_MATCH],
        responses={
            200: ProductResponse,
            301: OpenApiResponse(MovedResponse, description="It has another slug now."),
            304: NOT_MODIFIED,
        },
    )
    def get(self, request: Request, ref: str) -> HttpResponse:
        currency = _currency(request)
        page = product_rendered(ref, currency=currency, now=timezone.now())
        if page is None:
            return _sent_on(request, ref)
        return public_answer(request, page.content, page.etag)

    @classmethod
    def answer_at_hand(cls, request: HttpRequest, ref: str) -> HttpResponse | None:
        """Return the page without DRF if nothing is asked of it and a copy is at hand."""
        if request.META.get("QUERY_STRING"):
            return None
        page = product_at_hand(ref, currency=settings.SHOP_CURRENCY, now=timezone.now())
        return None if page is None else public_answer(request, page.content, page.etag)


class CollectionListView(CatalogueView):
    @extend_schema(
        operation_id="collections_list",
        tags=["Catalogue"],
        summary="Collections",
        parameters=[ListQuery, IF_NONE_MATCH],
        responses={200: CollectionPageResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request) -> HttpResponse:
        ListQuery.parse_query(request)

        def render() -> bytes:
            page = paginate(shown_collections(), request=request, order=("position", "id"))
            rows = [
                {name: value for name, value in row.items() if name != "position"}
                for row in page.rows
            ]
            return dumps(page.answer(rows))

        address = request.build_absolute_uri()
        return public_answer(request, collections_rendered(address=address, render=render))


class CollectionView(CatalogueView):
    @extend_schema(
        operation_id="collections_show",
        tags=["Catalogue"],
        summary="A collection; its products are in `/products?collection=<slug>`",
        parameters=[IF_NONE_MATCH],
        responses={200: CollectionResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        NoQuery.parse_query(request)
        body = collection_rendered(slug)
        if body is None:
            raise CollectionNotFound("There is no such collection.")
        return public_answer(request, body)


class RelatedProductsView(CatalogueView):
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
        return public_answer(request, dumps({"results": rows, "next": None, "previous": None}))


def _sent_on(request: Request, ref: str) -> HttpResponse:
    """Send who asks by a former slug on to the product. Raises ProductNotFound for all others."""
    slug = slug_of_moved(ref, now=timezone.now())
    if slug is None:
        raise ProductNotFound("There is no such product.")
    return _moved(request, f"/api/v1/products/{quote(slug)}", slug=slug)


def _moved(request: Request, address: str, *, slug: str) -> HttpResponse:
    query = request._request.META.get("QUERY_STRING", "")
    url = address + (f"?{query}" if query else "")
    response = HttpResponse(
        dumps({"slug": slug, "url": url}), status=301, content_type="application/json"
    )
    response["Location"] = url
    response["Cache-Control"] = PUBLIC_CACHE_CONTROL
    return response


def _currency(request: Request) -> str:
    currency: str = ProductQuery.parse_query(request).get("currency", settings.SHOP_CURRENCY)
    return currency
