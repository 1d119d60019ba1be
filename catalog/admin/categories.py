"""The tree of categories."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from catalog import services
from catalog.models import (
    Category,
    Product,
)


class _CategoryForm(forms.ModelForm[Category]):
    class Meta:
        model = Category
        fields = ("name", "slug", "parent", "position", "description")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        parent = cleaned.get("parent")
        if parent and self.instance.pk:
            path = Category.objects.ancestors(parent, include_self=True)
            if self.instance.pk in {step.pk for step in path}:
                raise ValidationError({"parent": "A category cannot hang below itself."})
        return cleaned


class _TreeChangeList(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        return ["tree_ordering"]


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    form = _CategoryForm
    list_display = ("indented_name", "slug", "position", "product_count")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    show_full_result_count = False
    list_per_page = 200

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        counted = (
            Product.objects.filter(category=OuterRef("pk"))
            .order_by()
            .values("category")
            .annotate(count=Count("pk"))
            .values("count")
        )
        found: QuerySet[Category] = Category.objects.with_tree_fields().annotate(
            counted=Coalesce(Subquery(counted, output_field=IntegerField()), 0)
        )
        return found

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _TreeChangeList

    @admin.display(description="name")
    def indented_name(self, category: Any) -> str:
        return format_html(
            '<span style="padding-left:{}rem">{}</span>', category.tree_depth * 1.5, category.name
        )

    @admin.display(description="products")
    def product_count(self, category: Any) -> int:
        count: int = category.counted
        return count

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.version += 1
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.category_was_edited(
            category_id=form.instance.pk,
            now=timezone.now(),
            former_slug=form.initial.get("slug", "") if change else "",
        )

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        services.remove_category(category_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        for category in queryset:
            services.remove_category(category_id=category.pk)
