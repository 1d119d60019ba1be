"""One round of the proof: goods, buyers, a rush, and the books compared when all is quiet."""

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from inventory.models import Reservation
from orders.management.proof.books import breaches, count, is_at_rest
from orders.management.proof.goods import Goods, make_goods, put_away
from orders.management.proof.people import Buyer, Intent, Lost, Till
from orders.management.proof.server import Killer
from orders.models import Order, Payment
from orders.services import expire_order, sweep_payments

REST_SECONDS = 120.0
WAVES = 8  # how often buyers who were refused are told that there is something again

_Step = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """How large a round is, and what happens to its buyers."""

    units: int
    buyers: int
    concurrency: int
    hold_seconds: int
    waverers: int  # come besides the buyers: they cancel, walk away, or have a bad card
    allows_busy: bool  # 503 with Retry-After is an answer: workers are being killed
    in_flash_sale: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to. Times are in seconds."""

    number: int
    sku: str
    units: int
    buyers: int
    sold: int
    refused: int
    cancelled: int
    expired: int
    declined: int
    other: int
    left: int
    ledger: int
    lost: int  # connections that broke before an answer came
    busy: int  # answers 503 with Retry-After
    waited: int  # buyers who stood in line for a flash sale
    kills: int
    sale_p50: float
    sale_p95: float
    sale_p99: float
    refusal_p50: float
    refusal_p95: float
    refusal_p99: float
    recovery_max: float
    orders_per_second: float
    seconds: float
    breaches: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        return not self.breaches

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "exact": self.is_exact}


def run_round(
    number: int,
    *,
    till: Till,
    terms: Terms,
    seed: int,
    killer: Killer | None = None,
    step: _Step = lambda done: None,
) -> Round:
    """Sell `units` to too many buyers, and compare the books. Never raises for a breach."""
    since = timezone.now() - timedelta(seconds=1)
    goods = make_goods(units=terms.units, now=timezone.now(), in_flash_sale=terms.in_flash_sale)
    people = _people(terms, seed=seed)
    try:
        _at_once(people, lambda buyer: _fill_cart(till, goods, buyer), terms.concurrency)
        began = time.monotonic()
        sale_ended = [began]
        refusals: list[float] = []
        noting = threading.Lock()

        def shop(buyer: Buyer) -> None:
            buyer.shop(till)
            with noting:
                if buyer.is_refused:
                    refusals.append(buyer.seconds)
                elif buyer.is_sold:
                    sale_ended[0] = max(sale_ended[0], time.monotonic())
            step(1)

        rush: AbstractContextManager[object] = killer or nullcontext()
        with _Janitor(goods, hold_seconds=terms.hold_seconds):
            with rush:
                _at_once(people, shop, terms.concurrency)
            first_rush = sale_ended[0] - began
            sold_in_rush = sum(buyer.is_sold for buyer in people)
            complaint = _sell_what_came_back(goods, people, shop, terms)
    finally:
        put_away(goods, now=timezone.now())
    return _result(
        number,
        goods,
        people,
        terms,
        refusals=refusals,
        since=since,
        kills=killer.kills if killer else 0,
        seconds=time.monotonic() - began,
        orders_per_second=sold_in_rush / first_rush if first_rush else 0.0,
        complaint=complaint,
    )


def _people(terms: Terms, *, seed: int) -> list[Buyer]:
    """Return all who come, in their order: waverers early enough to get something."""
    dice = random.Random(seed)  # noqa: S311 — to be repeated
    kinds = (Intent.CANCEL, Intent.ABANDON, Intent.DECLINE)
    intents = [kinds[position % len(kinds)] for position in range(terms.waverers)]
    early = min(terms.buyers, max(terms.units - terms.waverers, 0))
    head = intents + [Intent.BUY] * early
    dice.shuffle(head)
    everybody = head + [Intent.BUY] * (terms.buyers - early)
    return [Buyer(intent, f"buyer{at}@proof.example") for at, intent in enumerate(everybody)]


def _fill_cart(till: Till, goods: Goods, buyer: Buyer) -> None:
    for _ in range(5):
        try:
            buyer.cart_token = till.fill_cart(goods.variant_id).cart_token
        except Lost:
            continue
        if buyer.cart_token:
            return


def _sell_what_came_back(
    goods: Goods, people: Sequence[Buyer], shop: Callable[[Buyer], None], terms: Terms
) -> str | None:
    """Let refused buyers have what was given back; returns what went wrong."""
    for _ in range(WAVES):
        if not _wait_for_rest(goods):
            return f"something was still open after {REST_SECONDS:.0f} s"
        left = goods.units - count(goods).sold
        waiting = [b for b in people if b.intent is Intent.BUY and b.is_refused]
        if left <= 0 or not waiting:
            return None
        _at_once(waiting[: max(4 * left, terms.concurrency)], shop, terms.concurrency)
    return None


def _wait_for_rest(goods: Goods) -> bool:
    end = time.monotonic() + REST_SECONDS
    while time.monotonic() < end:
        try:
            if is_at_rest(goods):
                return True
        except OperationalError:
            connection.close()
        time.sleep(0.2)
    return False


def _at_once(buyers: Sequence[Buyer], act: Callable[[Buyer], None], concurrency: int) -> None:
    waiting: queue.SimpleQueue[Buyer] = queue.SimpleQueue()
    for buyer in buyers:
        waiting.put(buyer)
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            while not trouble:
                act(waiting.get_nowait())
        except queue.Empty:
            return
        except BaseException as error:  # raised again below
            trouble.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(min(concurrency, len(buyers)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise trouble[0]


class _Janitor:
    """Does for the proof's orders what beat does for all: ends holds, finishes payments."""

    def __init__(self, goods: Goods, *, hold_seconds: int) -> None:
        self._goods = goods
        self._hold = timedelta(seconds=hold_seconds)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Janitor":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(0.5):
                try:
                    self._tidy(timezone.now())
                except OperationalError:  # busy, or gone for a moment: come again
                    connection.close()
        finally:
            connections.close_all()

    def _tidy(self, now: datetime) -> None:
        over = Order.objects.filter(
            lines__variant_id=self._goods.variant_id,
            status=Order.Status.PENDING,
            placed_at__lte=now - self._hold,
        ).values_list("pk", flat=True)
        for order_id in over:
            end_wait_of_payer(order_id=order_id, now=now)
            expire_order(order_id=order_id, now=now)
        sweep_payments(now=now)


