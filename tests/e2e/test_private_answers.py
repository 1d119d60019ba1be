"""Two people ask at the same address: each gets their own, and no cache keeps it (E9)."""

from collections.abc import Mapping

import pytest
import requests

from tests.e2e.client import Shopper
from tests.e2e.conftest import ShopRun

PRIVATE = ["/me", "/me/addresses", "/cart", "/orders"]


def could_be_shared(headers: Mapping[str, str]) -> bool:
    """Tell whether a cache that many share may keep the answer (RFC 9111, section 3)."""
    said = {part.strip().partition("=")[0] for part in headers.get("Cache-Control", "").split(",")}
    return not said & {"no-store", "private"}


def customer(shop_run: ShopRun) -> Shopper:
    shopper = Shopper(shop_run.url)
    shopper.register()
    return shopper


def test_what_is_personal_is_kept_by_nobody(shop_run: ShopRun) -> None:
    ada, eve = customer(shop_run), customer(shop_run)
    variant = ada.get("/products/stoneware-mug").json()["variants"][0]["id"]
    assert ada.add(variant).status_code == 200
    assert ada.checkout().status_code == 201
    assert ada.add(variant, 2).status_code == 200

    told = {path: (ada.get(path), eve.get(path)) for path in PRIVATE}

    for path, answers in told.items():
        for answer in answers:
            assert answer.status_code == 200, (path, answer.text)
            assert answer.headers["Cache-Control"] == "private, no-store", path
            assert not could_be_shared(answer.headers)
    for name in ("id", "email_hash"):
        assert len({answer.json()[name] for answer in told["/me"]}) == 2
    assert [len(answer.json()["lines"]) for answer in told["/cart"]] == [1, 0]
    assert [len(answer.json()["results"]) for answer in told["/orders"]] == [1, 0]


def test_what_everybody_sees_is_the_same_whoever_asks(shop_run: ShopRun) -> None:
    """The negative control of the check above is here too: these answers may be shared."""
    ada, nobody = customer(shop_run), Shopper(shop_run.url)
    for path in ("/products/stoneware-mug", "/products/stoneware-mug/reviews", "/collections"):
        answers = [ada.get(path), nobody.get(path), ada.get(path)]

        assert len({answer.content for answer in answers}) == 1, path
        for answer in answers:
            assert could_be_shared(answer.headers), path
            assert answer.headers["Vary"] == "origin", path
            assert "Set-Cookie" not in answer.headers
            assert "X-Cart-Token" not in answer.headers


@pytest.mark.parametrize("path", ["/me", "/orders"])
def test_a_refusal_is_not_kept_either(path: str, shop_run: ShopRun) -> None:
    answer = requests.get(f"{shop_run.url}/api/v1{path}", timeout=120)

    assert answer.status_code == 401
    assert not could_be_shared(answer.headers)
