"""Copies and history: to be looked at."""

from django.contrib import admin
from django.db.models import F
from django.utils.safestring import SafeString

from catalog.admin.shared import ReadOnlyAdmin, thumbnail_of
from catalog.models import (
    BoughtTogether,
    FormerCategorySlug,
    FormerSlug,
    PriceHistory,
    ProductListing,
    SearchWord,
    image_address,
)
from shop.money import Money


@admin.register(PriceHistory)
class PriceHistoryAdmin(ReadOnlyAdmin):
    list_display = ("variant", "price", "effective_at")
    list_select_related = ("variant",)
    list_filter = ("currency",)
    search_fields = ("variant__sku",)
    ordering = ("-effective_at", "-id")

    @admin.display(description="price")
    def price(self, step: PriceHistory) -> str:
        if step.amount_minor is None:
            return "not offered"
        return str(Money(step.amount_minor, step.currency))


@admin.register(ProductListing)
class ProductListingAdmin(ReadOnlyAdmin):
    list_display = ("thumbnail", "title", "price", "category_name", "availability_state", "vendor")
    list_display_links = ("title",)
    list_filter = ("currency", "availability_state", "in_stock")
    search_fields = ("title", "slug")
    ordering = ("-published_at", "-product_id")
    exclude = ("search", "words")

    @admin.display(description="")
    def thumbnail(self, row: ProductListing) -> SafeString | str:
        return thumbnail_of(image_address(row.image_url, row.image_file))

    @admin.display(description="price", ordering=F("min_price_minor"))
    def price(self, row: ProductListing) -> str:
        return str(Money(row.min_price_minor, row.currency))


@admin.register(SearchWord)
class SearchWordAdmin(ReadOnlyAdmin):
    list_display = ("word",)
    search_fields = ("word__startswith",)
    search_help_text = "How the word begins."
    show_full_result_count = False


@admin.register(BoughtTogether)
class BoughtTogetherAdmin(ReadOnlyAdmin):
    list_display = ("product", "other", "orders")
    list_select_related = ("product", "other")
    search_fields = ("product__title",)
    ordering = ("-orders", "id")


@admin.register(FormerCategorySlug)
class FormerCategorySlugAdmin(ReadOnlyAdmin):
    list_display = ("slug", "category", "retired_at")
    list_select_related = ("category",)
    search_fields = ("slug", "category__name")
    ordering = ("slug",)


@admin.register(FormerSlug)
class FormerSlugAdmin(ReadOnlyAdmin):
    list_display = ("slug", "product", "retired_at")
    list_select_related = ("product",)
    search_fields = ("slug", "product__title")
    ordering = ("slug",)
