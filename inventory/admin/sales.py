"""Flash sales, how they go, and limits on buyers, as staff see them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action

from inventory import services
from inventory.models import FlashSale, PurchaseLimit
from inventory.selectors import flash_sales, purchase_limits, sale_progress
from shop.errors import Refusal
from shop.http.json import dumps


class _SafeChanges(ModelAdmin):
    """Changes go by services; what they refuse is told, and nothing has happened."""

    show_full_result_count = False
    list_per_page = 50

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
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return redirect(request.get_full_path())
        return answer


class _FlashSaleForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = FlashSale
        fields = ("variant", "slug", *services.CHANGEABLE)

    def clean_units(self) -> int:
        units: int = self.cleaned_data["units"]
        if units < self.instance.taken:
            raise forms.ValidationError(f"{self.instance.taken} units are held or sold already.")
        return units

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", "It has to end after it starts.")
        return cleaned


class _StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("running", "Running"), ("upcoming", "Upcoming"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[FlashSale]) -> QuerySet[FlashSale]:
        now = timezone.now()
        match self.value():
            case "running":
                return queryset.filter(starts_at__lte=now, ends_at__gt=now)
            case "upcoming":
                return queryset.filter(starts_at__gt=now)
            case "ended":
                return queryset.filter(ends_at__lte=now)
        return queryset


@admin.register(FlashSale)
class FlashSaleAdmin(_SafeChanges):
    """Flash sales. How one goes is seen on its dashboard, also while it runs."""

    form = _FlashSaleForm
    list_display = ("name", "sku", "starts_at", "ends_at", "units", "taken", "dashboard_link")
    list_filter = (_StateFilter,)
    search_fields = ("name", "slug", "variant__sku")
    ordering = ("-starts_at", "-id")
    autocomplete_fields = ("variant",)
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": ("name", "slug", "variant", "starts_at", "ends_at")}),
        ("What is sold", {"fields": ("units", "limit_per_customer", "taken")}),
        (
            "Who is let in",
            {
                "fields": ("admitted_per_second", "admitted_at_once"),
                "description": "Others wait in line, first come first served.",
            },
        ),
    )
    readonly_fields = ("taken",)
    actions_detail = ("dashboard",)  # type: ignore[assignment]  # unfold declares it empty

    def get_queryset(self, request: HttpRequest) -> QuerySet[FlashSale]:
        return flash_sales()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("taken",) if obj is None else ("taken", "variant", "slug")

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)} if obj is None else {}

    @admin.display(description="SKU", ordering="variant__sku")
    def sku(self, sale: FlashSale) -> str:
        return sale.variant.sku

    @admin.display(description="dashboard")
    def dashboard_link(self, sale: FlashSale) -> str:
        address = reverse("admin:inventory_flashsale_dashboard", args=[sale.pk])
        return format_html('<a class="text-primary-600" href="{}">Open</a>', address)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # One that has sold is ended by its time, and a list of them cannot tell which have.
        return (
            isinstance(obj, FlashSale)
            and not obj.reservations.exists()
            and super().has_delete_permission(request, obj)
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in services.CHANGEABLE}
        if change:
            services.change_flash_sale(
                slug=obj.slug,
                changes={name: given[name] for name in given if name in form.changed_data},
                now=timezone.now(),
            )
            return
        made = services.create_flash_sale(
            draft=services.FlashSaleDraft(variant_id=obj.variant_id, slug=obj.slug, **given),
            now=timezone.now(),
        )
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: FlashSale) -> None:
        services.delete_flash_sale(slug=obj.slug)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<int:sale_id>/progress.json",
                self.admin_site.admin_view(self.progress_view),
                name="inventory_flashsale_progress",
            ),
        ]
        return [*own, *super().get_urls()]

    @action(description="Dashboard", url_path="dashboard", permissions=["view"])  # type: ignore[operator]
    def dashboard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show how a sale goes; the page asks for news by itself while the sale runs."""
        sale = get_object_or_404(self.get_queryset(request), pk=object_id)
        progress = sale_progress(sale, now=timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": sale.name,
            "sale": sale,
            "progress": progress,
            "progress_data": asdict(progress),
            "progress_url": reverse("admin:inventory_flashsale_progress", args=[sale.pk]),
            "back": reverse("admin:inventory_flashsale_change", args=[sale.pk]),
        }
        return TemplateResponse(request, "inventory/flash_sale.html", context)

    def progress_view(self, request: HttpRequest, sale_id: int) -> HttpResponse:
        """Return how a sale goes, as JSON."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        sale = get_object_or_404(self.get_queryset(request), pk=sale_id)
        progress = sale_progress(sale, now=timezone.now())
        return HttpResponse(dumps(asdict(progress)), content_type="application/json")


@admin.register(PurchaseLimit)
class PurchaseLimitAdmin(_SafeChanges):
    """How many of a variant one buyer may have."""

    fields = ("variant", "units", "window_days")
    list_display = ("sku", "units", "window_days", "updated_at")
    search_fields = ("variant__sku",)
    ordering = ("-updated_at", "-id")
    autocomplete_fields = ("variant",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PurchaseLimit]:
        return purchase_limits()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("variant",)

    @admin.display(description="SKU", ordering="variant__sku")
    def sku(self, limit: PurchaseLimit) -> str:
        return limit.variant.sku

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = services.set_purchase_limit(
            variant_id=obj.variant_id,
            units=obj.units,
            window_days=obj.window_days,
            now=timezone.now(),
        )
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: PurchaseLimit) -> None:
        services.remove_purchase_limit(variant_id=obj.variant_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PurchaseLimit]) -> None:
        for limit in queryset:
            services.remove_purchase_limit(variant_id=limit.variant_id)
