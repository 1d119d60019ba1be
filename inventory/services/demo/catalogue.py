"""What the demo shop sells, read from `inventory/demo/catalogue.toml` and completed without chance.

Every number and name that the file does not give is derived from a digest of the product's own
name, so the same file makes the same shop everywhere, and a new line changes no other product.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TypedDict

from django.utils.text import slugify

from inventory.services.demo.canvas import Colour

CATALOGUE = Path(__file__).resolve().parent.parent.parent / "demo" / "catalogue.toml"
FIRST_SEEN = datetime(2025, 1, 6, 9, tzinfo=UTC)  # the oldest product may be this old

_LOW_AT = 5  # units
_BACKORDERS = 25  # units
_EUROS_PER_POUND = 117  # in parts of a hundred
_SMALL_WORDS = frozenset({"a", "the", "in", "for", "and", "of", "to", "most"})
_PROPER = (("t-shirt", "T-shirt"), ("breton", "Breton"), ("english", "English"))


class _SizeSet(TypedDict):
    names: list[str]
    adds: list[int]
    weights: list[int]


class _Shelf(TypedDict, total=False):
    path: list[str]
    code: str
    type: str
    tax: str
    makers: list[str]
    made_in: list[str]
    leads: list[str]
    uses: list[str]
    care: list[str]
    goods: str


@dataclass(frozen=True, slots=True)
class DemoPicture:
    """What `draw_picture` needs, and the words for who cannot see it."""

    kind: str
    colour: Colour
    look: int
    pattern: str
    alt: str


@dataclass(frozen=True, slots=True)
class DemoVariant:
    """One SKU of the demo. Prices in pence and cents, picture by its place from 1."""

    sku: str
    option_values: tuple[str, ...]
    prices: Mapping[str, tuple[int, int | None]]
    barcode: str
    weight_grams: int
    units: int
    backorder_limit: int
    low_at: int
    picture: int


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """One product of the demo."""

    slug: str
    title: str
    description_html: str
    vendor: str
    product_type: str
    category_path: tuple[str, ...]
    tags: tuple[str, ...]
    attributes: Mapping[str, str]
    tax_class: str
    seo_description: str
    published_at: datetime
    options: tuple[str, ...]
    variants: tuple[DemoVariant, ...]
    pictures: tuple[DemoPicture, ...]


@lru_cache(maxsize=1)
def demo_products() -> tuple[DemoProduct, ...]:
    """Return the whole demo catalogue, always the same."""
    file = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    colours = {name: _rgb(code) for name, code in file["colours"].items()}
    sizes: dict[str, _SizeSet] = file["sizes"]
    shelves: list[_Shelf] = file["shelf"]
    return tuple(product for shelf in shelves for product in _products_on(shelf, colours, sizes))


def ean13(number: int) -> str:
    """Return a barcode of the range that GS1 keeps for use inside a shop, with its check digit."""
    digits = f"20{number % 10**10:010d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


def _products_on(
    shelf: _Shelf, colours: Mapping[str, Colour], sizes: Mapping[str, _SizeSet]
) -> Iterator[DemoProduct]:
    for line in shelf["goods"].strip().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        title, kind, pence, grams, colour_cell, size_cell, material, *rest = cells
        more = dict(pair.split("=", 1) for pair in " ".join(rest).split())
        yield _product(
            shelf,
            _Good(
                title=title,
                kind=kind,
                pence=int(pence),
                grams=int(grams),
                colours=tuple(name.strip() for name in colour_cell.lstrip("=").split(",")),
                has_colour_choice=not colour_cell.startswith("="),
                sizes=sizes[size_cell] if size_cell else None,
                material=material,
                pattern=more.get("pattern", ""),
                stock=more.get("stock", ""),
                code=more.get("code", "") or _code(title),
                look=int(more.get("look", _number(slugify(title), "look", 60))),
            ),
            colours,
        )


@dataclass(frozen=True, slots=True)
class _Good:
    """One line of a shelf."""

    title: str
    kind: str
    pence: int
    grams: int
    colours: tuple[str, ...]
    has_colour_choice: bool
    sizes: _SizeSet | None
    material: str
    pattern: str
    stock: str
    code: str
    look: int


def _product(shelf: _Shelf, good: _Good, colours: Mapping[str, Colour]) -> DemoProduct:
    slug = slugify(good.title)
    maker = _pick(shelf["makers"], slug, "maker")
    made_in = _pick(shelf["made_in"], slug, "made in")
    lead = _sentence(_pick(shelf["leads"], slug, "lead"), good, maker)
    use = _sentence(_pick(shelf["uses"], slug, "use"), good, maker)
    care = _sentence(_pick(shelf["care"], slug, "care"), good, maker)
    is_reduced = _number(slug, "reduced", 7) == 0
    return DemoProduct(
        slug=slug,
        title=good.title,
        description_html=(
            f"<p>{escape(lead)} {escape(use)}</p>"
            f"<ul><li>Material: {escape(good.material)}</li>"
            f"<li>{escape(_origin(made_in))}</li>"
            f"<li>{escape(care)}</li></ul>"
        ),
        vendor=maker,
        product_type=shelf["type"],
        category_path=tuple(shelf["path"]),
        tags=_tags(shelf, good, is_reduced=is_reduced),
        attributes={"material": good.material, "origin": _origin(made_in)},
        tax_class=shelf.get("tax", "STANDARD"),
        seo_description=lead,
        published_at=FIRST_SEEN + timedelta(hours=_number(slug, "published", 24 * 300)),
        options=_options(good),
        variants=tuple(_variants(shelf, good, is_reduced=is_reduced)),
        pictures=tuple(
            DemoPicture(
                good.kind, colours[name], good.look, good.pattern, f"{good.title} in {name.lower()}"
            )
            if good.has_colour_choice
            else DemoPicture(good.kind, colours[name], good.look, good.pattern, good.title)
            for name in good.colours
        ),
    )


def _options(good: _Good) -> tuple[str, ...]:
    colour = ("Colour",) if good.has_colour_choice else ()
    size = ("Size",) if good.sizes else ()
    return colour + size


def _variants(shelf: _Shelf, good: _Good, *, is_reduced: bool) -> Iterator[DemoVariant]:
    for picture, colour in enumerate(good.colours, start=1):
        for size, added, weight in _sizes(good):
            values = [colour] if good.has_colour_choice else []
            if size:
                values.append(size)
            parts = (shelf["code"], good.code, *(_letters(value) for value in values))
            sku = "-".join(parts)
            pence = good.pence + added
            units, backorders = _stock(good.stock, sku)
            yield DemoVariant(
                sku=sku,
                option_values=tuple(values),
                prices={
                    "GBP": (pence, _before(pence) if is_reduced else None),
                    "EUR": (_euros(pence), _euros(_before(pence)) if is_reduced else None),
                },
                barcode=ean13(_number(sku, "barcode", 10**10)),
                weight_grams=good.grams * weight // 100,
                units=units,
                backorder_limit=backorders,
                low_at=_LOW_AT,
                picture=picture,
            )


def _sizes(good: _Good) -> Iterator[tuple[str, int, int]]:
    if good.sizes is None:
        yield "", 0, 100
        return
    yield from zip(good.sizes["names"], good.sizes["adds"], good.sizes["weights"], strict=True)


def _stock(word: str, sku: str) -> tuple[int, int]:
    """Return the units on hand and those that may be sold before they come in."""
    if word == "none":
        return 0, 0
    if word == "backorder":
        return 0, _BACKORDERS
    if word == "low":
        return 1 + _number(sku, "units", _LOW_AT - 1), 0
    if word:
        return int(word), 0
    chance = _number(sku, "chance", 100)
    if chance < 3:
        return 0, 0
    if chance < 10:
        return 1 + _number(sku, "units", _LOW_AT - 1), 0
    return 12 + _number(sku, "units", 130), 0


def _tags(shelf: _Shelf, good: _Good, *, is_reduced: bool) -> tuple[str, ...]:
    tags = [shelf["path"][-1].lower(), good.material.lower()]
    if good.pattern:
        tags.append(good.pattern)
    if is_reduced:
        tags.append("reduced")
    return tuple(tags)


def _sentence(template: str, good: _Good, maker: str) -> str:
    thing = good.title.lower()
    for plain, proper in _PROPER:
        thing = thing.replace(plain, proper)
    if good.material.lower() in thing.lower():
        # "A lambswool scarf in lambswool" says it twice.
        template = re.sub(r"(, |[,:] | (in|of) )\{material\}", "", template)
    if thing[0] in "aeiou":
        template = re.sub(r"\b([Aa]) \{thing\}", r"\1n {thing}", template)
    text = template.format(title=good.title, thing=thing, material=good.material, maker=maker)
    return text[0].upper() + text[1:]


def _origin(made_in: str) -> str:
    return made_in if " in " in made_in else f"Made in {made_in}"


def _code(title: str) -> str:
    """Return the word of the title that tells it apart, as part of a SKU."""
    words = [word for word in re.findall(r"[^\W\d_]+", title) if word.lower() not in _SMALL_WORDS]
    return _letters(words[0])[:8]


def _letters(text: str) -> str:
    return slugify(text).replace("-", "").upper()


def _before(pence: int) -> int:
    """Return what it cost before: a quarter more, to the next half pound."""
    return -(-pence * 5 // 4 // 50) * 50


def _euros(pence: int) -> int:
    """Return the price in cents, to the nearest ten."""
    return (pence * _EUROS_PER_POUND + 500) // 1000 * 10


def _pick(choices: list[str], slug: str, what: str) -> str:
    return choices[_number(slug, what, len(choices))]


def _number(name: str, what: str, below: int) -> int:
    """Return a number that is always the same for a name, and otherwise as good as any."""
    digest = hashlib.blake2b(f"{what}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below


def _rgb(code: str) -> Colour:
    red, green, blue = bytes.fromhex(code.removeprefix("#"))
    return red, green, blue
