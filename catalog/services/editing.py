"""Products made, changed and taken away one at a time, as staff do it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypedDict

from django.db import IntegrityError, transaction
from django.db.models import ForeignObjectRel

from catalog.errors import InvalidProduct, ProductNotFound, SlugTaken
from catalog.models import Category, Product, ProductOption, Variant
from catalog.services.draft_rules import draft_problems
from catalog.services.drafts import ProductDraft
from catalog.services.listing import forget_on_commit
from catalog.services.products import (
    archive_products,
    product_was_edited,
    sanitised,
    upsert_product,
)
from catalog.services.slugs import free_slug, slug_from
from catalog.services.types import attribute_problems, definitions_of
from catalog.services.versions import require_version

LONGEST_SLUG = 255


class ProductChanges(TypedDict, total=False):
    """What of a product changes; what is left out stays. The names of `ProductDraft`.

    `options` gives the options new names, in their order; `category_slug` None: on no shelf.
    """

    title: str
    slug: str
    description_html: str
    vendor: str
    product_type: str
    category_slug: str | None
    tags: Sequence[str]
    attributes: Mapping[str, object]
    status: str
    published_at: datetime | None
    seo_title: str
    seo_description: str
    options: Sequence[str]


@transaction.atomic
def create_product(*, draft: ProductDraft, now: datetime) -> Product:
    """Make a new product, with its variants, pictures and prices; without a slug, by its title.

    Raises SlugTaken where there is one already, and what `upsert_products` raises.
    """
    if not draft.slug:
        base = slug_from(draft.title, fallback="product")
        draft = replace(draft, slug=free_slug(base, longest=LONGEST_SLUG, of=(Product,)))
    elif Product.objects.filter(slug=draft.slug).exists():
        raise _slug_taken(draft.slug)
    result = upsert_product(draft=draft, now=now)
    if result.outcome != "created":  # somebody made it a moment ago
        raise _slug_taken(draft.slug)
    return result.product


@transaction.atomic
def change_product(
    *,
    product_id: int,
    changes: ProductChanges,
    now: datetime,
    versions: Collection[int] | None = None,
) -> Product:
    """Change what `changes` names, and nothing at all where it is so already.

    A product that becomes ACTIVE without a date is shown from `now` on. Variants, pictures and
    prices have services of their own. Joins the caller's transaction.

    Raises ProductNotFound, VersionMismatch unless its version is one of `versions`, SlugTaken,
    and InvalidProduct that names every broken rule.
    """
    product = _locked(product_id)
    require_version(product.version, versions)
    options = list(product.options.order_by("position", "id"))
    values = _columns(product, changes, now=now)
    problems = [*_problems(product, values), *_option_problems(options, changes)]
    if problems:
        raise InvalidProduct("; ".join(problems[:5]) + ".", problems=problems)
    renamed = _rename(options, changes.get("options"))
    differing = {name: value for name, value in values.items() if getattr(product, name) != value}
    if not differing and not renamed:
        return product
    old_slug = product.slug
    for name, value in differing.items():
        setattr(product, name, value)
    if "slug" in differing and Product.objects.filter(slug=product.slug).exists():
        raise _slug_taken(product.slug)
    try:
        with transaction.atomic():
            product.save(update_fields=[*differing, "updated_at"])
    except IntegrityError:
        raise _slug_taken(product.slug) from None
    product_was_edited(product_id=product_id, now=now, old_slug=old_slug)
    product.refresh_from_db()
    return product


@transaction.atomic
def remove_product(
    *, product_id: int, now: datetime, versions: Collection[int] | None = None
) -> Literal["deleted", "archived"]:
    """Delete the product with all that belongs to it, or archive it if others point at it.

    What was sold, stocked or waited for stays: orders and the ledger speak of it. Says which of
    the two became of it. Raises ProductNotFound, and VersionMismatch.
    """
    product = _locked(product_id)
    require_version(product.version, versions)
    variant_ids = list(
        Variant.objects.filter(product=product).order_by("pk").values_list("pk", flat=True)
    )
    if are_variants_used(variant_ids):
        archive_products(product_ids=[product_id], now=now)
        return "archived"
    forget_on_commit(product_ids=[product_id], also=[product.slug])
    product.delete()
    return "deleted"


def are_variants_used(variant_ids: Sequence[int]) -> bool:
    """Tell whether anything outside the catalogue points at these variants, and lock them.

    Who is about to point at one waits for the caller's transaction, so the answer holds in it.
    """
    list(
        Variant.objects.filter(pk__in=variant_ids)
        .order_by("pk")
        .select_for_update(of=("self",))
        .values_list("pk")
    )
    # Whoever they are: the catalogue knows no floor above it, and the tables say it all the same.
    return any(
        relation.field.model._base_manager.filter(
            **{f"{relation.field.name}__in": variant_ids}
        ).exists()
        for relation in Variant._meta.get_fields(include_hidden=True)
        if isinstance(relation, ForeignObjectRel)
        and relation.field.model._meta.app_label != Variant._meta.app_label
    )


def _locked(product_id: int) -> Product:
    product = Product.objects.filter(pk=product_id).locked().first()
    if product is None:
        raise ProductNotFound("There is no such product.")
    return product


def _columns(product: Product, changes: ProductChanges, *, now: datetime) -> dict[str, object]:
    values: dict[str, object] = {
        name: value
        for name, value in changes.items()
        if name not in {"category_slug", "options", "tags", "attributes", "description_html"}
    }
    for name in ("title", "vendor", "product_type"):
        if name in values:
            values[name] = str(values[name]).strip()
    if "description_html" in changes:
        values["description_html"] = sanitised(changes["description_html"])
    if "tags" in changes:
        values["tags"] = list(dict.fromkeys(tag.strip() for tag in changes["tags"] if tag.strip()))
    if "attributes" in changes:
        values["attributes"] = dict(changes["attributes"])
    if "category_slug" in changes:
        values["category_id"] = _category_id(changes["category_slug"])
    becomes_active = changes.get("status") == Product.Status.ACTIVE
    if becomes_active and product.published_at is None and "published_at" not in changes:
        values["published_at"] = now
    return values


def _category_id(slug: str | None) -> int | None:
    if slug is None:
        return None
    found: int | None = Category.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if found is None:
        problem = f"there is no category {slug}"
        raise InvalidProduct(f"{problem}.", problems=[problem])
    return found


def _problems(product: Product, values: Mapping[str, object]) -> Iterable[str]:
    names = (
        "slug",
        "title",
        "description_html",
        "vendor",
        "product_type",
        "tags",
        "status",
        "seo_title",
        "seo_description",
        "attributes",
    )
    whole = {name: values.get(name, getattr(product, name)) for name in names}
    draft = ProductDraft(**whole)  # type: ignore[arg-type]
    yield from draft_problems(draft)
    if "attributes" in values or "product_type" in values:
        yield from attribute_problems(
            name=draft.slug,
            product_type=draft.product_type,
            attributes=draft.attributes,
            definitions=definitions_of([draft.product_type]),
        )


def _option_problems(options: Sequence[ProductOption], changes: ProductChanges) -> Iterable[str]:
    if "options" not in changes:
        return
    names = list(changes["options"])
    if len(names) != len(options):
        yield f"it has {len(options)} options, which get as many names"
    yield from draft_problems(ProductDraft(slug="options", title="options", options=names))


def _rename(options: Sequence[ProductOption], names: Sequence[str] | None) -> bool:
    if names is None or [option.name for option in options] == list(names):
        return False
    # One that takes a name which another one gives up: all of them step aside first.
    for option in options:
        option.name = f"\x1f{option.pk}"
    ProductOption.objects.bulk_update(options, ["name"])
    for option, name in zip(options, names, strict=True):
        option.name = name
    ProductOption.objects.bulk_update(options, ["name"])
    return True


def _slug_taken(slug: str) -> SlugTaken:
    return SlugTaken("Another product has this slug.", slug=slug)
