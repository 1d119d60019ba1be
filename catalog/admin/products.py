"""Products, with their options, pictures and variants."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextInputWidget,
)

from catalog import services
from catalog.admin.shared import lines_field, thumbnail_of
from catalog.admin.variants import VariantForm
from catalog.errors import NotAnImage
from catalog.models import (
    Product,
    ProductImage,
    ProductOption,
    RelatedProduct,
    Variant,
    image_address,
)
from catalog.services.images import Picture
from shop.money import Money


class _ImageForm(forms.ModelForm[ProductImage]):
    upload = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="JPEG, PNG, WebP, AVIF or GIF, at most 8 MB.",
    )
    picture: Picture | None = None

    class Meta:
        model = ProductImage
        fields = ("position", "upload", "url", "alt", "focal_x", "focal_y")

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
            # The copies were made of another file.
            self.instance.renditions, self.instance.rendered_at = [], None
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
    fields = ("thumbnail", "position", "upload", "url", "alt", "focal_x", "focal_y")
    readonly_fields = ("thumbnail",)
    extra = 0
    tab = True

    @admin.display(description="")
    def thumbnail(self, image: ProductImage) -> SafeString | str:
        return thumbnail_of(image.address if image.pk else None)


class _OptionForm(forms.ModelForm[ProductOption]):
    values = lines_field(required=False)

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


class VariantInline(TabularInline):
    model = Variant
    form = VariantForm
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


class RelatedInline(TabularInline):
    model = RelatedProduct
    fk_name = "product"
    fields = ("position", "other")
    autocomplete_fields = ("other",)
    extra = 0
    tab = True
    verbose_name = "related product"


class _ProductForm(forms.ModelForm[Product]):
    tags = SimpleArrayField(
        forms.CharField(max_length=255),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        attributes = cleaned.get("attributes") or {}
        if not isinstance(attributes, dict):
            raise ValidationError({"attributes": "Names with their values: {…}."})
        problems = services.attribute_problems(
            name=cleaned.get("slug", ""),
            product_type=cleaned.get("product_type", ""),
            attributes=attributes,
            definitions=services.definitions_of([cleaned.get("product_type", "")]),
        )
        if found := list(problems):
            raise ValidationError({"attributes": found})
        return cleaned

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
    readonly_fields = ("rating", "version", "popularity", "created_at", "updated_at")
    inlines = (VariantInline, OptionInline, ImageInline, RelatedInline)
    actions = ("publish", "archive")
    fieldsets = (
        (None, {"fields": ("title", "slug", ("status", "published_at"), "category")}),
        (None, {"fields": (("vendor", "product_type"), "tags", "description_html")}),
        ("Search engines", {"fields": ("seo_title", "seo_description"), "classes": ["collapse"]}),
        (
            "More",
            {
                "fields": (
                    "attributes",
                    ("version", "popularity", "rating"),
                    ("created_at", "updated_at"),
                ),
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
        return thumbnail_of(image_address(product.image_url or "", product.image_file or ""))

    @admin.display(description="variants")
    def variants_(self, product: Any) -> int:
        count: int = product.counted
        return count

    @admin.display(description="rating")
    def rating(self, product: Product) -> str:
        if not product.rating_count:
            return "no reviews yet"
        average = product.rating_total / product.rating_count
        return f"{average:.2f} of 5 in {product.rating_count} reviews"

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
        services.render_later([form.instance.pk])
        services.product_was_edited(
            product_id=form.instance.pk, now=timezone.now(), old_slug=form.initial.get("slug", "")
        )
