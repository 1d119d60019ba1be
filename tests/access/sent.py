"""What is sent to the routes. All of it is right: a refusal has no other reason than who asks."""

from typing import Any
from uuid import uuid4

from accounts.services.links import Purpose
from tests.access.world import NOBODY, OTHER, OWNER, World, a_file
from tests.make import orders as make_orders
from tests.make.accounts import PASSWORD, address_fields


def fresh_email(world: World, who: str) -> dict[str, Any]:
    return {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}


def credentials(world: World, who: str) -> dict[str, Any]:
    return {"email": world.user(OWNER).email, "password": PASSWORD}


def email(world: World, who: str) -> dict[str, Any]:
    return {"email": world.user(OWNER).email}


def refresh(world: World, who: str) -> dict[str, Any]:
    return {"refresh": world.session(OWNER).refresh}


def verification(world: World, who: str) -> dict[str, Any]:
    return {"token": world.link(OWNER, Purpose.VERIFY_EMAIL)}


def reset(world: World, who: str) -> dict[str, Any]:
    return {"token": world.link(OWNER, Purpose.RESET_PASSWORD), "password": "a-new-harbour-43"}


def new_password(world: World, who: str) -> dict[str, Any]:
    return {"current_password": PASSWORD, "new_password": "a-new-harbour-43"}


def first_letters(world: World, who: str) -> dict[str, Any]:
    return {"q": "mu"}


def password(world: World, who: str) -> dict[str, Any]:
    return {"password": PASSWORD}


def another_email(world: World, who: str) -> dict[str, Any]:
    return {"new_email": f"{uuid4().hex}@example.com", "password": PASSWORD}


def confirmed_email(world: World, who: str) -> dict[str, Any]:
    return {"token": world.email_link(OWNER)}


def second_step(world: World, who: str) -> dict[str, Any]:
    return world.second_step()


def code_alone(world: World, who: str) -> dict[str, Any]:
    return {"code": "123456"}


def password_and_code(world: World, who: str) -> dict[str, Any]:
    return {"password": PASSWORD, "factor": "totp", "code": "123456"}


def name(world: World, who: str) -> dict[str, Any]:
    return {"full_name": "Ada King"}


def address(world: World, who: str) -> dict[str, Any]:
    return address_fields()


def city(world: World, who: str) -> dict[str, Any]:
    return {"city": "Leeds"}


def item(world: World, who: str) -> dict[str, Any]:
    return {"variant_id": world.variant().pk, "quantity": 1}


def two(world: World, who: str) -> dict[str, Any]:
    return {"quantity": 2}


def voucher(world: World, who: str) -> dict[str, Any]:
    return {"code": "NONE"}


def guests_cart(world: World, who: str) -> dict[str, Any]:
    return {"token": world.guest_cart(f"left by {who}")}


def to_britain(world: World, who: str) -> dict[str, Any]:
    return {"country": "GB"}


def checkout(world: World, who: str) -> dict[str, Any]:
    changes: dict[str, Any] = {} if who == NOBODY else {"email": None}
    return make_orders.body(**changes)


def preview(world: World, who: str) -> dict[str, Any]:
    body = checkout(world, who)
    del body["payment"]
    return body


def cart_and_key(world: World, who: str) -> dict[str, Any]:
    return {**world.cart(who), "Idempotency-Key": uuid4().hex}


def lookup(world: World, who: str) -> dict[str, Any]:
    return {"number": world.order(NOBODY)["number"], "email": make_orders.EMAIL}


def reason(world: World, who: str) -> dict[str, Any]:
    return {"reason": "Changed my mind"}


def outcome(world: World, who: str) -> dict[str, Any]:
    return {"outcome": "succeed"}


def empty(world: World, who: str) -> dict[str, Any]:
    return {}


def in_main(world: World, **more: Any) -> dict[str, Any]:
    return {"sku": world.sku(), "warehouse": "main", **more}


def lines(world: World, **more: Any) -> dict[str, Any]:
    return {"lines": [{"sku": world.sku(), "quantity": 1}], **more}


def adjustment(world: World, who: str) -> dict[str, Any]:
    return in_main(world, delta=1, reason="Found one")


def count(world: World, who: str) -> dict[str, Any]:
    return in_main(world, counted=50, reason="Counted")


def receipt(world: World, who: str) -> dict[str, Any]:
    return lines(world, warehouse="main")


