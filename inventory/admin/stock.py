"""Warehouses, stock, holds and the ledger, as staff see them. Counters change by services alone."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django_countries import countries
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from inventory import services
from inventory.models import (
    MOST_UNITS,
    ReconciliationFinding,
    ReconciliationRun,
    Reservation,
    Stock,
    StockCount,
    StockMovement,
    StockTransfer,
    StockTransferLine,
    Warehouse,
)
from inventory.selectors import stock_levels
from shop.errors import Refusal


class _ReadOnly(ModelAdmin):
    """A table that staff look at and nobody edits by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _WarehouseForm(forms.ModelForm):  # type: ignore[type-arg]
    country = forms.ChoiceField(choices=[*countries], widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Warehouse
        fields = ("code", "name", "country", "priority", "is_active")


@admin.register(Warehouse)
class WarehouseAdmin(ModelAdmin):
    form = _WarehouseForm
    list_display = ("code", "name", "country", "priority", "is_active")
    list_filter = ("is_active", "country")
    search_fields = ("code", "name")
    ordering = ("priority", "id")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            services.announce_warehouse(warehouse_id=obj.pk)


class _StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("in", "In stock"),
            ("low", "Low"),
            ("out", "Nothing available"),
            ("owed", "More promised than on hand"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Stock]) -> QuerySet[Stock]:
        match self.value():
            case "in":
                return queryset.filter(on_hand__gt=F("reserved") + F("low_at"))
            case "low":
                return queryset.filter(
                    on_hand__gt=F("reserved"), on_hand__lte=F("reserved") + F("low_at")
                )
            case "out":
                return queryset.filter(on_hand__lte=F("reserved"))
            case "owed":
                return queryset.filter(on_hand__lt=F("reserved"))
        return queryset


class _TermsForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Stock
        fields = ("backorder_limit", "low_at")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        limit = cleaned.get("backorder_limit")
        if limit is not None and self.instance.reserved > self.instance.on_hand + limit:
            self.add_error("backorder_limit", "More units than that are promised already.")
        return cleaned


class _AdjustForm(forms.Form):
    delta = forms.IntegerField(
        min_value=-MOST_UNITS,
        max_value=MOST_UNITS,
        help_text="Units more (5) or fewer (-5) on hand.",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget)


