"""Orders, money and what came back, as staff see them. All read-only; services do the changing."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from orders import services
from orders.models import (
    AccountAdjustment,
    Cancellation,
    CancellationLine,
    CreditNote,
    CreditNoteLine,
    Erasure,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    ProviderEvent,
    Refund,
    RefundLine,
    RetainedInvoiceData,
    Return,
    ReturnLine,
    SandboxCharge,
    SandboxRefund,
    UnstockedWriteOff,
)
from shop.errors import Refusal
from shop.money import Money
from shop.privacy import email_hashes, mask_email
from shop.privacy.admin import MaskedAdmin


class _ReadOnly(ModelAdmin):
    """A table that staff look at and nobody edits by hand."""

    show_full_result_count = False
    list_per_page = 50
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _MaskedReadOnly(MaskedAdmin):
    """One that names people: masked, and shown in full to whoever may and says why."""

    show_full_result_count = False
    list_per_page = 50
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _Inline(TabularInline):
    """Rows of an order that staff look at."""

    extra = 0
    max_num = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _LineInline(_Inline):
    model = OrderLine
    ordering = ("position",)
    fields = ("position", "sku", "title", "variant_title", "kind", "quantity", "price", "total")
    readonly_fields = ("price", "total")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("order")

    @admin.display(description="unit price")
    def price(self, line: OrderLine) -> str:
        return str(Money(line.unit_price_minor, line.order.currency))

    @admin.display(description="total")
    def total(self, line: OrderLine) -> str:
        return str(Money(line.total_minor, line.order.currency))


class _PaymentInline(_Inline):
    model = Payment
    ordering = ("created_at",)
    fields = ("provider", "status", "money", "card_brand", "card_last4", "settled_at")
    readonly_fields = ("money",)

    @admin.display(description="amount")
    def money(self, payment: Payment) -> str:
        return str(Money(payment.amount_minor, payment.currency))


class _RefundInline(_Inline):
    model = Refund
    fk_name = "order"
    ordering = ("created_at",)
    fields = ("status", "money", "reason", "reference", "settled_at")
    readonly_fields = ("money",)

    @admin.display(description="amount")
    def money(self, refund: Refund) -> str:
        return str(Money(refund.amount_minor, refund.currency))


class _ReturnInline(_Inline):
    model = Return
    ordering = ("requested_at",)
    fields = ("status", "reason", "reference", "requested_at", "received_at")


class _EventInline(_Inline):
    model = OrderEvent
    ordering = ("id",)
    fields = ("happened_at", "kind", "detail", "actor_id")


class _CancelForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        initial="Cancelled by the shop",
        help_text="The buyer reads it.",
        widget=UnfoldAdminTextInputWidget,
    )


@admin.register(Order)
class OrderAdmin(_MaskedReadOnly):
    """Orders. Cancelling goes through the service, so money and stock go back with it."""

    list_display = (
        "number",
        "placed_at",
        "status",
        "payment_status",
        "fulfillment_status",
        "buyer",
        "money",
        "country",
        "channel",
    )
    list_filter = (
        "status",
        "payment_status",
        "fulfillment_status",
        "channel",
        "currency",
        "placed_at",
    )
    search_fields = ("=number", "=external_ref", "=email_hash")
    search_help_text = "A whole number, e-mail address or its hash, or SKU."
    list_select_related = ("customer",)
    ordering = ("-placed_at", "-id")
    inlines = (_LineInline, _PaymentInline, _RefundInline, _ReturnInline, _EventInline)
    actions = ("cancel_orders",)
    actions_detail = ("cancel_order", "look")  # type: ignore[assignment]  # unfold declares it empty
    fields = (
        "number",
        "status",
        "payment_status",
        "fulfillment_status",
        "placed_at",
        "confirmed_at",
        "cancelled_at",
        "cancel_reason",
        "hold_expires_at",
        "buyer",
        "email_hash",
        "email",
        "shipping_address",
        "billing_address",
        "shipping_method_name",
        "subtotal",
        "discount",
        "shipping",
        "money",
        "tax",
        "channel",
        "external_ref",
    )
    readonly_fields = (
        "buyer",
        "subtotal",
        "discount",
        "shipping",
        "money",
        "tax",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if "@" in term:
            return queryset.filter(email_hash__in=email_hashes(term)), False
        found, has_duplicates = super().get_search_results(request, queryset, term.upper())
        if term and not found.exists():
            # As a set of ids, and not as a join: an order with two such lines is one order.
            by_sku = OrderLine.objects.filter(sku=term).values("order_id")
            by_hash = queryset.filter(email_hash=term.lower())
            return queryset.filter(pk__in=by_sku) | by_hash, False
        return found, has_duplicates

    @admin.display(description="buyer")
    def buyer(self, order: Order) -> str:
        email = mask_email(order.email) if order.email else ""
        if order.customer is None:
            return f"{email} (guest)" if email else "guest"
        return email or str(order.customer)

    @admin.display(description="total", ordering="total_minor")
    def money(self, order: Order) -> str:
        return str(Money(order.total_minor, order.currency))

    @admin.display(description="subtotal")
    def subtotal(self, order: Order) -> str:
        return str(Money(order.subtotal_minor, order.currency))

    @admin.display(description="discount")
    def discount(self, order: Order) -> str:
        return str(Money(order.discount_minor, order.currency))

    @admin.display(description="shipping")
    def shipping(self, order: Order) -> str:
        return str(Money(order.shipping_minor, order.currency))

    @admin.display(description="tax contained")
    def tax(self, order: Order) -> str:
        return str(Money(order.tax_minor, order.currency))

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orders.change_order")

    @admin.action(description="Cancel the chosen orders", permissions=["cancel"])
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        for number in list(queryset.values_list("number", flat=True)[: self.list_per_page]):
            self._cancel(request, number, reason="Cancelled by the shop")

    @action(description="Cancel", url_path="cancel", permissions=["cancel"])  # type: ignore[operator]
    def cancel_order(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason, and have the service cancel the order."""
        order = get_object_or_404(Order, pk=object_id)
        back = reverse("admin:orders_order_change", args=[order.pk])
        form = _CancelForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._cancel(request, order.number, reason=form.cleaned_data["reason"])
            return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Cancel order",
            "form": form,
            "order": order,
            "back": back,
        }
        return TemplateResponse(request, "orders/cancel_order.html", context)

    def _cancel(self, request: HttpRequest, number: str, *, reason: str) -> None:
        try:
            services.cancel_order(
                number=number, reason=reason, now=timezone.now(), actor_id=request.user.pk
            )
        except Refusal as refusal:
            messages.error(request, f"{number}: {refusal.detail}")
        else:
            messages.success(request, f"{number} is cancelled.")