def returned(world: World, who: str) -> dict[str, Any]:
    return lines(world, to="stock", reason="Came back")


def bulk(world: World, who: str) -> dict[str, Any]:
    return {"rows": [in_main(world, on_hand=40)]}


def transfer(world: World, who: str) -> dict[str, Any]:
    world.transfer(who)  # so that the second warehouse is there
    return {**lines(world), "from": "main", "to": "second"}


def units(world: World, who: str) -> dict[str, Any]:
    return {"units": 2}


def sale(world: World, who: str) -> dict[str, Any]:
    return {
        "variant_id": world.variant().pk,
        "slug": "matrix",
        "name": "Matrix",
        "starts_at": "2031-11-28T09:00:00Z",
        "ends_at": "2031-11-28T10:00:00Z",
        "units": 5,
    }


def wish(world: World, who: str) -> dict[str, Any]:
    return {
        "variant_id": world.sold_out().pk,
        **({"email": "g@example.com"} if who == NOBODY else {}),
    }


def upload(world: World, who: str) -> dict[str, Any]:
    return {"file": a_file(), "format": "native_csv"}


def export(world: World, who: str) -> dict[str, Any]:
    return {"format": "native_csv"}


# Things of somebody else's, named beside the path.


def others_order_token(world: World, who: str) -> dict[str, dict[str, Any]]:
    return {"headers": {"X-Order-Token": world.order_token(NOBODY)["X-Order-Token"]}}


def others_quote(world: World, who: str) -> dict[str, dict[str, Any]]:
    other = OTHER if who != OTHER else OWNER
    world.cart(other)
    told = world.client(other).post("/api/v1/checkout/preview", preview(world, other), "json")
    return {"body": {"quote_token": told.json()["quote_token"]}}


def others_result(world: World, who: str) -> dict[str, dict[str, Any]]:
    return {"query": world.result_token(OTHER if who != OTHER else OWNER)}


def others_address(world: World, who: str) -> dict[str, dict[str, Any]]:
    other = world.address(OTHER if who != OTHER else OWNER)["address_id"]
    return {"body": {"shipping_address": {**make_orders.address(), "id": other}}}


def nowhere(world: World, who: str) -> dict[str, Any]:
    return {"path": "nothing/here"}


def code(world: World, who: str) -> dict[str, Any]:
    return {"code": "not_found"}


def terms(world: World, who: str) -> dict[str, Any]:
    return {"low_at": 3}


def warehouse(world: World, who: str) -> dict[str, Any]:
    return {"code": "third", "name": "Third", "country": "GB"}


def warehouse_change(world: World, who: str) -> dict[str, Any]:
    return {"name": "Fourth"}


def product(world: World, who: str) -> dict[str, Any]:
    return {"title": "Made by the matrix"}


def products(world: World, who: str) -> dict[str, Any]:
    return {"products": [{"slug": "by-the-matrix", "title": "Made by the matrix"}]}


def variant(world: World, who: str) -> dict[str, Any]:
    # Another value for the options that the product has.
    return {"sku": "BY-THE-MATRIX", "options": {"Size": "XL"}}


def barcode(world: World, who: str) -> dict[str, Any]:
    return {"barcode": "4006381333931"}


def picture(world: World, who: str) -> dict[str, Any]:
    return {"url": "https://cdn.example.com/picture.jpg"}


def picture_order(world: World, who: str) -> dict[str, Any]:
    return {"image_ids": [world.image(who)["image_id"]]}


def picture_text(world: World, who: str) -> dict[str, Any]:
    return {"alt": "A picture"}


def related(world: World, who: str) -> dict[str, Any]:
    return {"product_ids": []}


def category(world: World, who: str) -> dict[str, Any]:
    return {"name": "Made by the matrix"}


def collection(world: World, who: str) -> dict[str, Any]:
    return {"title": "Made by the matrix"}


def prices(world: World, who: str) -> dict[str, Any]:
    return {"prices": [{"sku": world.sku(), "price": {"amount": "12.00", "currency": "GBP"}}]}


def review(world: World, who: str) -> dict[str, Any]:
    world.order(who)  # who has not bought it may not
    return {"rating": 5, "title": "Good", "body": "It is."}


def approval(world: World, who: str) -> dict[str, Any]:
    return {"status": "approved"}
