"""Staff screens for the rules of shipping and tax."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from cart.models import ShippingMethod, ShippingRate, ShippingZone, TaxRate
from cart.services import rules_changed
from shop.money import Money, is_currency


class RuleAdmin(ModelAdmin):
    """A screen whose every change is in force at once."""

    def save_related(
        self, request: HttpRequest, form: ModelForm[Any], formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        rules_changed()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        rules_changed()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        rules_changed()


class ShippingMethodInline(TabularInline):
    model = ShippingMethod
    extra = 0
    show_change_link = True
    fields = ["code", "name", "days_min", "days_max", "position", "is_active"]


class ShippingRateInline(TabularInline):
    model = ShippingRate
    extra = 0
    fields = [
        "currency",
        "price_minor",
        "free_over_minor",
        "min_subtotal_minor",
        "max_subtotal_minor",
        "min_weight_grams",
        "max_weight_grams",
    ]


@admin.register(ShippingZone)
class ShippingZoneAdmin(RuleAdmin):
    list_display = ["name", "country_list", "method_count"]
    search_fields = ["name"]
    inlines = [ShippingMethodInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShippingZone]:
        zones: QuerySet[ShippingZone] = super().get_queryset(request)
        return zones.annotate(methods_in_all=Count("methods"))

    @admin.display(description="Countries")
    def country_list(self, zone: ShippingZone) -> str:
        return ", ".join(zone.countries)

    @admin.display(description="Methods", ordering="methods_in_all")
    def method_count(self, zone: ShippingZone) -> int:
        return int(getattr(zone, "methods_in_all", 0))


@admin.register(ShippingMethod)
class ShippingMethodAdmin(RuleAdmin):
    list_display = ["name", "code", "zone", "days", "position", "is_active"]
    list_filter = ["zone", "is_active"]
    list_select_related = ["zone"]
    search_fields = ["name", "code", "zone__name"]
    inlines = [ShippingRateInline]

    @admin.display(description="Working days")
    def days(self, method: ShippingMethod) -> str:
        return f"{method.days_min} to {method.days_max}"


@admin.register(ShippingRate)
class ShippingRateAdmin(RuleAdmin):
    list_display = ["method", "zone", "price", "free_over", "min_weight_grams", "max_weight_grams"]
    list_filter = ["currency", "method__zone"]
    list_select_related = ["method__zone"]
    search_fields = ["method__name", "method__code", "method__zone__name"]

    @admin.display(description="Zone", ordering="method__zone")
    def zone(self, rate: ShippingRate) -> str:
        return rate.method.zone.name

    @admin.display(description="Price", ordering="price_minor")
    def price(self, rate: ShippingRate) -> str:
        return _shown(rate.price_minor, rate.currency)

    @admin.display(description="Free over", ordering="free_over_minor")
    def free_over(self, rate: ShippingRate) -> str:
        if rate.free_over_minor is None:
            return "–"
        return _shown(rate.free_over_minor, rate.currency)


@admin.register(TaxRate)
class TaxRateAdmin(RuleAdmin):
    list_display = ["country", "tax_class", "percent", "valid_from", "valid_to", "source"]
    list_filter = ["tax_class", "country"]
    search_fields = ["country", "source"]

    @admin.display(description="Rate", ordering="rate_bps")
    def percent(self, rate: TaxRate) -> str:
        return f"{rate.rate_bps / 100:g} %"


def _shown(amount_minor: int, currency: str) -> str:
    if is_currency(currency):
        return str(Money(amount_minor, currency))
    return f"{amount_minor} {currency}"
