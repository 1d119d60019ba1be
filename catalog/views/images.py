"""Pictures over HTTP, for staff."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.models import Product
from catalog.permissions import MayAddImages, MayChangeImages, MayDeleteImages
from catalog.selectors import edited_product_document, product_tags
from catalog.serializers.staff import (
    EditedProductResponse,
    ImageChangeRequest,
    ImageOrderRequest,
    ImageUploadRequest,
    image_draft_of,
)
from catalog.views.editing import ETAG, IF_MATCH, StaffView, edited, product_of, versions_wanted
from catalog.views.public import REF
from shop.http.json import JsonParser


class ProductImagesView(StaffView):
    may: ClassVar = {"POST": MayAddImages, "PUT": MayChangeImages}
    parser_classes = (JsonParser, MultiPartParser)

    @extend_schema(
        operation_id="products_images_create",
        tags=["Catalogue"],
        summary="Add a picture behind the others, by file or by address",
        parameters=[REF, IF_MATCH, ETAG],
        request={
            "multipart/form-data": ImageUploadRequest,
            "application/json": ImageUploadRequest,
        },
        responses={201: EditedProductResponse},
    )
    def post(self, request: Request, ref: str) -> Response:
        product = product_of(ref)
        body = ImageUploadRequest.parse(request)
        services.attach_image(
            product=product,
            image=image_draft_of(body),
            now=timezone.now(),
            versions=_versions(request, product),
        )
        return _edited(product, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="products_images_order",
        tags=["Catalogue"],
        summary="Put the pictures in another order",
        parameters=[REF, IF_MATCH, ETAG],
        request={"application/json": ImageOrderRequest},
        responses={200: EditedProductResponse},
    )
    def put(self, request: Request, ref: str) -> Response:
        product = product_of(ref)
        body = ImageOrderRequest.parse(request)
        services.order_images(
            product_id=product.pk,
            image_ids=body["image_ids"],
            now=timezone.now(),
            versions=_versions(request, product),
        )
        return _edited(product)


class ProductImageView(StaffView):
    may: ClassVar = {"PATCH": MayChangeImages, "DELETE": MayDeleteImages}

    @extend_schema(
        operation_id="products_images_change",
        tags=["Catalogue"],
        summary="Change a picture's text or focal point",
        parameters=[REF, IF_MATCH, ETAG],
        request=ImageChangeRequest,
        responses={200: EditedProductResponse},
    )
    def patch(self, request: Request, ref: str, image_id: int) -> Response:
        product = product_of(ref)
        body = ImageChangeRequest.parse(request)
        focal = body.pop("focal_point", None)
        if focal is not None:
            body |= {"focal_x": focal["x"], "focal_y": focal["y"]}
        services.change_image(
            product_id=product.pk,
            image_id=image_id,
            changes=services.ImageChanges(**body),  # type: ignore[typeddict-item]
            now=timezone.now(),
            versions=_versions(request, product),
        )
        return _edited(product)

    @extend_schema(
        operation_id="products_images_delete",
        tags=["Catalogue"],
        summary="Take a picture from a product",
        parameters=[REF, IF_MATCH],
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, ref: str, image_id: int) -> Response:
        product = product_of(ref)
        services.remove_image(
            product_id=product.pk,
            image_id=image_id,
            now=timezone.now(),
            versions=_versions(request, product),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


def _versions(request: Request, product: Product) -> frozenset[int] | None:
    return versions_wanted(
        request,
        version=product.version,
        public_tags=lambda: product_tags(product, now=timezone.now()),
    )


def _edited(product: Product, *, status: int = status.HTTP_200_OK) -> Response:
    document = edited_product_document(product.pk)
    return edited(document, version=document["version"], status=status)
