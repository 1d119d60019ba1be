"""Reviews over HTTP, for staff. Shoppers read and write them in orders, which knows who bought."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.errors import ReviewNotFound
from catalog.permissions import MayChangeReviews, MayDeleteReviews, MaySeeReviews
from catalog.selectors import moderated_reviews
from catalog.serializers.reviews import (
    ModeratedReviewPageResponse,
    ModeratedReviewResponse,
    ModerationQuery,
    ModerationRequest,
)
from catalog.views.editing import StaffView
from shop.http.pagination import paginate


class ReviewListView(StaffView):
    may: ClassVar = {"GET": MaySeeReviews}

    @extend_schema(
        operation_id="reviews_list",
        tags=["Catalogue"],
        summary="Reviews to be moderated, the oldest first",
        parameters=[ModerationQuery],
        responses={200: ModeratedReviewPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = ModerationQuery.parse_query(request)
        wanted = query.get("status")
        rows = moderated_reviews(
            status=wanted and wanted.upper(), product_id=query.get("product_id")
        )
        page = paginate(rows, request=request, order=("id",))
        return Response(page.answer(list(ModeratedReviewResponse(page.rows, many=True).data)))


class ReviewView(StaffView):
    may: ClassVar = {"PATCH": MayChangeReviews, "DELETE": MayDeleteReviews}

    @extend_schema(
        operation_id="reviews_moderate",
        tags=["Catalogue"],
        summary="Show a review to shoppers, or do not",
        request=ModerationRequest,
        responses={200: ModeratedReviewResponse},
    )
    def patch(self, request: Request, review_id: int) -> Response:
        body = ModerationRequest.parse(request)
        services.moderate_reviews(
            review_ids=[review_id], status=body["status"].upper(), now=timezone.now()
        )
        row = moderated_reviews().filter(pk=review_id).first()
        if row is None:
            raise ReviewNotFound("There is no such review.")
        return Response(ModeratedReviewResponse(row).data)

    @extend_schema(
        operation_id="reviews_delete",
        tags=["Catalogue"],
        summary="Delete a review",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, review_id: int) -> Response:
        services.remove_review(review_id=review_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
