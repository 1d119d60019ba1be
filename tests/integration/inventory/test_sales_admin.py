"""Flash sales in the admin: planned by the services, watched on a dashboard."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from inventory.models import FlashSale, PurchaseLimit
from inventory.services import StockLine, reserve_stock
from tests.make import inventory as make
from tests.make import sales
from tests.make.accounts import make_staff, superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(client: Client) -> Client:
    client.force_login(superuser())
    return client


def form(variant_id: int, **changes: Any) -> dict[str, Any]:
    now = timezone.now()
    fields = {
        "name": "Black Friday",
        "slug": "black-friday",
        "variant": variant_id,
        "units": 5,
        "limit_per_customer": "",
        "admitted_per_second": 50,
        "admitted_at_once": 16,
    }
    for name, at in (("starts_at", now), ("ends_at", now + timedelta(hours=1))):
        fields |= {f"{name}_0": at.strftime("%Y-%m-%d"), f"{name}_1": at.strftime("%H:%M:%S")}
    return {**fields, **changes}


def dashboard(sale: FlashSale) -> str:
    return reverse("admin:inventory_flashsale_dashboard", args=[sale.pk])


def test_a_sale_is_planned_and_changed(clerk: Client) -> None:
    variant = make.stock().variant

    made = clerk.post(reverse("admin:inventory_flashsale_add"), form(variant.pk))

    assert made.status_code == 302, made.content.decode()[:3000]
    sale = FlashSale.objects.get()
    assert (sale.units, sale.version, sale.variant) == (5, 1, variant)
    change = reverse("admin:inventory_flashsale_change", args=[sale.pk])
    assert clerk.post(change, form(variant.pk, units=8)).status_code == 302
    sale.refresh_from_db()
    assert (sale.units, sale.version) == (8, 2)
    assert (
        clerk.post(
            reverse("admin:inventory_flashsale_delete", args=[sale.pk]), {"post": "yes"}
        ).status_code
        == 302
    )
    assert not FlashSale.objects.exists()


def test_one_in_the_way_is_told_and_nothing_happens(clerk: Client) -> None:
    stock = make.stock()
    sales.flash_sale(stock.variant)

    answer = clerk.post(
        reverse("admin:inventory_flashsale_add"), form(stock.variant_id), follow=True
    )

    assert "has one flash sale at a time" in answer.content.decode()
    assert FlashSale.objects.count() == 1


def test_a_limit_is_set_and_removed(clerk: Client) -> None:
    variant = make.stock().variant

    clerk.post(
        reverse("admin:inventory_purchaselimit_add"),
        {"variant": variant.pk, "units": 2, "window_days": 30},
    )
    limit = PurchaseLimit.objects.get()
    assert (limit.units, limit.window_days) == (2, 30)

    clerk.post(reverse("admin:inventory_purchaselimit_delete", args=[limit.pk]), {"post": "yes"})
    assert not PurchaseLimit.objects.exists()


@pytest.mark.parametrize("sold", [0, 3])
def test_the_dashboard_shows_how_it_goes(clerk: Client, sold: int) -> None:
    stock = make.stock(on_hand=10)
    sale = sales.flash_sale(stock.variant, units=5)
    now = timezone.now()
    for number in range(sold):
        reserve_stock(
            lines=[StockLine(stock.variant_id, 1)],
            reference=f"order:{number}",
            expires_at=now + timedelta(minutes=15),
            now=now,
        )

    page = clerk.get(dashboard(sale))
    news = clerk.get(reverse("admin:inventory_flashsale_progress", args=[sale.pk]))

    assert page.status_code == 200
    assert sale.name in page.content.decode()
    # Nothing but files of our own and what the theme was let have before.
    policy = page["Content-Security-Policy"].split("; ")
    assert "script-src 'self' 'unsafe-eval' 'unsafe-inline'" in policy
    assert "no-store" in news["Cache-Control"]
    told = json.loads(news.content)
    assert (told["held"], told["left"], told["units"]) == (sold, 5 - sold, 5)
    assert (told["waiting"], told["refused"]) == (0, 0)
    assert round(sum(told["pace"]) * told["step_seconds"]) == sold


@pytest.mark.parametrize("name", ["dashboard", "progress"])
def test_the_dashboard_is_for_those_who_may_see_sales(client: Client, name: str) -> None:
    sale = sales.flash_sale(make.stock().variant)
    path = reverse(f"admin:inventory_flashsale_{name}", args=[sale.pk])

    assert client.get(path).status_code == 302
    client.force_login(make_staff("inventory.view_stock"))
    assert client.get(path).status_code == 403
    client.force_login(make_staff("inventory.view_flashsale"))
    assert client.get(path).status_code == 200
    assert client.get(path.replace(str(sale.pk), "999999")).status_code == 404
