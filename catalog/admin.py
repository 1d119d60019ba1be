"""The catalogue as staff see it. Forms save their rows; services bring the copies up to date."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.db.models import Count, F, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import PaginationInlineFormSet
from unfold.views import ChangeList
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from catalog import services
from catalog.errors import NotAnImage
from catalog.models import (
    Category,
    Price,
    PriceHistory,
    Product,
    ProductImage,
    ProductListing,
    ProductOption,
    SearchWord,
    Variant,
    image_address,
)
from catalog.services.images import Picture
from shop.money import LARGEST_MINOR, Money, digits, to_minor


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


def _thumbnail(address: str | None) -> SafeString | str:
    if not address:
        return "–"
    return format_html(
        '<img src="{}" alt="" loading="lazy" style="height:40px;max-width:64px">', address
    )


def _lines_field(**options: Any) -> SimpleArrayField:
    """Return a field for several short texts, one a line: values may hold any other sign."""
    return SimpleArrayField(
        forms.CharField(max_length=255),
        delimiter="\n",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        **options,
    )


# Categories ---------------------------------------------------------------------------------------


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

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.category_was_edited(category_id=form.instance.pk, now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        services.remove_category(category_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        for category in queryset:
            services.remove_category(category_id=category.pk)


# Products -----------------------------------------------------------------------------------------


class _ImageForm(forms.ModelForm[ProductImage]):
    upload = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="JPEG, PNG, WebP, AVIF or GIF, at most 8 MB.",
    )
    picture: Picture | None = None

    class Meta:
        model = ProductImage
        fields = ("position", "upload", "url", "alt")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload, url = cleaned.get("upload"), cleaned.get("url")
        if upload and url:
            raise ValidationError("A picture is a file or an address, not both.")
        if upload:
            try:
                self.picture = services.checked_picture(upload.read())
            except NotAnImage as refusal:
                raise ValidationError({"upload": refusal.detail}) from None
            # The row is whole before its constraints are looked at.
            self.instance.file = self.picture.name
            self.instance.width = self.picture.width
            self.instance.height = self.picture.height
        elif url:
            if not services.is_web_address(url):
                raise ValidationError({"url": "It begins with http:// or https://."})
            self.instance.file = ""
        elif not self.instance.file:
            raise ValidationError("Choose a file or give an address.")
        return cleaned

    def save(self, commit: bool = True) -> ProductImage:
        if self.picture:
            self.picture.keep()
        return super().save(commit)


class ImageInline(TabularInline):
    model = ProductImage
    form = _ImageForm
    fields = ("thumbnail", "position", "upload", "url", "alt")
    readonly_fields = ("thumbnail",)
    extra = 0
    tab = True

    @admin.display(description="")
    def thumbnail(self, image: ProductImage) -> SafeString | str:
        return _thumbnail(image.address if image.pk else None)


class _OptionForm(forms.ModelForm[ProductOption]):
    values = _lines_field(required=False)

    class Meta:
        model = ProductOption
        fields = ("position", "name", "values")

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if "=" in name:
            raise ValidationError("A name has no equals sign.")
        return name


class OptionInline(TabularInline):
    model = ProductOption
    form = _OptionForm
    extra = 0
    tab = True


class _VariantForm(forms.ModelForm[Variant]):
    option_values = _lines_field(
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


class VariantInline(TabularInline):
    model = Variant
    form = _VariantForm
    fields = ("sku", "option_values", "position", "weight_grams", "tax_class", "is_active", "costs")
    readonly_fields = ("costs",)
    extra = 0
    tab = True
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        return super().get_queryset(request).prefetch_related("prices")

    @admin.display(description="prices")
    def costs(self, variant: Variant) -> str:
        if not variant.pk:
            return "set them once it is saved"
        return ", ".join(
            str(Money(price.amount_minor, price.currency)) for price in variant.prices.all()
        )


class _ProductForm(forms.ModelForm[Product]):
    tags = SimpleArrayField(
        forms.CharField(max_length=255),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas.",
    )

    class Meta:
        model = Product
        fields = (
            "title",
            "slug",
            "status",
            "published_at",
            "category",
            "vendor",
            "product_type",
            "tags",
            "description_html",
            "attributes",
            "seo_title",
            "seo_description",
        )


@admin.register(Product)
class ProductAdmin(ModelAdmin):
    form = _ProductForm
    list_display = ("thumbnail", "title", "status", "category", "vendor", "variants_", "updated_at")
    list_display_links = ("title",)
    list_filter = ("status", "category")
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("title", "slug", "vendor", "variants__sku")
    date_hierarchy = None
    ordering = ("-updated_at", "-id")
    show_full_result_count = False
    autocomplete_fields = ("category",)
    prepopulated_fields = {"slug": ("title",)}
    readonly_fields = ("version", "popularity", "created_at", "updated_at")
    inlines = (VariantInline, OptionInline, ImageInline)
    actions = ("publish", "archive")
    fieldsets = (
        (None, {"fields": ("title", "slug", ("status", "published_at"), "category")}),
        (None, {"fields": (("vendor", "product_type"), "tags", "description_html")}),
        ("Search engines", {"fields": ("seo_title", "seo_description"), "classes": ["collapse"]}),
        (
            "More",
            {
                "fields": ("attributes", ("version", "popularity"), ("created_at", "updated_at")),
                "classes": ["collapse"],
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        first = ProductImage.objects.filter(product=OuterRef("pk")).order_by("position", "id")
        counted = (
            Variant.objects.filter(product=OuterRef("pk"), is_active=True)
            .order_by()
            .values("product")
            .annotate(count=Count("pk"))
            .values("count")
        )
        found: QuerySet[Product] = (
            super()
            .get_queryset(request)
            .annotate(
                image_url=Subquery(first.values("url")[:1]),
                image_file=Subquery(first.values("file")[:1]),
                counted=Coalesce(Subquery(counted, output_field=IntegerField()), 0),
            )
        )
        return found

    @admin.display(description="")
    def thumbnail(self, product: Any) -> SafeString | str:
        return _thumbnail(image_address(product.image_url or "", product.image_file or ""))

    @admin.display(description="variants")
    def variants_(self, product: Any) -> int:
        count: int = product.counted
        return count

    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        changed = services.publish_products(product_ids=ids, now=timezone.now())
        messages.success(request, f"{changed} products are in the shop now.")

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        changed = services.archive_products(product_ids=ids, now=timezone.now())
        messages.success(request, f"{changed} products were taken out of the shop.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Orders and the stock ledger point at what was sold: a product is archived.
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        now = timezone.now()
        obj.updated_at = now
        if not change:
            obj.created_at = now
        if obj.status == Product.Status.ACTIVE and obj.published_at is None:
            obj.published_at = now
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.product_was_edited(
            product_id=form.instance.pk, now=timezone.now(), old_slug=form.initial.get("slug", "")
        )


# Variants and prices ------------------------------------------------------------------------------


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
    form = _VariantForm
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


# Copies and history -------------------------------------------------------------------------------


@admin.register(PriceHistory)
class PriceHistoryAdmin(_ReadOnly):
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
class ProductListingAdmin(_ReadOnly):
    list_display = ("thumbnail", "title", "price", "category_name", "availability_state", "vendor")
    list_display_links = ("title",)
    list_filter = ("currency", "availability_state", "in_stock")
    search_fields = ("title", "slug")
    ordering = ("-published_at", "-product_id")
    exclude = ("search", "words")

    @admin.display(description="")
    def thumbnail(self, row: ProductListing) -> SafeString | str:
        return _thumbnail(image_address(row.image_url, row.image_file))

    @admin.display(description="price", ordering=F("min_price_minor"))
    def price(self, row: ProductListing) -> str:
        return str(Money(row.min_price_minor, row.currency))


@admin.register(SearchWord)
class SearchWordAdmin(_ReadOnly):
    list_display = ("word",)
    search_fields = ("word__startswith",)
    search_help_text = "How the word begins."
    show_full_result_count = False
