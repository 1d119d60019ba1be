"""Reviews, to be moderated."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from catalog import services
from catalog.models import Review


@admin.register(Review)
class ReviewAdmin(ModelAdmin):
    list_display = ("stars", "title", "product", "author_name", "status", "created_at")
    list_display_links = ("stars", "title")
    list_filter = ("status", "rating", "is_verified")
    list_select_related = ("product",)
    list_per_page = 50
    search_fields = ("title", "body", "product__title")
    ordering = ("-id",)
    show_full_result_count = False
    actions = ("approve", "reject")
    fields = (
        ("product", "stars"),
        "title",
        "body",
        ("author_name", "is_verified"),
        ("status", "created_at", "moderated_at"),
    )
    readonly_fields = (
        "product",
        "stars",
        "title",
        "body",
        "author_name",
        "is_verified",
        "status",
        "created_at",
        "moderated_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # buyers write them

    @admin.display(description="stars", ordering="rating")
    def stars(self, review: Review) -> str:
        return "★" * review.rating + "☆" * (5 - review.rating)

    @admin.action(description="Approve", permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self._moderate(request, queryset, Review.Status.APPROVED)

    @admin.action(description="Reject", permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self._moderate(request, queryset, Review.Status.REJECTED)

    def _moderate(self, request: HttpRequest, queryset: QuerySet[Review], status: str) -> None:
        changed = services.moderate_reviews(
            review_ids=list(queryset.values_list("pk", flat=True)),
            status=status,
            now=timezone.now(),
        )
        messages.success(request, f"{changed} reviews are {status.lower()} now.")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.remove_review(review_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        for pk in list(queryset.values_list("pk", flat=True)):
            services.remove_review(review_id=pk)
