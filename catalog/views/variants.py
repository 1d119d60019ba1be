"""Variants over HTTP, for staff."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.errors import VariantNotFound
from catalog.models import Variant
from catalog.permissions import (
    MayAddVariants,
    MayChangeVariants,
    MayDeleteVariants,
    MaySeeVariants,
)
from catalog.selectors import (
    edited_variant,
    edited_variant_document,
    option_names,
    price_steps,
    product_tags,
)
from catalog.serializers.staff import (
    EditedVariantResponse,
    PriceStepPageResponse,
    PriceStepResponse,
    VariantChangeRequest,
    VariantRequest,
    variant_changes_of,
    variant_draft_of,
)
from catalog.views.editing import ETAG, IF_MATCH, StaffView, edited, product_of, versions_wanted
from catalog.views.public import REF
from shop.http.pagination import paginate
from shop.http.serializers import ListQuery, NoQuery
from shop.money import Money

INACTIVE = OpenApiResponse(
    EditedVariantResponse, description="Others point at it, so it was taken from sale."
)


class ProductVariantsView(StaffView):
    may: ClassVar = {"POST": MayAddVariants}

    @extend_schema(
        operation_id="products_variants_create",
        tags=["Catalogue"],
        summary="Add a variant to a product",
        parameters=[REF, IF_MATCH, ETAG],
        request=VariantRequest,
        responses={201: EditedVariantResponse},
    )
    def post(self, request: Request, ref: str) -> Response:
        product = product_of(ref)
        body = VariantRequest.parse(request)
        variant = services.add_variant(
            product_id=product.pk,
            draft=variant_draft_of(body, option_names(product.pk)),
            image_id=body.get("image_id"),
            now=timezone.now(),
            versions=versions_wanted(
                request,
                version=product.version,
                public_tags=lambda: product_tags(product, now=timezone.now()),
            ),
        )
        answer = _edited(_variant(variant.pk), status=status.HTTP_201_CREATED)
        answer["Location"] = f"/api/v1/variants/{variant.pk}"
        return answer


class VariantView(StaffView):
    may: ClassVar = {
        "GET": MaySeeVariants,
        "PATCH": MayChangeVariants,
        "DELETE": MayDeleteVariants,
    }

    @extend_schema(
        operation_id="variants_show",
        tags=["Catalogue"],
        summary="A variant with all of its prices",
        parameters=[ETAG],
        responses={200: EditedVariantResponse},
    )
    def get(self, request: Request, variant_id: int) -> Response:
        NoQuery.parse_query(request)
        return _edited(_variant(variant_id))

    @extend_schema(
        operation_id="variants_change",
        tags=["Catalogue"],
        summary="Change a variant and its base prices",
        parameters=[IF_MATCH, ETAG],
        request=VariantChangeRequest,
        responses={200: EditedVariantResponse},
    )
    def patch(self, request: Request, variant_id: int) -> Response:
        variant = _variant(variant_id)
        body = VariantChangeRequest.parse(request)
        services.change_variant(
            variant_id=variant_id,
            changes=variant_changes_of(body, option_names(variant.product_id)),
            now=timezone.now(),
            versions=_versions(request, variant),
        )
        return _edited(_variant(variant_id))

    @extend_schema(
        operation_id="variants_delete",
        tags=["Catalogue"],
        summary="Delete a variant, or take from sale what was sold or stocked",
        parameters=[IF_MATCH],
        request=None,
        responses={200: INACTIVE, 204: None},
    )
    def delete(self, request: Request, variant_id: int) -> Response:
        outcome = services.remove_variant(
            variant_id=variant_id,
            now=timezone.now(),
            versions=_versions(request, _variant(variant_id)),
        )
        if outcome == "deactivated":
            return _edited(_variant(variant_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PriceHistoryView(StaffView):
    may: ClassVar = {"GET": MaySeeVariants}

    @extend_schema(
        operation_id="variants_price_history",
        tags=["Catalogue"],
        summary="What a variant cost, the latest first",
        parameters=[ListQuery],
        responses={200: PriceStepPageResponse},
    )
    def get(self, request: Request, variant_id: int) -> Response:
        ListQuery.parse_query(request)
        _variant(variant_id)
        page = paginate(price_steps(variant_id), request=request, order=("-effective_at", "-id"))
        steps = [
            {
                "price": None
                if row["amount_minor"] is None
                else Money(row["amount_minor"], row["currency"]),
                "effective_at": row["effective_at"],
            }
            for row in page.rows
        ]
        return Response(page.answer(list(PriceStepResponse(steps, many=True).data)))


def _variant(variant_id: int) -> Variant:
    variant = edited_variant(variant_id)
    if variant is None:
        raise VariantNotFound("There is no such variant.")
    return variant


def _versions(request: Request, variant: Variant) -> frozenset[int] | None:
    product = variant.product
    return versions_wanted(
        request,
        version=product.version,
        public_tags=lambda: product_tags(product, now=timezone.now()),
    )


def _edited(variant: Variant, *, status: int = status.HTTP_200_OK) -> Response:
    return edited(edited_variant_document(variant), version=variant.product.version, status=status)
