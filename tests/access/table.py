"""Who may come in where: one line for each route and method. A route without a line fails.

`public(…)` lets everybody in, `signed_in(…)` whoever has an account, `own(…)` the owner of the
thing that the path names, and `staff(permission, …)` those who work here and hold it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from uuid import uuid4

from accounts.services.links import Purpose
from shop.jobs.kinds import EXPORTS, IMPORTS
from tests.access.world import NOBODY, OTHER, OWNER, World, a_file
from tests.make import orders as make_orders
from tests.make.accounts import PASSWORD, address_fields

Part = Callable[[World, str], dict[str, Any]]
Door = Literal["public", "signed in", "own", "staff"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a route asks of those who come, and what it answers to those who may.

    A part gets the world and who asks, and returns what they send. `nested` are requests that are
    right but for a thing of somebody else's that they name beside the path; they must get one of
    `nested_answers`. `listed` is the member by which a list names things, and where each has one.
    """

    door: Door
    permissions: tuple[str, ...] = ()
    of: Part | None = None
    body: Part | None = None
    query: Part | None = None
    headers: Part | None = None
    form: str = "json"
    ok: frozenset[int] = frozenset({200})
    missing: int = 404
    nested: Mapping[str, Callable[[World, str], dict[str, dict[str, Any]]]] = field(
        default_factory=dict
    )
    nested_answers: frozenset[int] = frozenset({400, 403, 404, 409, 422})
    listed: tuple[str, Part] | None = None
    # With the permissions, things of others are there too.
    opens_others: bool = False
    # The table that keeps word of refusals, where that is what it is for.
    leaves: str = ""


def _entry(door: Door, *permissions: str, ok: int = 200, **parts: Any) -> Entry:
    return Entry(door, permissions, ok=frozenset({ok}), **parts)


public = partial(_entry, "public")
signed_in = partial(_entry, "signed in")
own = partial(_entry, "own")
staff = partial(_entry, "staff")


# What is sent. Everything is right, so that a refusal has no other reason than who asks.


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
    return make_orders.body(**({} if who == NOBODY else {"email": None}))


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


CHANGE_STOCK = "inventory.add_stockmovement"
NESTED_IN_CHECKOUT = {"an address": others_address, "a quote": others_quote}

