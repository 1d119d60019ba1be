"""The buyers of the proof, and the two ways in which they reach the shop."""

import http.client
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from cart.services import CartOwner, add_item
from orders.services import CheckoutWish, Expectation, Postal, cancel_order, checkout
from shop.errors import Refusal
from shop.idempotency import Scope
from shop.problems import document, headers_of, refusal_for

# How long a buyer comes back with the same key: longer than the sweeper leaves anything open.
PATIENCE_SECONDS = 120.0
ADDRESS = {
    "name": "Proof Buyer",
    "line1": "1 Counting House Lane",
    "city": "London",
    "postal_code": "EC3V 9AA",
    "country": "GB",
}
_COME_BACK = frozenset({"idempotency_in_progress", "order_ended"})


class Intent(StrEnum):
    """What a buyer means to do."""

    BUY = "buy"
    CANCEL = "cancel"  # pays, and then thinks better of it
    ABANDON = "abandon"  # stops at the bank's page, so that the hold runs out
    DECLINE = "decline"  # has a card that is refused

    @property
    def token(self) -> str:
        return {"abandon": "tok_requires_action", "decline": "tok_declined"}.get(self, "tok_ok")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a status, the members of the body, and how long to wait, if at all."""

    status: int
    body: dict[str, Any]
    retry_after: float | None = None
    cart_token: str = ""

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


class Lost(Exception):
    """The connection broke before an answer came: nobody knows what happened."""


class Till(Protocol):
    """One way to reach the shop. Used by many threads at once. Each call raises Lost."""

    def fill_cart(self, variant_id: int) -> Reply: ...

    def check_out(self, buyer: "Buyer") -> Reply: ...

    def cancel(self, number: str, access_token: str) -> Reply: ...


@dataclass(slots=True)
class Buyer:
    """One buyer with a cart of their own, and what the shop has told them."""

    intent: Intent
    email: str
    key: str = field(default_factory=lambda: f"proof-{uuid.uuid4().hex}")
    cart_token: str = ""
    sale_ticket: str = ""  # of a flash sale that made the buyer wait
    reply: Reply | None = None  # the last answer to the checkout
    seconds: float = 0.0  # that the last answer took
    recovery_seconds: float = 0.0  # from the first lost request to an answer
    lost: int = 0
    busy: int = 0  # answers 503 with Retry-After
    cancelled: bool = False

    @property
    def is_sold(self) -> bool:
        return self.reply is not None and self.reply.status == 201

    @property
    def is_refused(self) -> bool:
        """Whether the shop said, in the way that it promises, that there is not enough."""
        reply = self.reply
        return reply is not None and reply.status == 409 and reply.code == "out_of_stock"

    @property
    def order_number(self) -> str:
        if self.reply is None:
            return ""
        return str(self.reply.body.get("order", {}).get("number", ""))

    def shop(self, till: Till) -> None:
        """Check out, coming back with the same key until there is an answer to keep."""
        self.reply = self._answer(till)
        if self.intent is Intent.CANCEL and self.is_sold:
            self._cancel(till)

    def _answer(self, till: Till) -> Reply | None:
        began = time.monotonic()
        first_loss: float | None = None
        reply: Reply | None = None
        while time.monotonic() < began + PATIENCE_SECONDS:
            asked = time.monotonic()
            try:
                reply = till.check_out(self)
            except Lost:
                self.lost += 1
                first_loss = first_loss or asked
                _pause(0.2)
                continue
            self.seconds = time.monotonic() - asked
            if ticket := reply.body.get("ticket"):
                self.sale_ticket = str(ticket["id"])
                _pause(min(reply.retry_after or 0.5, 0.5))
                continue
            if reply.status == 503 and reply.retry_after is not None:
                self.busy += 1
            elif reply.code not in _COME_BACK:
                break
            _pause(reply.retry_after or 0.5)
        if first_loss is not None:
            self.recovery_seconds = time.monotonic() - first_loss
        return reply

    def _cancel(self, till: Till) -> None:
        access_token = str(self.reply.body.get("access_token", "")) if self.reply else ""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.cancelled and time.monotonic() < end:
            try:
                reply = till.cancel(self.order_number, access_token)
            except Lost:
                self.lost += 1
                _pause(0.2)
                continue
            if reply.status != 503:
                self.cancelled = reply.status == 200
                return
            self.busy += 1
            _pause(reply.retry_after or 0.5)


class HttpTill:
    """The shop at an address, by one kept connection a thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port
        self._is_https = parts.scheme == "https"
        self._mine = threading.local()

    def fill_cart(self, variant_id: int) -> Reply:
        return self._post("/cart/items", {"variant_id": variant_id, "quantity": 1}, {})

    def check_out(self, buyer: Buyer) -> Reply:
        body = {
            "email": buyer.email,
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment": {"provider": "sandbox", "token": buyer.intent.token},
        }
        headers = {"X-Cart-Token": buyer.cart_token, "Idempotency-Key": buyer.key}
        if buyer.sale_ticket:
            headers["X-Sale-Ticket"] = buyer.sale_ticket
        return self._post("/checkout", body, headers)

    def cancel(self, number: str, access_token: str) -> Reply:
        return self._post(f"/orders/{number}/cancel", {}, {"X-Order-Token": access_token})

    def _post(self, path: str, body: object, headers: dict[str, str]) -> Reply:
        connection = self._connection()
        try:
            connection.request(
                "POST",
                f"/api/v1{path}",
                json.dumps(body),
                {"Content-Type": "application/json", **headers},
            )
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Lost from error
        retry_after = response.headers.get("Retry-After")
        return Reply(
            status=response.status,
            body=_members(content),
            retry_after=float(retry_after) if retry_after else None,
            cart_token=response.headers.get("X-Cart-Token", ""),
        )

    def _connection(self) -> http.client.HTTPConnection:
        known: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if known is None:
            kind = http.client.HTTPSConnection if self._is_https else http.client.HTTPConnection
            known = self._mine.connection = kind(self._host, self._port, timeout=35)
        return known


