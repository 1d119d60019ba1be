"""Collections, and the attributes of product types."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from catalog import services
from catalog.admin.shared import lines_field
from catalog.models import AttributeDefinition, Collection, CollectionEntry, ProductType


class _DefinitionForm(forms.ModelForm[AttributeDefinition]):
    choices = lines_field(required=False, help_text="One a line; of an attribute with choices.")

    class Meta:
        model = AttributeDefinition
        fields = ("position", "name", "kind", "choices", "is_filterable")


class DefinitionInline(TabularInline):
    model = AttributeDefinition
    form = _DefinitionForm
    extra = 0


@admin.register(ProductType)
class ProductTypeAdmin(ModelAdmin):
    list_display = ("name",)
    search_fields = ("name",)
    inlines = (DefinitionInline,)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.type_was_edited(product_type=form.instance)


def _texts(help_text: str) -> SimpleArrayField:
    return SimpleArrayField(
        forms.CharField(max_length=255),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=f"{help_text} Separated by commas.",
    )


class _CollectionForm(forms.ModelForm[Collection]):
    rule_tags = _texts("With all of these.")
    rule_vendors = _texts("Of any of these.")

    class Meta:
        model = Collection
        fields = (
            "title",
            "slug",
            "description_html",
            "kind",
            "position",
            "is_published",
            "rule_category",
            "rule_tags",
            "rule_vendors",
            "rule_on_sale",
            "rule_newer_than_days",
        )


class EntryInline(TabularInline):
    model = CollectionEntry
    fields = ("position", "product")
    autocomplete_fields = ("product",)
    extra = 0
    tab = True


@admin.register(Collection)
class CollectionAdmin(ModelAdmin):
    form = _CollectionForm
    list_display = ("title", "slug", "kind", "position", "is_published")
    list_filter = ("kind", "is_published")
    search_fields = ("title", "slug")
    prepopulated_fields = {"slug": ("title",)}
    autocomplete_fields = ("rule_category",)
    inlines = (EntryInline,)
    fieldsets = (
        (None, {"fields": ("title", "slug", ("kind", "position"), "is_published")}),
        (None, {"fields": ("description_html",)}),
        (
            "Rule",
            {
                "fields": (
                    "rule_category",
                    "rule_tags",
                    "rule_vendors",
                    ("rule_on_sale", "rule_newer_than_days"),
                ),
                "description": "Of a collection by rule: what fits all that is filled in.",
            },
        ),
    )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.description_html = services.sanitised(obj.description_html)
        if change:
            obj.version += 1
        super().save_model(request, obj, form, change)
        services.forget_collections_on_commit([obj.slug, form.initial.get("slug", obj.slug)])

    def delete_model(self, request: HttpRequest, obj: Collection) -> None:
        services.remove_collection(slug=obj.slug)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        for slug in list(queryset.values_list("slug", flat=True)):
            services.remove_collection(slug=slug)