@transaction.atomic
def end_wait_of_payer(*, order_id: int, now: datetime) -> None:
    """Let the time be over of a payer who was sent to their bank and who does not come back.

    The shop waits for them longer than any proof does, whatever hold the proof asked for. Orders
    that wait for nothing but the provider's word are left as they are.
    """
    order = Order.objects.locked().get(pk=order_id)
    waits = order.payments.filter(status=Payment.Status.REQUIRES_ACTION).exists()
    if order.status != Order.Status.PENDING or order.hold_expires_at <= now or not waits:
        return
    held = Reservation.objects.filter(
        reference=order.stock_reference, state=Reservation.State.HELD
    ).order_by("pk")
    for reservation in held.select_for_update():
        reservation.expires_at = now
        reservation.save(update_fields=["expires_at"])
    order.hold_expires_at = now
    order.save(update_fields=["hold_expires_at"])


def _result(
    number: int,
    goods: Goods,
    people: Sequence[Buyer],
    terms: Terms,
    *,
    refusals: list[float],
    since: datetime,
    kills: int,
    seconds: float,
    orders_per_second: float,
    complaint: str | None,
) -> Round:
    counted = count(goods)
    sales = [buyer.seconds for buyer in people if buyer.is_sold]
    intents = Counter(buyer.intent for buyer in people if buyer.is_sold)
    declined = sum(
        buyer.intent is Intent.DECLINE and buyer.reply is not None and buyer.reply.status == 402
        for buyer in people
    )
    refused = [buyer for buyer in people if buyer.is_refused]
    strange = _strange_answers(people)
    busy = sum(buyer.busy for buyer in people)
    found = [*strange, *breaches(goods, people, since=since, now=timezone.now())]
    if busy and not terms.allows_busy:
        found.append(f"{busy} answers were 503, and nobody had been killed")
    if complaint:
        found.append(complaint)
    return Round(
        number=number,
        sku=goods.sku,
        units=goods.units,
        buyers=terms.buyers,
        sold=counted.sold,
        refused=sum(buyer.intent is Intent.BUY for buyer in refused),
        cancelled=intents[Intent.CANCEL],
        expired=intents[Intent.ABANDON],
        declined=declined,
        other=len(strange),
        left=goods.units - counted.sold,
        ledger=counted.ledger_on_hand,
        lost=sum(buyer.lost for buyer in people),
        busy=busy,
        waited=sum(bool(buyer.sale_ticket) for buyer in people),
        kills=kills,
        sale_p50=_percentile(sales, 50),
        sale_p95=_percentile(sales, 95),
        sale_p99=_percentile(sales, 99),
        refusal_p50=_percentile(refusals, 50),
        refusal_p95=_percentile(refusals, 95),
        refusal_p99=_percentile(refusals, 99),
        recovery_max=round(max((buyer.recovery_seconds for buyer in people), default=0.0), 3),
        orders_per_second=round(orders_per_second, 1),
        seconds=round(seconds, 3),
        breaches=tuple(found),
    )


def _strange_answers(people: Sequence[Buyer]) -> list[str]:
    """Return the answers that no buyer should get: neither sold nor cleanly refused."""
    strange = []
    for buyer in people:
        reply = buyer.reply
        if reply is None:
            strange.append("a buyer never got an answer")
        elif not (
            buyer.is_sold
            or buyer.is_refused
            or (buyer.intent is Intent.DECLINE and reply.status == 402)
        ):
            strange.append(f"a buyer was answered {reply.status} {reply.code}".rstrip())
    return strange


def _percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent do not exceed; 0 if there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return round(ordered[max(-(-len(ordered) * percent // 100) - 1, 0)], 4)