TABLE: dict[str, Entry] = {
    "POST auth/register": public(body=fresh_email, ok=202),
    "POST auth/verify-email": public(body=verification, ok=204),
    "POST auth/token": public(body=credentials),
    "POST auth/token/refresh": public(body=refresh),
    "POST auth/logout": public(body=refresh, ok=204),
    "POST auth/logout-all": signed_in(ok=204),
    "POST auth/password/reset": public(body=email, ok=202),
    "POST auth/password/reset/confirm": public(body=reset, ok=204),
    "POST auth/password/change": signed_in(body=new_password, ok=204),
    "GET me": signed_in(),
    "PATCH me": signed_in(body=name),
    "GET me/addresses": signed_in(listed=("id", World.address)),
    "POST me/addresses": signed_in(body=address, ok=201),
    "GET me/addresses/<int:address_id>": own(of=World.address),
    "PUT me/addresses/<int:address_id>": own(of=World.address, body=address),
    "PATCH me/addresses/<int:address_id>": own(of=World.address, body=city),
    "DELETE me/addresses/<int:address_id>": own(of=World.address, ok=204),
    "GET categories": public(),
    "GET categories/<ref:slug>": public(of=World.category),
    "GET products": public(),
    "GET products/<ref:ref>": public(of=World.product),
    "GET products/<ref:ref>/related": public(of=World.product),
    "GET cart": public(headers=World.cart),
    "DELETE cart": public(headers=World.cart, ok=204),
    "POST cart/items": public(headers=World.cart, body=item),
    "PUT cart/items/<int:variant_id>": public(headers=World.cart, of=World.line, body=two),
    "DELETE cart/items/<int:variant_id>": public(headers=World.cart, of=World.line, missing=200),
    "POST cart/vouchers": public(headers=World.cart, body=voucher, ok=422),
    "DELETE cart/vouchers/<str:code>": public(headers=World.cart, of=code, missing=200),
    "POST cart/merge": signed_in(headers=World.cart, body=guests_cart),
    "GET cart/shipping-options": public(headers=World.cart, query=to_britain),
    "POST checkout": public(
        headers=cart_and_key,
        body=checkout,
        ok=201,
        nested=NESTED_IN_CHECKOUT,
        leaves="shop_idempotencykey",
    ),
    "POST checkout/preview": public(
        headers=World.cart, body=preview, nested={"an address": others_address}
    ),
    "GET orders": signed_in("orders.view_order", listed=("number", World.order), opens_others=True),
    "POST orders/lookup": public(body=lookup, ok=202),
    "GET orders/<str:number>": own(
        "orders.view_order", of=World.order, headers=World.order_token, opens_others=True
    ),
    "POST orders/<str:number>/cancel": own(
        "orders.change_order",
        of=World.order,
        headers=World.order_token,
        body=reason,
        opens_others=True,
    ),
    "GET sandbox/payments/<uuid:payment_id>/complete": public(of=World.payment),
    "POST sandbox/payments/<uuid:payment_id>/complete": public(of=World.payment, body=outcome),
    "GET inventory/stock": staff("inventory.view_stock"),
    "POST inventory/stock/bulk": staff(CHANGE_STOCK, body=bulk),
    "POST inventory/adjustments": staff(CHANGE_STOCK, body=adjustment, ok=201),
    "POST inventory/counts": staff(CHANGE_STOCK, body=count, ok=201),
    "POST inventory/receipts": staff(CHANGE_STOCK, body=receipt, ok=201),
    "POST inventory/returns": staff(CHANGE_STOCK, body=returned, ok=201),
    "GET inventory/transfers": staff("inventory.view_stocktransfer"),
    "POST inventory/transfers": staff(CHANGE_STOCK, body=transfer, ok=201),
    "GET inventory/transfers/<int:transfer_id>": staff(
        "inventory.view_stocktransfer", of=World.transfer
    ),
    "POST inventory/transfers/<int:transfer_id>/receive": staff(
        CHANGE_STOCK, of=World.transfer, body=empty
    ),
    "GET inventory/movements": staff("inventory.view_stockmovement"),
    "GET inventory/reconciliation": staff("inventory.view_reconciliationrun"),
    "POST inventory/subscriptions": public(body=wish, ok=202),
    "GET inventory/purchase-limits": staff("inventory.view_purchaselimit"),
    "GET inventory/purchase-limits/<int:variant_id>": staff(
        "inventory.view_purchaselimit", of=World.limit
    ),
    "PUT inventory/purchase-limits/<int:variant_id>": staff(
        "inventory.change_purchaselimit", of=World.limit, body=units
    ),
    "DELETE inventory/purchase-limits/<int:variant_id>": staff(
        "inventory.delete_purchaselimit", of=World.limit, ok=204
    ),
    "GET flash-sales": public(),
    "POST flash-sales": staff("inventory.add_flashsale", body=sale, ok=201),
    "GET flash-sales/<slug:slug>": public(of=World.sale),
    "PATCH flash-sales/<slug:slug>": staff("inventory.change_flashsale", of=World.sale, body=units),
    "DELETE flash-sales/<slug:slug>": staff("inventory.delete_flashsale", of=World.sale, ok=204),
    "POST flash-sales/<slug:slug>/tickets": public(of=World.sale, ok=202),
    "GET flash-sales/tickets/<str:ticket_id>": public(of=World.ticket),
    "POST imports": staff(
        *IMPORTS["native_csv"].permissions, body=upload, form="multipart", ok=202
    ),
    "POST exports": staff(*EXPORTS["native_csv"].permissions, body=export, ok=202),
    "GET jobs": signed_in(listed=("id", World.job)),
    "GET jobs/<uuid:job_id>": own(of=World.job),
    "POST jobs/<uuid:job_id>/cancel": own(of=World.job, ok=202),
    "GET jobs/<uuid:job_id>/errors": own(of=World.job),
    "GET jobs/<uuid:job_id>/result": own(
        of=World.result, query=World.result_token, nested={"a link": others_result}
    ),
    "GET /": public(ok=302),
    "GET /^media/(?P<path>.*)$": public(of=nowhere, ok=404),
    "GET /api/schema": public(),
    "GET /api/docs": public(),
    "GET /api/redoc": public(),
    "GET /problems": public(),
    "GET /problems/<slug:code>": public(of=code),
    "GET /livez": public(),
    "GET /readyz": public(),
    "GET /metrics": public(),
}
