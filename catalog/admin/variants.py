"""Variants and their prices."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
)

from catalog import services
from catalog.admin.shared import lines_field
from catalog.models import (
    Price,
    ProductImage,
    Variant,
)
from shop.money import LARGEST_MINOR, digits, to_minor


class VariantForm(forms.ModelForm[Variant]):
    option_values = lines_field(
        required=False, help_text="One a line, in the order of the product's options."
    )

    class Meta:
        model = Variant
        fields = (
            "sku",
            "option_values",
            "position",
            "barcode",
            "weight_grams",
            "tax_class",
            "requires_shipping",
            "image",
            "is_active",
        )

    def save(self, commit: bool = True) -> Variant:
        self.instance.title = " / ".join(self.instance.option_values)[:1000]
        return super().save(commit)


class _PriceForm(forms.ModelForm[Price]):
    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.SHOP_CURRENCIES], widget=UnfoldAdminSelectWidget
    )
    amount = forms.DecimalField(
        min_value=0, max_digits=15, decimal_places=3, widget=UnfoldAdminDecimalFieldWidget
    )
    compare_at = forms.DecimalField(
        min_value=0,
        max_digits=15,
        decimal_places=3,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Struck through; above the amount.",
    )

    class Meta:
        model = Price
        fields = ("currency", "starts_at", "ends_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        price = self.instance
        if price.pk:
            scale = digits(price.currency)
            self.initial["amount"] = Decimal(price.amount_minor).scaleb(-scale)
            if price.compare_at_minor is not None:
                self.initial["compare_at"] = Decimal(price.compare_at_minor).scaleb(-scale)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        currency = cleaned.get("currency")
        for name in ("amount", "compare_at"):
            amount = cleaned.get(name)
            if amount is None or currency is None:
                continue
            minor = to_minor(amount, currency)
            if Decimal(minor).scaleb(-digits(currency)) != amount or minor > LARGEST_MINOR:
                raise ValidationError({name: f"This is no amount of {currency}."})
            setattr(self.instance, f"{name}_minor", minor)
        if cleaned.get("compare_at") is None:
            self.instance.compare_at_minor = None
        elif cleaned.get("amount") is not None and cleaned["compare_at"] <= cleaned["amount"]:
            raise ValidationError({"compare_at": "It is above the amount, or empty."})
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            raise ValidationError({"ends_at": "It is after the start."})
        return cleaned


class _PriceFormSet(PaginationInlineFormSet):
    def clean(self) -> None:
        super().clean()
        drafts = [
            services.PriceDraft(
                variant_id=0,
                currency=form.cleaned_data["currency"],
                amount_minor=0,
                starts_at=form.cleaned_data.get("starts_at"),
                ends_at=form.cleaned_data.get("ends_at"),
            )
            for form in self.forms
            if form.is_valid()
            and form.cleaned_data.get("currency")
            and not form.cleaned_data.get("DELETE")
        ]
        if services.in_each_others_way(drafts):
            raise ValidationError(
                "At any moment one price holds: one base price a currency, and windows apart."
            )


class PriceInline(TabularInline):
    model = Price
    form = _PriceForm
    formset = _PriceFormSet
    fields = ("currency", "amount", "compare_at", "starts_at", "ends_at")
    extra = 0


@admin.register(Variant)
class VariantAdmin(ModelAdmin):
    form = VariantForm
    list_display = ("sku", "product", "title", "availability_state", "is_active")
    list_filter = ("is_active", "availability_state", "tax_class")
    list_select_related = ("product",)
    list_per_page = 50
    search_fields = ("sku", "barcode", "product__title")
    ordering = ("sku",)
    show_full_result_count = False
    readonly_fields = ("product_link", "availability_state", "availability_quantity")
    fields = (
        "product_link",
        "sku",
        "option_values",
        "position",
        "barcode",
        ("weight_grams", "requires_shipping"),
        "tax_class",
        "image",
        "is_active",
        ("availability_state", "availability_quantity"),
    )
    inlines = (PriceInline,)

    @admin.display(description="product")
    def product_link(self, variant: Variant) -> SafeString:
        address = reverse("admin:catalog_product_change", args=[variant.product_id])
        return format_html('<a href="{}">{}</a>', address, variant.product.title)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        image = form.base_fields.get("image")
        if obj is not None and isinstance(image, forms.ModelChoiceField):
            image.queryset = ProductImage.objects.filter(product=obj.product_id)
        return form

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # on the page of its product

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what was sold becomes inactive

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.product_was_edited(product_id=form.instance.product_id, now=timezone.now())
