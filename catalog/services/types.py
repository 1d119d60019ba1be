"""What products of a kind must say of themselves."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Lower

from catalog.models import AttributeDefinition, Product, ProductType
from catalog.services.listing import in_batches, refresh_listing
from shop.outbox.services import publish

Definitions = Mapping[str, Sequence[AttributeDefinition]]  # by the type's name in lower case


def definitions_of(types: Iterable[str]) -> Definitions:
    """Return what is defined for these types, whatever their case. One query."""
    found: dict[str, list[AttributeDefinition]] = {}
    for definition in (
        AttributeDefinition.objects.annotate(type_name=Lower("product_type__name"))
        .filter(type_name__in={name.strip().lower() for name in types})
        .order_by("position", "id")
    ):
        found.setdefault(definition.type_name, []).append(definition)
    return found


def attribute_problems(
    *, name: str, product_type: str, attributes: Mapping[str, object], definitions: Definitions
) -> Iterable[str]:
    """Yield a sentence for each attribute that is not of the kind that its type wants.

    What the type does not define may be anything.
    """
    stated = {key.lower(): value for key, value in attributes.items()}
    for definition in definitions.get(product_type.strip().lower(), ()):
        value = stated.get(definition.name.lower())
        if value is not None and not _fits(value, definition):
            wanted = definition.get_kind_display().lower()
            if definition.kind == AttributeDefinition.Kind.CHOICE:
                wanted = f"one of {', '.join(definition.choices[:20])}"
            yield f"{name}: the attribute {definition.name} is {wanted}"


@transaction.atomic
def type_was_edited(*, product_type: ProductType) -> None:
    """Have the listing of the type's products follow, in the background."""
    publish(
        topic="catalog.type_changed",
        key=f"type:{product_type.pk}",
        payload={"v": 1, "name": product_type.name},
    )


def relist_type(*, name: str, now: datetime) -> int:
    """Bring the listing of all products of a type up to date, in batches; returns how many.

    Each batch is a transaction of its own. Safe to stop and repeat.
    """
    products = Product.objects.filter(product_type__iexact=name).order_by("pk")
    ids = list(products.values_list("pk", flat=True))
    for batch in in_batches(ids):
        refresh_listing(product_ids=batch, now=now)
    return len(ids)


def _fits(value: object, definition: AttributeDefinition) -> bool:
    match definition.kind:
        case AttributeDefinition.Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case AttributeDefinition.Kind.BOOLEAN:
            return isinstance(value, bool)
        case AttributeDefinition.Kind.CHOICE:
            return value in definition.choices
        case _:
            return isinstance(value, str)