@admin.register(Stock)
class StockAdmin(ModelAdmin):
    """Stock. Rows come with the first receipt; the counters are changed by "Adjust" only."""

    form = _TermsForm
    list_display = (
        "sku",
        "product",
        "place",
        "on_hand",
        "reserved",
        "available",
        "backorder_limit",
        "low_at",
    )
    list_filter = ("warehouse", _StateFilter)
    search_fields = ("variant__sku", "variant__product__title")
    search_help_text = "A part of the SKU or of the product's title."
    list_select_related = ("variant__product", "warehouse")
    ordering = ("variant__sku", "id")
    show_full_result_count = False
    list_per_page = 50
    fields = (
        "sku",
        "product",
        "place",
        "on_hand",
        "reserved",
        "available",
        "backorder_limit",
        "low_at",
    )
    readonly_fields = ("sku", "product", "place", "on_hand", "reserved", "available")
    actions_detail = ("adjust",)  # type: ignore[assignment]  # unfold declares it empty

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stock]:
        return stock_levels().select_related("variant__product", "warehouse")

    @admin.display(description="SKU", ordering="variant__sku")
    def sku(self, stock: Stock) -> str:
        return stock.variant.sku

    @admin.display(description="product", ordering="variant__product__title")
    def product(self, stock: Stock) -> str:
        return stock.variant.product.title

    @admin.display(description="warehouse", ordering="warehouse__code")
    def place(self, stock: Stock) -> str:
        return stock.warehouse.code

    @admin.display(description="available", ordering="available")
    def available(self, stock: Stock) -> int:
        return stock.on_hand - stock.reserved

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_adjust_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("inventory.add_stockmovement")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        services.set_stock_terms(
            terms=[services.StockTerms(obj.variant_id, obj.backorder_limit, obj.low_at)],
            warehouse=obj.warehouse.code,
            now=timezone.now(),
        )

    def changeform_view(  # type: ignore[override]  # unfold's own layers disagree on it
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            answer: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except Refusal as refusal:  # somebody was quicker than the form's own check
            messages.error(request, refusal.detail)
            return redirect(request.get_full_path())
        return answer

    @action(description="Adjust", url_path="adjust", permissions=["adjust"])  # type: ignore[operator]
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a correction and a reason, and have the service make it."""
        stock = get_object_or_404(self.get_queryset(request), pk=object_id)
        back = reverse("admin:inventory_stock_change", args=[stock.pk])
        form = _AdjustForm(request.POST or None)
        if form.is_valid():
            try:
                services.adjust_stock(
                    sku=stock.variant.sku,
                    warehouse=stock.warehouse.code,
                    delta=form.cleaned_data["delta"],
                    reason=form.cleaned_data["reason"],
                    now=timezone.now(),
                    actor_id=request.user.pk,
                )
            except Refusal as refusal:
                form.add_error("delta", refusal.detail)
            else:
                messages.success(request, "The stock has been adjusted.")
                return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Adjust stock",
            "form": form,
            "stock": stock,
            "back": back,
        }
        return TemplateResponse(request, "inventory/adjust_stock.html", context)


@admin.register(Reservation)
class ReservationAdmin(_ReadOnly):
    list_display = ("reference", "sku", "place", "quantity", "state", "created_at", "expires_at")
    list_filter = ("state", "stock__warehouse")
    search_fields = ("=reference", "=stock__variant__sku")
    search_help_text = "The whole reference, or the whole SKU."
    list_select_related = ("stock__variant", "stock__warehouse")
    ordering = ("-id",)

    @admin.display(description="SKU")
    def sku(self, reservation: Reservation) -> str:
        return reservation.stock.variant.sku

    @admin.display(description="warehouse")
    def place(self, reservation: Reservation) -> str:
        return reservation.stock.warehouse.code


@admin.register(StockMovement)
class StockMovementAdmin(_ReadOnly):
    """The ledger."""

    list_display = (
        "happened_at",
        "sku",
        "place",
        "kind",
        "on_hand",
        "reserved",
        "reason",
        "cause",
    )
    list_filter = ("kind", "stock__warehouse", "happened_at")
    search_fields = ("=cause", "=stock__variant__sku")
    search_help_text = "The whole cause, or the whole SKU."
    list_select_related = ("stock__variant", "stock__warehouse")
    ordering = ("-id",)

    @admin.display(description="SKU")
    def sku(self, movement: StockMovement) -> str:
        return movement.stock.variant.sku

    @admin.display(description="warehouse")
    def place(self, movement: StockMovement) -> str:
        return movement.stock.warehouse.code

    @admin.display(description="on hand")
    def on_hand(self, movement: StockMovement) -> str:
        return _step(movement.delta_on_hand, movement.on_hand_after)

    @admin.display(description="reserved")
    def reserved(self, movement: StockMovement) -> str:
        return _step(movement.delta_reserved, movement.reserved_after)


def _step(delta: int, after: int) -> str:
    """Tell a change and the balance after it in one cell: a row has to fit on a screen."""
    return f"{delta:+} → {after}" if delta else str(after)


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(_ReadOnly):
    list_display = ("started_at", "scope", "seconds", "found", "new", "resolved")
    list_filter = ("scope", "started_at")
    ordering = ("-id",)


@admin.register(ReconciliationFinding)
class ReconciliationFindingAdmin(_ReadOnly):
    """Where the books disagree, or did."""

    list_display = (
        "kind",
        "reference",
        "expected",
        "found",
        "state",
        "first_seen_at",
        "last_seen_at",
        "resolution",
    )
    list_filter = ("state", "scope", "kind")
    search_fields = ("reference",)
    search_help_text = "A part of the SKU, or of the order's reference."
    list_select_related = ("first_run", "last_run")
    ordering = ("-id",)


@admin.register(StockCount)
class StockCountAdmin(_ReadOnly):
    list_display = ("counted_at", "sku", "place", "expected", "counted", "variance", "reason")
    list_filter = ("stock__warehouse", "counted_at")
    search_fields = ("=stock__variant__sku",)
    search_help_text = "The whole SKU."
    list_select_related = ("stock__variant", "stock__warehouse", "movement")
    ordering = ("-id",)

    @admin.display(description="SKU")
    def sku(self, count: StockCount) -> str:
        return count.stock.variant.sku

    @admin.display(description="warehouse")
    def place(self, count: StockCount) -> str:
        return count.stock.warehouse.code


class _TransferLines(TabularInline):
    model = StockTransferLine
    extra = 0
    fields = ("variant", "sent", "received", "missing")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(StockTransfer)
class StockTransferAdmin(_ReadOnly):
    list_display = ("id", "source", "destination", "state", "dispatched_at", "received_at")
    list_filter = ("state", "source", "destination")
    list_select_related = ("source", "destination")
    ordering = ("-id",)
    inlines = (_TransferLines,)