@admin.register(Payment)
class PaymentAdmin(_ReadOnly):
    list_display = (
        "id",
        "order",
        "provider",
        "status",
        "money",
        "attempts",
        "created_at",
        "settled_at",
    )
    list_filter = ("status", "provider", "currency", "created_at")
    search_fields = ("=order__number", "=provider_reference")
    search_help_text = "A whole order number, or the provider's whole reference."
    list_select_related = ("order",)
    ordering = ("-created_at",)
    exclude = ("token", "idempotency_claim")

    @admin.display(description="amount", ordering="amount_minor")
    def money(self, payment: Payment) -> str:
        return str(Money(payment.amount_minor, payment.currency))


class _RefundLineInline(_Inline):
    model = RefundLine
    fields = ("order_line", "quantity", "amount_minor")


@admin.register(Refund)
class RefundAdmin(_ReadOnly):
    list_display = ("reference", "order", "status", "money", "reason", "attempts", "created_at")
    list_filter = ("status", "currency", "created_at")
    search_fields = ("=reference", "=order__number", "=provider_reference")
    list_select_related = ("order",)
    ordering = ("-created_at",)
    inlines = (_RefundLineInline,)

    @admin.display(description="amount", ordering="amount_minor")
    def money(self, refund: Refund) -> str:
        return str(Money(refund.amount_minor, refund.currency))


class _ReturnLineInline(_Inline):
    model = ReturnLine
    fields = ("order_line", "quantity", "is_restocked")


