"""Collections and related products over HTTP: shown to everybody, edited by staff."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.errors import CollectionNotFound
from catalog.models import Collection
from catalog.permissions import (
    MayAddCollections,
    MayChangeCollections,
    MayChangeProducts,
    MayDeleteCollections,
    MaySeeCollections,
)
from catalog.selectors import collection_by_slug, edited_collection_document, product_tags
from catalog.serializers.collections import (
    CollectionRequest,
    EditedCollectionResponse,
    EditedRelatedResponse,
    RelatedRequest,
    collection_changes_of,
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
from shop.http.serializers import NoQuery


class CollectionListView(PublicToReadView, public.CollectionListView):
    may: ClassVar = {"POST": MayAddCollections}

    @extend_schema(
        operation_id="collections_create",
        tags=["Catalogue"],
        summary="Make a collection, by hand or by rule",
        parameters=[ETAG],
        request=CollectionRequest,
        responses={201: EditedCollectionResponse},
    )
    def post(self, request: Request) -> Response:
        body = CollectionRequest.parse(request)
        collection = services.create_collection(changes=collection_changes_of(body))
        answer = _edited(collection, status=status.HTTP_201_CREATED)
        answer["Location"] = f"/api/v1/collections/{collection.slug}"
        return answer


class CollectionView(PublicToReadView, public.CollectionView):
    may: ClassVar = {"PATCH": MayChangeCollections, "DELETE": MayDeleteCollections}

    @extend_schema(
        operation_id="collections_change",
        tags=["Catalogue"],
        summary="Change a collection",
        parameters=[IF_MATCH, ETAG],
        request=CollectionRequest,
        responses={200: EditedCollectionResponse},
    )
    def patch(self, request: Request, slug: str) -> Response:
        body = CollectionRequest.parse_partial(request)
        collection = services.change_collection(
            slug=slug, changes=collection_changes_of(body), versions=_versions(request)
        )
        return _edited(collection)

    @extend_schema(
        operation_id="collections_delete",
        tags=["Catalogue"],
        summary="Delete a collection",
        parameters=[IF_MATCH],
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, slug: str) -> Response:
        services.remove_collection(slug=slug, versions=_versions(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class EditedCollectionView(StaffView):
    may: ClassVar = {"GET": MaySeeCollections}

    @extend_schema(
        operation_id="staff_collections_show",
        tags=["Catalogue"],
        summary="All of a collection that staff edit",
        parameters=[ETAG],
        responses={200: EditedCollectionResponse},
    )
    def get(self, request: Request, slug: str) -> Response:
        NoQuery.parse_query(request)
        collection = collection_by_slug(slug, everybody=False)
        if collection is None:
            raise CollectionNotFound("There is no such collection.")
        return _edited(collection)


class RelatedProductsView(PublicToReadView, public.RelatedProductsView):
    may: ClassVar = {"PUT": MayChangeProducts}

    @extend_schema(
        operation_id="products_related_set",
        tags=["Catalogue"],
        summary="Choose the products to show beside this one",
        parameters=[public.REF, IF_MATCH],
        request=RelatedRequest,
        responses={200: EditedRelatedResponse},
    )
    def put(self, request: Request, ref: str) -> Response:
        product = product_of(ref)
        body = RelatedRequest.parse(request)
        services.relate_products(
            product_id=product.pk,
            other_ids=body["product_ids"],
            now=timezone.now(),
            versions=versions_wanted(
                request,
                version=product.version,
                public_tags=lambda: product_tags(product, now=timezone.now()),
            ),
        )
        return Response({"product_ids": body["product_ids"]})


def _versions(request: Request) -> frozenset[int] | None:
    return versions_wanted(request, version=0, public_tags=tuple)


def _edited(collection: Collection, *, status: int = status.HTTP_200_OK) -> Response:
    return edited(edited_collection_document(collection), version=collection.version, status=status)
