"""Categories over HTTP: shown to everybody, edited by staff."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.errors import CategoryNotFound
from catalog.models import Category
from catalog.permissions import MayAddCategories, MayChangeCategories, MayDeleteCategories
from catalog.selectors import category_tags, edited_category, edited_category_document
from catalog.serializers.staff import CategoryRequest, EditedCategoryResponse, category_changes_of
from catalog.views import public
from catalog.views.editing import ETAG, IF_MATCH, PublicToReadView, edited, versions_wanted


class CategoryListView(PublicToReadView, public.CategoryListView):
    may: ClassVar = {"POST": MayAddCategories}

    @extend_schema(
        operation_id="categories_create",
        tags=["Catalogue"],
        summary="Make a category",
        parameters=[ETAG],
        request=CategoryRequest,
        responses={201: EditedCategoryResponse},
    )
    def post(self, request: Request) -> Response:
        body = CategoryRequest.parse(request)
        category = services.create_category(
            name=body["name"],
            slug=body.get("slug", ""),
            parent_slug=body.get("parent"),
            position=body.get("position"),
            description=body.get("description", ""),
        )
        answer = _edited(category, status=status.HTTP_201_CREATED)
        answer["Location"] = f"/api/v1/categories/{category.slug}"
        return answer


class CategoryView(PublicToReadView, public.CategoryView):
    may: ClassVar = {"PATCH": MayChangeCategories, "DELETE": MayDeleteCategories}

    @extend_schema(
        operation_id="categories_change",
        tags=["Catalogue"],
        summary="Change a category, or move it with all below it",
        parameters=[IF_MATCH, ETAG],
        request=CategoryRequest,
        responses={200: EditedCategoryResponse},
    )
    def patch(self, request: Request, slug: str) -> Response:
        category = _category(slug)
        body = CategoryRequest.parse_partial(request)
        changed = services.change_category(
            category_id=category.pk,
            changes=category_changes_of(body),
            now=timezone.now(),
            versions=_versions(request, category),
        )
        return _edited(changed)

    @extend_schema(
        operation_id="categories_delete",
        tags=["Catalogue"],
        summary="Delete an empty category",
        parameters=[IF_MATCH],
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, slug: str) -> Response:
        category = _category(slug)
        services.remove_category(category_id=category.pk, versions=_versions(request, category))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _category(slug: str) -> Category:
    category = edited_category(slug)
    if category is None:
        raise CategoryNotFound("There is no category of this name.")
    return category


def _versions(request: Request, category: Category) -> frozenset[int] | None:
    return versions_wanted(
        request,
        version=category.version,
        public_tags=lambda: category_tags(category, now=timezone.now()),
    )


def _edited(category: Category, *, status: int = status.HTTP_200_OK) -> Response:
    return edited(edited_category_document(category), version=category.version, status=status)