@admin.register(Return)
class ReturnAdmin(_ReadOnly):
    list_display = ("reference", "order", "status", "reason", "requested_at", "received_at")
    list_filter = ("status", "requested_at")
    search_fields = ("=reference", "=order__number")
    list_select_related = ("order",)
    inlines = (_ReturnLineInline,)


class _CreditNoteLineInline(_Inline):
    model = CreditNoteLine
    ordering = ("position",)
    fields = ("position", "sku", "title", "quantity", "unit_price_minor", "total_minor")


@admin.register(CreditNote)
class CreditNoteAdmin(_ReadOnly):
    list_display = ("__str__", "customer", "country", "money", "reason", "channel", "issued_at")
    list_filter = ("channel", "currency", "issued_at")
    search_fields = ("=external_ref",)
    list_select_related = ("customer",)
    inlines = (_CreditNoteLineInline,)

    @admin.display(description="total", ordering="total_minor")
    def money(self, note: CreditNote) -> str:
        return str(Money(note.total_minor, note.currency))


@admin.register(OrderEvent)
class OrderEventAdmin(_ReadOnly):
    list_display = ("happened_at", "order", "kind", "detail", "actor_id")
    list_filter = ("kind", "happened_at")
    search_fields = ("=order__number",)
    list_select_related = ("order",)


@admin.register(ProviderEvent)
class ProviderEventAdmin(_ReadOnly):
    list_display = ("received_at", "provider", "kind", "provider_reference", "handled_at")
    list_filter = ("provider", "kind")
    search_fields = ("=event_id", "=provider_reference")


@admin.register(SandboxCharge)
class SandboxChargeAdmin(_ReadOnly):
    list_display = (
        "reference",
        "token",
        "status",
        "amount_minor",
        "refunded_minor",
        "currency",
        "created_at",
    )
    list_filter = ("status", "token")
    search_fields = ("=reference",)
    ordering = ("-created_at",)


@admin.register(SandboxRefund)
class SandboxRefundAdmin(_ReadOnly):
    list_display = ("reference", "charge", "amount_minor", "created_at")
    search_fields = ("=reference", "=charge__reference")
    list_select_related = ("charge",)
    ordering = ("-created_at",)


class _CancellationLineInline(_Inline):
    model = CancellationLine
    ordering = ("position",)
    fields = ("position", "sku", "title", "order_line", "quantity", "unit_price_minor")


@admin.register(Cancellation)
class CancellationAdmin(_ReadOnly):
    list_display = ("external_ref", "customer", "country", "money", "happened_at")
    list_filter = ("happened_at",)
    search_fields = ("=external_ref",)
    list_select_related = ("customer",)
    inlines = (_CancellationLineInline,)

    @admin.display(description="total", ordering="total_minor")
    def money(self, cancellation: Cancellation) -> str:
        return str(Money(cancellation.total_minor, cancellation.currency))


@admin.register(UnstockedWriteOff)
class UnstockedWriteOffAdmin(_ReadOnly):
    list_display = ("external_ref", "sku", "quantity", "reason", "happened_at")
    search_fields = ("=external_ref", "=sku")


@admin.register(AccountAdjustment)
class AccountAdjustmentAdmin(_ReadOnly):
    list_display = ("external_ref", "sku", "customer", "money", "reason", "happened_at")
    search_fields = ("=external_ref", "=sku")
    list_select_related = ("customer",)

    @admin.display(description="amount", ordering="amount_minor")
    def money(self, adjustment: AccountAdjustment) -> str:
        return str(Money(adjustment.amount_minor, adjustment.currency))


@admin.register(RetainedInvoiceData)
class RetainedInvoiceDataAdmin(_MaskedReadOnly):
    """What the law has us keep of erased buyers: for those who hold its own permission."""

    list_display = ("order_number", "total_minor", "currency", "sold_at", "keep_until")
    search_fields = ("=order_number",)
    ordering = ("-sold_at",)
    fields = (
        "order_number",
        "email",
        "billing_address",
        "shipping_address",
        "total_minor",
        "currency",
        "sold_at",
        "keep_until",
    )


@admin.register(Erasure)
class ErasureAdmin(_ReadOnly):
    list_display = ("person", "asked_at", "finished_at")
    list_filter = ("finished_at",)
    search_fields = ("=person",)
    exclude = ("email_hashes",)
