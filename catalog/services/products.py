"""Products made, changed and taken away."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import nh3
from django.db import IntegrityError, models, transaction

from catalog.errors import InvalidProduct, SkuTaken
from catalog.models import (
    Category,
    Price,
    Product,
    ProductImage,
    ProductOption,
    Variant,
)
from catalog.services.draft_rules import draft_problems
from catalog.services.drafts import ProductDraft, UpsertResult, VariantDraft
from catalog.services.images import Picture, checked_picture, new_image, render_later
from catalog.services.listing import forget_on_commit, in_batches, refresh_listing
from catalog.services.price_history import append_price_history
from catalog.services.relations import remember_slug
from catalog.services.types import attribute_problems, definitions_of
from shop.db.copying import insert_rows, update_rows

# Products, and variants of them, in one round of statements: a statement takes 65,535 parameters.
BATCH = 500
BATCH_VARIANTS = 2000


def sanitised(html: str) -> str:
    """Return `html` with nothing left that could run, load or restyle the page around it."""
    return nh3.clean(html, url_schemes={"http", "https", "mailto", "tel"})


def upsert_product(*, draft: ProductDraft, now: datetime) -> UpsertResult:
    """Make the product of this slug what the draft says. Promises of `upsert_products`."""
    return upsert_products(drafts=[draft], now=now)[0]


@transaction.atomic
def upsert_products(*, drafts: Sequence[ProductDraft], now: datetime) -> list[UpsertResult]:
    """Make each product what its draft says; those that are so already are not written at all.

    Known by slug, variants by SKU. All drafts or none; results in the order of the drafts.
    Variants and currencies that a draft does not name stay, but a variant becomes inactive when
    the product's options got other names, or another SKU answers them in the same way.
    Joins the caller's transaction. The number of statements does not depend on the number of
    drafts, up to 500 with 2,000 variants.

    Raises InvalidProduct that names every broken rule, SkuTaken, and NotAnImage.
    """
    problems = [problem for draft in drafts for problem in draft_problems(draft)]
    problems += [
        f"{slug}: there are two drafts of this slug"
        for slug, times in Counter(draft.slug for draft in drafts).items()
        if times > 1
    ]
    problems += [
        f"{sku}: two of the drafts name this SKU"
        for sku, times in Counter(
            sku for draft in drafts for sku in {variant.sku for variant in draft.variants}
        ).items()
        if times > 1
    ]
    described = [draft for draft in drafts if draft.product_type and draft.attributes]
    if described:
        definitions = definitions_of(draft.product_type for draft in described)
        problems += [
            problem
            for draft in described
            for problem in attribute_problems(
                name=draft.slug,
                product_type=draft.product_type,
                attributes=draft.attributes,
                definitions=definitions,
            )
        ]
    if problems:
        raise InvalidProduct("; ".join(problems[:5]) + ".", problems=problems)
    pictures = {
        image.file: checked_picture(image.file)
        for draft in drafts
        for image in draft.images or ()
        if image.file is not None
    }
    for picture in pictures.values():
        picture.keep()
    results = []
    for batch in _batches(drafts):
        try:
            with transaction.atomic():
                results += _Upsert(batch, pictures, now).run()
        except IntegrityError:
            # Somebody made one of these products or SKUs between our look and our write. Now it
            # is there to be seen; if it is in the way, the second round says so.
            with transaction.atomic():
                results += _Upsert(batch, pictures, now).run()
    return results


def _batches(drafts: Sequence[ProductDraft]) -> Iterator[list[ProductDraft]]:
    batch: list[ProductDraft] = []
    variants = 0
    for draft in drafts:
        if batch and (len(batch) == BATCH or variants + len(draft.variants) > BATCH_VARIANTS):
            yield batch
            batch, variants = [], 0
        batch.append(replace(draft, description_html=sanitised(draft.description_html)))
        variants += len(draft.variants)
    if batch:
        yield batch


@transaction.atomic
def archive_products(*, product_ids: Sequence[int], now: datetime) -> int:
    """Take these products out of the shop; what was ordered of them stays. Safe to repeat.

    Returns how many were in it.
    """
    return _set_status(product_ids, Product.Status.ARCHIVED, now=now)


@transaction.atomic
def publish_products(*, product_ids: Sequence[int], now: datetime) -> int:
    """Show these products from now on, or from the moment that was set for them."""
    never_shown = Product.objects.filter(pk__in=product_ids, published_at__isnull=True)
    dated = never_shown.update(published_at=now)
    changed = _set_status(product_ids, Product.Status.ACTIVE, now=now)
    if dated:
        refresh_listing(product_ids=product_ids, now=now)
    return max(changed, dated)


@transaction.atomic
def product_was_edited(*, product_id: int, now: datetime, old_slug: str = "") -> None:
    """Bring everything that copies a product up to date after somebody wrote its rows directly.

    For the admin, whose forms save by themselves: sanitises the description, counts the version,
    appends the price history, refreshes the listing, drops cached copies.
    """
    product = Product.objects.filter(pk=product_id).locked().get()
    variants = list(product.variants.order_by("position", "id"))
    options = list(product.options.order_by("position", "id"))
    for option in options:
        place = options.index(option)
        used = [v.option_values[place] for v in variants if place < len(v.option_values)]
        values = list(dict.fromkeys([*(v for v in option.values if v in used), *used]))
        if values != option.values:
            option.values = values
            option.save(update_fields=["values"])
    product.description_html = sanitised(product.description_html)
    product.version += 1
    product.updated_at = now
    product.save(update_fields=["description_html", "version", "updated_at"])
    append_price_history(variant_ids=[variant.pk for variant in variants], now=now)
    refresh_listing(product_ids=[product_id], now=now)
    if old_slug and old_slug != product.slug:
        remember_slug(product_id=product_id, old=old_slug, new=product.slug, now=now)
        forget_on_commit(product_ids=[product_id], also=[old_slug])


@transaction.atomic
def set_popularity(*, units: Mapping[int, int], now: datetime) -> int:
    """Set how many units were sold lately, by product id. Returns how many products changed."""
    total = 0
    for ids in in_batches(sorted(units)):
        products = list(Product.objects.filter(pk__in=ids).only("popularity").locked())
        changed = [product for product in products if product.popularity != units[product.pk]]
        for product in changed:
            product.popularity = units[product.pk]
        Product.objects.bulk_update(changed, ["popularity"], batch_size=BATCH)
        refresh_listing(product_ids=[product.pk for product in changed], now=now)
        total += len(changed)
    return total


def _set_status(product_ids: Sequence[int], status: str, *, now: datetime) -> int:
    changing = list(
        Product.objects.filter(pk__in=product_ids)
        .exclude(status=status)
        .locked()
        .values_list("pk", flat=True)
    )
    Product.objects.filter(pk__in=changing).update(
        status=status, version=models.F("version") + 1, updated_at=now
    )
    refresh_listing(product_ids=changing, now=now)
    return len(changing)


# From draft to rows -------------------------------------------------------------------------------

_PRODUCT_COLUMNS = (
    "title",
    "description_html",
    "vendor",
    "product_type",
    "category",
    "tags",
    "status",
    "published_at",
    "seo_title",
    "seo_description",
    "attributes",
    "version",
    "updated_at",
)
_VARIANT_COLUMNS = (
    "title",
    "option_values",
    "position",
    "barcode",
    "weight_grams",
    "tax_class",
    "requires_shipping",
    "is_active",
    "image",
)


def _apply(row: models.Model, values: Mapping[str, object]) -> bool:
    """Set what differs, and tell whether anything did."""
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in differing.items():
        setattr(row, name, value)
    return bool(differing)


@dataclass(slots=True)
class _Known:
    """A product of the batch with the rows that hang on it."""

    product: Product
    is_new: bool
    is_changed: bool = False
    variants: dict[str, Variant] = field(default_factory=dict)
    options: list[ProductOption] = field(default_factory=list)
    images: list[ProductImage] = field(default_factory=list)


class _Upsert:
    """One batch: everything is read, then compared, then written, each table once."""

    def __init__(
        self, drafts: Sequence[ProductDraft], pictures: Mapping[bytes, Picture], now: datetime
    ) -> None:
        self.drafts = drafts
        self.pictures = pictures
        self.now = now
        self.known: dict[str, _Known] = {}
        self.base_prices: dict[tuple[int, str], Price] = {}
        self.switched_off: list[Variant] = []
        self.created_skus: set[str] = set()

    def run(self) -> list[UpsertResult]:
        categories = self._categories()
        self._read()
        self._write_products(categories)
        self._write_options()
        self._write_images()
        self._write_variants()
        priced = self._write_prices()
        changed = [known for known in self.known.values() if known.is_changed and not known.is_new]
        for known in changed:
            known.product.version += 1
            known.product.updated_at = self.now
        update_rows([known.product for known in changed], _PRODUCT_COLUMNS)
        if priced:
            append_price_history(variant_ids=priced, now=self.now)
        written = [
            known.product.pk for known in self.known.values() if known.is_changed or known.is_new
        ]
        if written:
            refresh_listing(product_ids=written, now=self.now)
        return [self._result(draft) for draft in self.drafts]

    def _result(self, draft: ProductDraft) -> UpsertResult:
        known = self.known[draft.slug]
        skus = [variant.sku for variant in draft.variants]
        outcome: Literal["created", "updated", "unchanged"] = "unchanged"
        if known.is_new:
            outcome = "created"
        elif known.is_changed:
            outcome = "updated"
        return UpsertResult(
            product=known.product,
            outcome=outcome,
            variant_ids={sku: known.variants[sku].pk for sku in skus},
            created_skus=frozenset(self.created_skus.intersection(skus)),
        )

    def _categories(self) -> dict[str, Category]:
        slugs = {draft.category_slug for draft in self.drafts if draft.category_slug}
        found = {category.slug: category for category in Category.objects.filter(slug__in=slugs)}
        if missing := slugs - found.keys():
            problems = [f"there is no category {slug}" for slug in sorted(missing)]
            raise InvalidProduct("; ".join(problems) + ".", problems=problems)
        return found

    def _read(self) -> None:
        slugs = [draft.slug for draft in self.drafts]
        for product in Product.objects.filter(slug__in=slugs).locked():
            self.known[product.slug] = _Known(product, is_new=False)
        by_id = {known.product.pk: known for known in self.known.values()}
        skus = {variant.sku: draft.slug for draft in self.drafts for variant in draft.variants}
        taken = []
        for variant in Variant.objects.filter(
            models.Q(product__in=by_id) | models.Q(sku__in=skus)
        ).order_by("position", "id"):
            owner = by_id.get(variant.product_id)
            if variant.sku in skus and (owner is None or owner.product.slug != skus[variant.sku]):
                taken.append(variant.sku)
            elif owner is not None:
                owner.variants[variant.sku] = variant
        if taken:
            raise SkuTaken("Another product has these SKUs.", skus=sorted(taken))
        for option in ProductOption.objects.filter(product__in=by_id).order_by("position", "id"):
            by_id[option.product_id].options.append(option)
        for image in ProductImage.objects.filter(product__in=by_id).order_by("position", "id"):
            by_id[image.product_id].images.append(image)
        for price in Price.objects.filter(
            variant__product__in=by_id, starts_at__isnull=True, ends_at__isnull=True
        ):
            self.base_prices[price.variant_id, price.currency] = price

    def _write_products(self, categories: Mapping[str, Category]) -> None:
        new = []
        for draft in self.drafts:
            known = self.known.get(draft.slug)
            if known is None:
                product = Product(slug=draft.slug, created_at=self.now, updated_at=self.now)
                known = self.known[draft.slug] = _Known(product, is_new=True)
                new.append(product)
            category = categories.get(draft.category_slug or "")
            published_at = draft.published_at or known.product.published_at or self.now
            known.is_changed |= _apply(
                known.product,
                {
                    "title": draft.title.strip(),
                    "description_html": draft.description_html,
                    "vendor": draft.vendor.strip(),
                    "product_type": draft.product_type.strip(),
                    "category_id": category.pk if category else None,
                    "tags": list(dict.fromkeys(tag.strip() for tag in draft.tags if tag.strip())),
                    "status": str(draft.status),
                    "published_at": published_at if draft.is_published else None,
                    "seo_title": draft.seo_title,
                    "seo_description": draft.seo_description,
                    "attributes": dict(draft.attributes),
                },
            )
        insert_rows(new)

    def _write_options(self) -> None:
        new, kept, gone = [], [], []
        for draft in self.drafts:
            known = self.known[draft.slug]
            is_renamed = [option.name for option in known.options] != list(draft.options)
            staying = self._staying_variants(draft, known, is_renamed=is_renamed)
            answers = [variant.option_values for variant in draft.variants]
            answers += [variant.option_values for variant in staying]
            values = [
                list(dict.fromkeys(answer[place] for answer in answers))
                for place in range(len(draft.options))
            ]
            if is_renamed:
                gone += [option.pk for option in known.options]
                new += [
                    ProductOption(
                        product=known.product, position=place, name=name, values=values[place - 1]
                    )
                    for place, name in enumerate(draft.options, start=1)
                ]
                known.is_changed = True
            else:
                for option, wanted in zip(known.options, values, strict=True):
                    if _apply(option, {"values": wanted}):
                        kept.append(option)
                        known.is_changed = True
        if gone:
            ProductOption.objects.filter(pk__in=gone).delete()
        update_rows(kept, ["values"])
        insert_rows(new)

    def _staying_variants(
        self, draft: ProductDraft, known: _Known, *, is_renamed: bool
    ) -> list[Variant]:
        # Variants that the draft does not name stay for as long as they can be told apart.
        named = {variant.sku for variant in draft.variants}
        answered = {tuple(variant.option_values) for variant in draft.variants}
        staying = []
        for sku, variant in known.variants.items():
            if sku in named or not variant.is_active:
                continue
            if is_renamed or tuple(variant.option_values) in answered:
                variant.is_active = False
                self.switched_off.append(variant)
                known.is_changed = True
            else:
                staying.append(variant)
        return staying

    def _write_images(self) -> None:
        new, kept, gone = [], [], []
        for draft in self.drafts:
            if draft.images is None:
                continue
            known = self.known[draft.slug]
            before = {image.url or image.file.name: image for image in known.images}
            after: dict[str, ProductImage] = {}
            for place, image in enumerate(draft.images, start=1):
                picture = self.pictures[image.file] if image.file is not None else None
                key = picture.name if picture else image.kept_file or image.url or ""
                if key in after:
                    continue
                position = image.position or place
                row = before.pop(key, None)
                if row is None and image.kept_file is not None:
                    problem = f"{draft.slug}: it has no picture {image.kept_file[:80]!r}"
                    raise InvalidProduct(f"{problem}.", problems=[problem])
                if row is None:
                    row = new_image(
                        product=known.product, image=image, picture=picture, position=position
                    )
                    new.append(row)
                    known.is_changed = True
                elif _apply(row, {"alt": image.alt, "position": position}):
                    kept.append(row)
                    known.is_changed = True
                after[key] = row
            if before:
                gone += [image.pk for image in before.values()]
                known.is_changed = True
            known.images = list(after.values())
        if gone:
            ProductImage.objects.filter(pk__in=gone).delete()
        update_rows(kept, ["alt", "position"])
        insert_rows(new)
        render_later(sorted({image.product_id for image in new if image.file}))

    def _write_variants(self) -> None:
        new, kept = [], list(self.switched_off)
        for draft in self.drafts:
            known = self.known[draft.slug]
            for place, wanted in enumerate(draft.variants, start=1):
                variant = known.variants.get(wanted.sku)
                values: dict[str, object] = {
                    "title": " / ".join(wanted.option_values)[:1000],
                    "option_values": list(wanted.option_values),
                    "position": place,
                    "barcode": wanted.barcode,
                    "weight_grams": wanted.weight_grams,
                    "tax_class": str(wanted.tax_class),
                    "requires_shipping": wanted.requires_shipping,
                    "is_active": wanted.is_active,
                    "image_id": _image_of(wanted, variant, known.images),
                }
                if variant is None:
                    variant = Variant(product=known.product, sku=wanted.sku, **values)
                    known.variants[wanted.sku] = variant
                    new.append(variant)
                    self.created_skus.add(wanted.sku)
                    known.is_changed = True
                elif _apply(variant, values):
                    kept.append(variant)
                    known.is_changed = True
        insert_rows(new)
        update_rows(kept, _VARIANT_COLUMNS)

    def _write_prices(self) -> list[int]:
        new, kept = [], []
        for draft in self.drafts:
            known = self.known[draft.slug]
            for wanted in draft.variants:
                variant = known.variants[wanted.sku]
                for currency, (amount, compare_at) in wanted.prices.items():
                    values = {"amount_minor": amount, "compare_at_minor": compare_at}
                    price = self.base_prices.get((variant.pk, currency))
                    if price is None:
                        new.append(Price(variant=variant, currency=currency, **values))
                        known.is_changed = True
                    elif _apply(price, values):
                        kept.append(price)
                        known.is_changed = True
        insert_rows(new)
        update_rows(kept, ["amount_minor", "compare_at_minor"])
        return sorted({price.variant_id for price in [*new, *kept]})


def _image_of(
    wanted: VariantDraft, variant: Variant | None, images: Sequence[ProductImage]
) -> int | None:
    for image in images:
        if wanted.image_url is not None and image.url == wanted.image_url:
            return image.pk
        if wanted.image_file is not None and image.file.name == wanted.image_file:
            return image.pk
        if wanted.image_url is None and image.position == wanted.image_position:
            return image.pk
    if (
        wanted.image_url is not None
        or wanted.image_file is not None
        or wanted.image_position is not None
        or variant is None
    ):
        return None
    return variant.image_id if variant.image_id in {image.pk for image in images} else None
