"""Loading the demo: once, completely, and put right again on demand."""

from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from catalog.models import Category, Price, Product, ProductImage, ProductListing, Variant
from inventory.models import Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import StockLine, commit_stock, reserve_stock
from inventory.services.demo import is_demo_loaded, load_demo, reset_demo
from inventory.services.demo import load as demo_load
from inventory.services.demo.catalogue import DemoProduct, demo_products
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _warehouse(db: None) -> None:
    """Have the warehouse that every shop has, also after a test that emptied all tables."""
    make_warehouse()


@pytest.fixture(autouse=True)
def _quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw next to nothing: drawing itself is tested elsewhere, and takes its time."""

    def draw(*, kind: str, colour: tuple[int, int, int], look: int, pattern: str) -> bytes:
        file = BytesIO()
        with Image.new("RGB", (4, 2 + look), colour) as image:
            image.save(file, "PNG")
        return file.getvalue()

    monkeypatch.setattr(demo_load, "draw_picture", draw)


def only(count: int, monkeypatch: pytest.MonkeyPatch) -> list[DemoProduct]:
    """Have the demo consist of so many products, besides those that the tests name."""
    products = demo_products()
    named = [product for product in products if product.slug in NAMED]
    chosen = named + [product for product in products if product.slug not in NAMED][:count]
    monkeypatch.setattr(demo_load, "demo_products", lambda: tuple(chosen))
    return chosen


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[DemoProduct]:
    return only(3, monkeypatch)


NAMED = {"stoneware-mug", "chequered-tea-cup", "stock-pot", "purple-carrot-seeds"}


def everything() -> dict[str, Any]:
    """Return what a reload must not change."""
    return {
        "products": list(Product.objects.order_by("id").values()),
        "variants": list(Variant.objects.order_by("id").values()),
        "prices": list(Price.objects.order_by("id").values()),
        "images": list(ProductImage.objects.order_by("id").values()),
        "stock": list(Stock.objects.order_by("id").values()),
        "movements": StockMovement.objects.count(),
    }


def sold(sku: str, quantity: int) -> Stock:
    """Sell some units of a demo product and return its stock."""
    variant = Variant.objects.get(sku=sku)
    now = timezone.now()
    reserve_stock(
        lines=[StockLine(variant.pk, quantity)],
        reference=f"order:{sku}:{quantity}",
        expires_at=now + timedelta(minutes=15),
        now=now,
    )
    commit_stock(reference=f"order:{sku}:{quantity}", now=now)
    return Stock.objects.get(variant=variant)


def test_fills_an_empty_shop() -> None:
    result = load_demo(now=timezone.now())

    products = demo_products()
    assert result.created == len(products) == Product.objects.count()
    assert result.variants == Variant.objects.count()
    assert Category.objects.count() >= 25
    assert ProductListing.objects.filter(currency="GBP").count() == len(products)
    assert ProductListing.objects.filter(currency="EUR").count() == len(products)
    assert Stock.objects.count() == result.variants
    mug = Stock.objects.get(variant__sku="MUG-STONE-BLUE")
    assert (mug.on_hand, mug.reserved, mug.low_at) == (5000, 0, 5)
    assert drifted_stock() == []
    assert not Product.objects.filter(images=None).exists()
    image = ProductImage.objects.filter(product__slug="stoneware-mug").earliest("position")
    assert default_storage.exists(image.file.name)
    assert image.alt == "Stoneware Mug in blue"


@pytest.mark.usefixtures("small")
def test_shoppers_are_told_of_the_stock_at_once() -> None:
    load_demo(now=timezone.now())

    states = dict(
        Variant.objects.filter(
            sku__in=["MUG-STONE-BLUE", "MUG-CHEQUERE-PLUM", "PAN-STOCK", "SED-PURPLE"]
        ).values_list("sku", "availability_state")
    )
    assert states == {
        "MUG-STONE-BLUE": "in_stock",
        "MUG-CHEQUERE-PLUM": "low_stock",
        "PAN-STOCK": "backorder",
        "SED-PURPLE": "out_of_stock",
    }


@pytest.mark.usefixtures("small")
def test_is_loaded_once(django_assert_num_queries: Any) -> None:
    load_demo(now=timezone.now())
    before = everything()

    # Expect 1: is it there?
    with django_assert_num_queries(1):
        again = load_demo(now=timezone.now())

    assert again.is_present
    assert everything() == before


def test_takes_the_same_queries_for_any_number_of_products(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queries = []
    for count in (1, 5):  # all of them on the same shelves
        only(count, monkeypatch)
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            load_demo(now=timezone.now())
            transaction.set_rollback(True)
        queries.append(len(captured))

    assert queries[0] == queries[1]


def test_a_load_that_was_cut_short_is_completed(
    small: list[DemoProduct], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(demo_load, "receive_stock", cut_short)
        with pytest.raises(KeyboardInterrupt):
            load_demo(now=timezone.now())
    assert not is_demo_loaded()

    result = load_demo(now=timezone.now())

    assert result.unchanged == len(small)
    assert is_demo_loaded()
    assert Stock.objects.get(variant__sku="MUG-STONE-BLUE").on_hand == 5000


def cut_short(**_: object) -> None:
    raise KeyboardInterrupt


def test_a_reset_without_a_demo_loads_it(small: list[DemoProduct]) -> None:
    result = reset_demo(now=timezone.now())

    assert result.created == len(small)
    assert is_demo_loaded()


@pytest.mark.usefixtures("small")
def test_a_reset_of_an_untouched_demo_changes_nothing() -> None:
    load_demo(now=timezone.now())
    before = everything()

    result = reset_demo(now=timezone.now())

    assert (result.created, result.updated) == (0, 0)
    assert everything() == before


@pytest.mark.usefixtures("small")
def test_a_reset_restores_what_was_sold_and_edited() -> None:
    load_demo(now=timezone.now())
    sold("MUG-STONE-BLUE", 40)
    Price.objects.filter(variant__sku="MUG-STONE-BLUE", currency="GBP").update(amount_minor=1)
    Product.objects.filter(slug="stoneware-mug").update(title="Broken", status="ARCHIVED")
    ProductImage.objects.filter(product__slug="stoneware-mug").delete()

    result = reset_demo(now=timezone.now())

    assert result.updated == 1
    mug = Product.objects.get(slug="stoneware-mug")
    assert (mug.title, mug.status, mug.images.count()) == ("Stoneware Mug", "ACTIVE", 3)
    stock = Stock.objects.get(variant__sku="MUG-STONE-BLUE")
    assert (stock.on_hand, stock.reserved) == (5000, 0)
    price = Price.objects.get(variant__sku="MUG-STONE-BLUE", currency="GBP")
    assert price.amount_minor == 1200
    last = StockMovement.objects.latest("id")
    assert (last.delta_on_hand, last.reason) == (40, "Demo reset")
    assert drifted_stock() == []


@pytest.mark.usefixtures("small")
def test_a_reset_keeps_promises() -> None:
    load_demo(now=timezone.now())
    variant = Variant.objects.get(sku="PAN-STOCK")  # sold only as a back-order
    now = timezone.now()
    reserve_stock(
        lines=[StockLine(variant.pk, 3)],
        reference="order:1",
        expires_at=now + timedelta(minutes=15),
        now=now,
    )
    products = Product.objects.count()

    reset_demo(now=timezone.now())

    stock = Stock.objects.get(variant=variant)
    assert (stock.on_hand, stock.reserved, stock.backorder_limit) == (0, 3, 25)
    assert Product.objects.count() == products
    assert drifted_stock() == []


@pytest.mark.usefixtures("small")
def test_a_reset_leaves_other_products_alone() -> None:
    load_demo(now=timezone.now())
    now = timezone.now()
    own = Product.objects.create(slug="own", title="Own", created_at=now, updated_at=now)

    reset_demo(now=timezone.now())

    own.refresh_from_db()
    assert (own.title, own.version, own.updated_at) == ("Own", 1, now)


def test_the_command_tells_what_it_did(small: list[DemoProduct]) -> None:
    out = StringIO()

    call_command("load_demo", stdout=out)
    call_command("load_demo", stdout=out)

    first, second = out.getvalue().strip().splitlines()
    assert f"{len(small)} products created" in first
    assert second == "The demo catalogue is there already."


@pytest.mark.usefixtures("small")
def test_the_ledger_accounts_for_every_unit() -> None:
    load_demo(now=timezone.now())

    on_hand = Stock.objects.aggregate(units=Sum("on_hand"))["units"]
    received = StockMovement.objects.aggregate(units=Sum("delta_on_hand"))["units"]
    assert on_hand == received
    assert not Stock.objects.filter(reserved__gt=F("on_hand")).exists()
