"""A14: at every point of a checkout somebody comes between, and the shop stays sound.

Twelve points, and at each of them twelve others, who do all that they can before it goes on: 144
schedules. Then two buyers of the last unit, each stopped at one of the twelve: 144 more. Whoever
must wait for a lock is seen to wait, and the other goes on; nothing here hangs on time.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from cart.services import CartOwner, set_item
from catalog.models import Variant
from catalog.services import PriceDraft, set_prices
from inventory.errors import OutOfStock
from inventory.services import adjust_stock, count_stock
from orders.models import Order, OrderLine
from orders.services import CheckoutAnswer, CheckoutWish, cancel_order, expire_holds, sweep_payments
from shop.errors import Refusal
from shop.idempotency import Scope
from tests.make import cart as make_cart
from tests.make import orders as make
from tests.races.baskets import basket
from tests.races.figures import figure, reported
from tests.races.guards import must_show, no_constraint, no_lock_on_stock
from tests.races.soundness import Clients, breaches, bring_to_rest
from tests.races.stage import POINTS, Actor, Watch, on_stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

PRICE = 1250
SHARDS = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """A buyer who is about to order the last unit, and the moment at which it happens."""

    sold: Variant
    owner: CartOwner
    wish: CheckoutWish
    scope: Scope
    clients: Clients
    now: datetime

    def buy(self) -> CheckoutAnswer:
        return self.clients.check_out(self.wish, self.scope, now=self.now)

    def buy_from(self, owner: CartOwner, *, minutes: int = 0) -> CheckoutAnswer:
        moment = self.now + timedelta(minutes=minutes)
        return self.clients.check_out(make.wish(owner), make.scope(), now=moment)


def a_twin(scene: Scene) -> object:
    return scene.buy()


def another_key(scene: Scene) -> object:
    return scene.buy_from(scene.owner)


def a_rival(scene: Scene) -> object:
    return scene.buy_from(basket({scene.sold.pk: 1}))


def a_late_rival(scene: Scene) -> object:
    """Comes when the hold has ended, and may take it over."""
    return scene.buy_from(basket({scene.sold.pk: 1}), minutes=16)


def cancelling(scene: Scene) -> object:
    for order in Order.objects.filter(lines__variant=scene.sold):
        cancel_order(number=order.number, reason="", now=scene.now)
    return None


def expiring(scene: Scene) -> object:
    return expire_holds(now=scene.now + timedelta(minutes=16))


def sweeping(scene: Scene) -> object:
    return sweep_payments(now=scene.now + timedelta(minutes=1))


def losing_the_unit(scene: Scene) -> object:
    return adjust_stock(
        sku=scene.sold.sku, warehouse="main", delta=-1, reason="Lost", now=scene.now
    )


def counting_two(scene: Scene) -> object:
    return count_stock(
        sku=scene.sold.sku, warehouse="main", counted=2, reason="Found", now=scene.now
    )


def raising_the_price(scene: Scene) -> object:
    set_prices(drafts=[PriceDraft(scene.sold.pk, "GBP", 2 * PRICE)], now=scene.now)
    return None


def editing_the_cart(scene: Scene) -> object:
    return set_item(owner=scene.owner, variant_id=scene.sold.pk, quantity=2, now=scene.now)


def taking_it_off_sale(scene: Scene) -> object:
    make_cart.unsold(scene.sold)
    return None


OTHERS: tuple[Callable[[Scene], object], ...] = (
    a_twin,
    another_key,
    a_rival,
    a_late_rival,
    cancelling,
    expiring,
    sweeping,
    losing_the_unit,
    counting_two,
    raising_the_price,
    editing_the_cart,
    taking_it_off_sale,
)


def set_scene(clients: Clients, now: datetime) -> Scene:
    sold = make.variant(on_hand=1, price=PRICE)
    owner = basket({sold.pk: 1})
    return Scene(sold, owner, make.wish(owner), make.scope(), clients, now)


def meets(watch: Watch, scene: Scene, point: str, other: Callable[[Scene], object]) -> list[str]:
    """Have the other come between just before the point; return what is wrong afterwards."""
    buyer, between = Actor(scene.buy), Actor(lambda: other(scene))
    buyer.meets[point] = lambda: between.act(watch)
    buyer.act(watch)
    outcomes = [buyer.finish(), between.finish()]
    return [*_bugs(outcomes), *_of_the_price(scene), *_of_the_unit(scene)]


def both_stop(watch: Watch, scene: Scene, mine: str, theirs: str) -> list[str]:
    """Have two buyers stop at their points, and go on in turn; return what is wrong."""
    first, second = Actor(scene.buy), Actor(lambda: a_rival(scene))
    first.stops_before(mine)
    second.stops_before(theirs)
    first.act(watch)
    second.act(watch)
    first.act(watch)
    outcomes = [second.finish(), first.finish()]
    found = [*_bugs(outcomes), *_of_the_unit(scene)]
    told = sum(isinstance(outcome, CheckoutAnswer) for outcome in outcomes)
    if told != 1 or not any(isinstance(outcome, OutOfStock) for outcome in outcomes):
        found.append(f"{told} of two buyers have the last unit: {outcomes}")
    return found


def _bugs(outcomes: Iterable[object]) -> list[str]:
    return [
        f"raised {outcome!r}"
        for outcome in outcomes
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal)
    ]


def _of_the_unit(scene: Scene) -> list[str]:
    lines = OrderLine.objects.filter(variant=scene.sold, order__status=Order.Status.CONFIRMED)
    sold = sum(lines.values_list("quantity", flat=True))
    return [f"oversold: {sold} of at most 2 units"] if sold > 2 else []


def _of_the_price(scene: Scene) -> list[str]:
    return [
        f"sold at {line.unit_price_minor}"
        for line in OrderLine.objects.filter(variant=scene.sold)
        if line.unit_price_minor not in {PRICE, 2 * PRICE}
    ]


def played(schedules: Iterable[tuple[str, Callable[[Watch, Scene], list[str]]]]) -> Counter[str]:
    """Play each schedule on a stage of its own, and look at everything after each of them."""
    endings: Counter[str] = Counter()
    clients, now = Clients(), timezone.now()
    with on_stage() as watch:
        for name, play in schedules:
            now += timedelta(hours=2)
            scene = set_scene(clients, now)
            found = play(watch, scene)
            rest = bring_to_rest(now + timedelta(minutes=16))
            found += breaches(rest, clients=clients)
            assert found == [], f"{name}: {found}"
            statuses = Order.objects.filter(lines__variant=scene.sold).order_by("pk")
            endings[" ".join(statuses.values_list("status", flat=True)) or "no order"] += 1
    return endings


def _named(points: Iterable[str]) -> list[str]:
    return [point.rsplit(".", 1)[1] for point in points]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whoever_comes_between_the_shop_is_sound(shard: int) -> None:
    pairs = list(itertools.product(POINTS, OTHERS))[shard::SHARDS]
    schedules = [
        (f"{other.__name__} before {point}", lambda w, s, p=point, o=other: meets(w, s, p, o))
        for point, other in pairs
    ]
    with reported("A14 somebody comes between", schedules=len(schedules)) as seen:
        seen.update({f"× {ending}": times for ending, times in played(schedules).items()})


@pytest.mark.parametrize("shard", range(SHARDS))
def test_two_buyers_stop_anywhere_and_one_has_the_last_unit(shard: int) -> None:
    # A third of them in CI, another third in each shard's order; all of them in full.
    every = figure(full=1, small=4)
    pairs = list(itertools.product(POINTS, POINTS))[shard::SHARDS][::every]
    schedules = [
        (f"{mine} and {theirs}", lambda w, s, m=mine, t=theirs: both_stop(w, s, m, t))
        for mine, theirs in pairs
    ]
    with reported("A14 two buyers stop", schedules=len(schedules)) as seen:
        seen.update({f"× {ending}": times for ending, times in played(schedules).items()})


def test_without_the_lock_two_have_the_last_unit() -> None:
    with no_lock_on_stock(), on_stage() as watch:
        point = "inventory.services.stock._hold"

        def trial() -> list[str]:
            scene = set_scene(Clients(), timezone.now())
            return both_stop(watch, scene, point, "orders.services.checking_out._settled")

        must_show(trial, "2 of two buyers")


def test_without_the_constraint_another_key_orders_the_cart_again() -> None:
    with (
        no_constraint("orders_order", "order_once_per_cart_version"),
        on_stage() as watch,
    ):

        def trial() -> list[str]:
            scene = set_scene(Clients(), timezone.now())
            make.adjust(scene.sold, 1)
            found = meets(watch, scene, "orders.services.checking_out._prepare", another_key)
            return found + breaches(timezone.now(), is_at_rest=False)

        must_show(trial, "I8: 2 orders")