class ServicesTill:
    """The shop's services in this process: the same use cases, without HTTP."""

    def fill_cart(self, variant_id: int) -> Reply:
        shown = add_item(
            owner=CartOwner(None, None), variant_id=variant_id, quantity=1, now=timezone.now()
        )
        return Reply(200, {}, cart_token=shown.token or "")

    def check_out(self, buyer: Buyer) -> Reply:
        wish = CheckoutWish(
            owner=CartOwner(None, buyer.cart_token),
            customer=None,
            email=buyer.email,
            shipping_address=Postal(**ADDRESS),
            billing_address=None,
            shipping_method="standard",
            provider="sandbox",
            token=buyer.intent.token,
            expectation=Expectation(total=None, quote_token=None),
            sale_tickets=(buyer.sale_ticket,) if buyer.sale_ticket else (),
        )
        scope = Scope(
            subject=f"proof:{buyer.email}", route="checkout", key=buyer.key, request_hash=""
        )
        try:
            given = checkout(wish=wish, scope=scope, request_id="", now=timezone.now())
        except (Refusal, OperationalError, InterfaceError) as error:
            return _refused(error)
        retry_after = given.answer.headers.get("Retry-After")
        return Reply(
            given.answer.status,
            _members(given.answer.body),
            retry_after=float(retry_after) if retry_after else None,
        )

    def cancel(self, number: str, access_token: str) -> Reply:
        try:
            cancel_order(number=number, reason="Proof", now=timezone.now())
        except (Refusal, OperationalError, InterfaceError) as error:
            return _refused(error)
        return Reply(200, {})


def _refused(error: Exception) -> Reply:
    refusal = refusal_for(error)
    if refusal is None:
        raise error
    body = document(refusal, request_id="")
    retry_after = headers_of(refusal).get("Retry-After")
    return Reply(int(body["status"]), body, float(retry_after) if retry_after else None)


def _members(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _pause(seconds: float) -> None:
    time.sleep(seconds * random.uniform(0.7, 1.3))  # noqa: S311 — jitter, not a secret
