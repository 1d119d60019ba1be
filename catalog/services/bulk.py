"""Many products at once, with a result for each: one that cannot be stops no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction

from catalog.errors import InvalidProduct, SkuTaken
from catalog.models import Category, Variant
from catalog.services.draft_rules import draft_problems
from catalog.services.drafts import ProductDraft
from catalog.services.products import upsert_products
from catalog.services.types import attribute_problems, definitions_of
from shop.errors import Busy

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class DraftOutcome:
    """What became of a draft: `code` and `detail` say why it failed, `problems` every reason."""

    slug: str
    outcome: Literal["created", "updated", "unchanged", "failed"]
    product_id: int | None = None
    code: str = ""
    detail: str = ""
    problems: tuple[str, ...] = ()


@transaction.atomic
def upsert_each(
    *, drafts: Sequence[ProductDraft], now: datetime, dry_run: bool = False
) -> list[DraftOutcome]:
    """Make those products what their drafts say that can be, and say of each what became of it.

    In the order of the drafts; of two with one slug or SKU the second fails. `dry_run`: only say
    what would become of them. Promises of `upsert_products` otherwise; three statements more.
    """
    for _ in range(ATTEMPTS):
        failed = _failures(drafts)
        possible = [draft for place, draft in enumerate(drafts) if place not in failed]
        try:
            with transaction.atomic():
                results = upsert_products(drafts=possible, now=now)
                transaction.set_rollback(dry_run)
        except (InvalidProduct, SkuTaken):
            continue  # somebody took a SKU or a category at this moment: now it can be seen
        outcomes = iter(
            DraftOutcome(
                slug=result.product.slug,
                outcome=result.outcome,
                # What was rolled back has no id, although it had one for a while.
                product_id=None if dry_run and result.outcome == "created" else result.product.pk,
            )
            for result in results
        )
        return [failed.get(place) or next(outcomes) for place in range(len(drafts))]
    raise Busy("Others are changing the same products.", retry_after=1)


def _failures(drafts: Sequence[ProductDraft]) -> dict[int, DraftOutcome]:
    wanted = {draft.category_slug for draft in drafts if draft.category_slug}
    shelves = set(Category.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    skus = {variant.sku for draft in drafts for variant in draft.variants}
    owners = dict(Variant.objects.filter(sku__in=skus).values_list("sku", "product__slug"))
    definitions = definitions_of(draft.product_type for draft in drafts)
    seen_slugs: set[str] = set()
    seen_skus: set[str] = set()
    failed = {}
    for place, draft in enumerate(drafts):
        own = {variant.sku for variant in draft.variants}
        taken = sorted(
            sku for sku in own if owners.get(sku, draft.slug) != draft.slug or sku in seen_skus
        )
        problems = list(draft_problems(draft))
        problems += attribute_problems(
            name=draft.slug,
            product_type=draft.product_type,
            attributes=draft.attributes,
            definitions=definitions,
        )
        if draft.category_slug and draft.category_slug not in shelves:
            problems.append(f"there is no category {draft.category_slug}")
        if draft.slug in seen_slugs:
            problems.append(f"{draft.slug}: there are two drafts of this slug")
        if problems:
            detail = "; ".join(problems[:5]) + "."
            failed[place] = DraftOutcome(
                draft.slug,
                "failed",
                code=InvalidProduct.code,
                detail=detail,
                problems=tuple(problems),
            )
        elif taken:
            detail = f"Another product has {', '.join(taken[:5])}."
            failed[place] = DraftOutcome(draft.slug, "failed", code=SkuTaken.code, detail=detail)
        else:
            seen_slugs.add(draft.slug)
            seen_skus |= own
    return failed
