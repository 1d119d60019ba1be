"""Products over HTTP: shown to everybody, edited by staff."""

from typing import ClassVar

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.models import Product
from catalog.permissions import (
    MayAddProducts,
    MayChangeProducts,
    MayDeleteProducts,
    MaySeeProducts,
)
from catalog.selectors import edited_product_document, edited_products, product_tags
from catalog.serializers.staff import (
    EditedProductPageResponse,
    EditedProductQuery,
    EditedProductResponse,
    EditedProductRowResponse,
    ProductBulkRequest,
    ProductBulkResponse,
    ProductChangeRequest,
    ProductRequest,
    draft_of,
    product_changes_of,
)
from catalog.views import public
from catalog.views.editing import (
    ETAG,
    IF_MATCH,
    PublicToReadView,
    StaffView,
    edited,
    product_of,
    versions_wanted,
)
from shop.http.pagination import paginate
from shop.http.serializers import NoQuery
from shop.http.views import ApiView

ARCHIVED = OpenApiResponse(
    EditedProductResponse, description="Others point at it, so it was archived."
)


class ProductListView(PublicToReadView, public.ProductListView):
    may: ClassVar = {"POST": MayAddProducts}

    @extend_schema(
        operation_id="products_create",
        tags=["Catalogue"],
        summary="Make a product",
        parameters=[ETAG],
        request=ProductRequest,
        responses={201: EditedProductResponse},
    )
    def post(self, request: Request) -> Response:
        body = ProductRequest.parse(request)
        product = services.create_product(draft=draft_of(body), now=timezone.now())
        answer = _edited(product.pk, status=status.HTTP_201_CREATED)
        answer["Location"] = f"/api/v1/products/{product.pk}"
        return answer


class ProductView(PublicToReadView, public.ProductView):
    may: ClassVar = {"PATCH": MayChangeProducts, "DELETE": MayDeleteProducts}

    @extend_schema(
        operation_id="products_change",
        tags=["Catalogue"],
        summary="Change a product",
        parameters=[public.REF, IF_MATCH, ETAG],
        request=ProductChangeRequest,
        responses={200: EditedProductResponse},
    )
    def patch(self, request: Request, ref: str) -> Response:
        product = product_of(ref)
        body = ProductChangeRequest.parse(request)
        services.change_product(
            product_id=product.pk,
            changes=product_changes_of(body),
            now=timezone.now(),
            versions=_versions(request, product),
        )
        return _edited(product.pk)

    @extend_schema(
        operation_id="products_delete",
        tags=["Catalogue"],
        summary="Delete a product, or archive what was sold or stocked",
        parameters=[public.REF, IF_MATCH],
        request=None,
        responses={200: ARCHIVED, 204: None},
    )
    def delete(self, request: Request, ref: str) -> Response:
        product = product_of(ref)
        outcome = services.remove_product(
            product_id=product.pk, now=timezone.now(), versions=_versions(request, product)
        )
        if outcome == "archived":
            return _edited(product.pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ProductBulkView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayAddProducts(), MayChangeProducts()]

    @extend_schema(
        operation_id="products_bulk",
        tags=["Catalogue"],
        summary="Make or change many products by slug, with a result for each",
        request=ProductBulkRequest,
        responses={200: ProductBulkResponse},
    )
    def post(self, request: Request) -> Response:
        body = ProductBulkRequest.parse(request)
        dry_run = body.get("dry_run", False)
        results = services.upsert_each(
            drafts=[draft_of(product) for product in body["products"]],
            now=timezone.now(),
            dry_run=dry_run,
        )
        return Response(ProductBulkResponse({"dry_run": dry_run, "results": results}).data)


class EditedProductListView(StaffView):
    may: ClassVar = {"GET": MaySeeProducts}

    @extend_schema(
        operation_id="staff_products_list",
        tags=["Catalogue"],
        summary="Products of every status, by their last change",
        parameters=[EditedProductQuery],
        responses={200: EditedProductPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = EditedProductQuery.parse_query(request)
        wanted = query.get("status")
        rows = edited_products(
            status=wanted and wanted.upper(), words=query.get("q"), sku=query.get("sku")
        )
        page = paginate(rows, request=request, order=("-updated_at", "-id"))
        shown = [{**row, "status": row["status"].lower()} for row in page.rows]
        return Response(page.answer(list(EditedProductRowResponse(shown, many=True).data)))


class EditedProductView(StaffView):
    may: ClassVar = {"GET": MaySeeProducts}

    @extend_schema(
        operation_id="staff_products_show",
        tags=["Catalogue"],
        summary="All of a product that staff edit, drafts too",
        parameters=[public.REF, ETAG],
        responses={200: EditedProductResponse},
    )
    def get(self, request: Request, ref: str) -> HttpResponse:
        NoQuery.parse_query(request)
        return _edited(product_of(ref).pk)


def _versions(request: Request, product: Product) -> frozenset[int] | None:
    return versions_wanted(
        request,
        version=product.version,
        public_tags=lambda: product_tags(product, now=timezone.now()),
    )


def _edited(product_id: int, *, status: int = status.HTTP_200_OK) -> Response:
    document = edited_product_document(product_id)
    return edited(document, version=document["version"], status=status)
