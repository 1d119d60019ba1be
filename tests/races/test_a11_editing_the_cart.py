"""A11: the cart is edited while it is being ordered. The order is one version of it, and an edit
that came too late for the order is still in the cart.
"""

from functools import partial

import pytest
from django.utils import timezone

from cart import store
from cart.services import cart_snapshot, set_item
from catalog.models import Variant
from orders.models import Order
from orders.services import CheckoutAnswer
from tests.make import orders as make
from tests.races.baskets import basket
from tests.races.crew import Crew, troubles
from tests.races.figures import dice, figure, reported
from tests.races.guards import must_show, slowly
from tests.races.soundness import Clients, breaches, bring_to_rest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

TRIALS = figure(full=300, small=25)


def edit_and_order(
    crew: Crew, sold: Variant, other: Variant, clients: Clients, delays: tuple[float, float]
) -> list[str]:
    """Ask for more of one and add another while the cart is ordered; return what is wrong."""
    owner = basket({sold.pk: 1})
    versions = {cart_snapshot(owner=owner).version: {sold.pk: 1}}

    wanted = {sold.pk: 3, other.pk: 2}

    def edit() -> None:
        for variant_id, quantity in wanted.items():
            shown = set_item(
                owner=owner, variant_id=variant_id, quantity=quantity, now=timezone.now()
            )
            # Emptied in between, the cart holds what was put into it after that.
            versions[shown.version] = {line.card.variant_id: line.quantity for line in shown.lines}

    buy = partial(clients.check_out, make.wish(owner), make.scope(), now=timezone.now())
    outcomes = crew.race([buy, edit], delays=delays)
    found = troubles(outcomes)
    told = outcomes[0]
    if not isinstance(told, CheckoutAnswer):
        return [*found, f"no order, but {told!r}"]
    order = Order.objects.get(number=told.answer.headers["Location"].rsplit("/", 1)[1])
    lines = dict(order.lines.values_list("variant_id", "quantity"))
    if lines != versions.get(order.cart_version or 0):
        found.append(f"ordered {lines}, and version {order.cart_version} of {versions}")
    # What the order does not have of the last wish must be in the cart.
    left = {line.variant_id: line.quantity for line in cart_snapshot(owner=owner).lines}
    for variant_id, quantity in wanted.items():
        if lines.get(variant_id) != quantity and left.get(variant_id) != quantity:
            found.append(f"edit lost: {quantity} wanted, {lines} ordered, {left} left")
    return found


def test_an_order_is_one_version_and_no_edit_is_lost() -> None:
    sold, other = make.variant(on_hand=5 * TRIALS), make.variant(on_hand=5 * TRIALS)
    clients, chance = Clients(), dice("A11")

    with Crew(2) as crew, reported("A11 editing the cart", trials=TRIALS) as seen:
        for _ in range(TRIALS):
            delays = chance.uniform(0, 0.02), chance.uniform(0, 0.04)
            assert edit_and_order(crew, sold, other, clients, delays) == []
        before = Order.objects.filter(lines__quantity=1).count()
        seen["ordered before the edit"] = before
        seen["ordered after it, or half of it"] = TRIALS - before

    assert breaches(bring_to_rest(timezone.now()), clients=clients) == []


def test_without_a_look_at_the_version_an_edit_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty_whatever_it_is(*, cart_id: str, version: int) -> bool:
        cart = store.read(cart_id)
        return cart is not None and store.empty(cart_id, version=cart.version)

    monkeypatch.setattr("orders.services.checking_out.empty_cart_by_id", empty_whatever_it_is)
    sold, other = make.variant(on_hand=100), make.variant(on_hand=100)
    with Crew(2) as crew, slowly("orders.services.checking_out._settled", seconds=0.1):
        must_show(lambda: edit_and_order(crew, sold, other, Clients(), (0, 0.06)), "edit lost")
