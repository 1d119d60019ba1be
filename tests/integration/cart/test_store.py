"""The scripts on a real Redis: nothing lost, nothing doubled, nobody else's."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count, permutations
from typing import cast

import pytest
from pytest_django import Settings
from redis.crc import key_slot

from cart import store
from cart.errors import CartUnavailable
from cart.services import empty_cart_by_id
from cart.store import MAX_LINES, MAX_QUANTITY, TTL_SECONDS, Edited, Loss, Outcome, StoredCart
from shop.embedded.valkey import Valkey
from shop.redis import carts
from tests.concurrency import run_together
from tests.integration.cart.conftest import CountTrips

CART = "u1"
_names = count(1)


def edit(
    cart_id: str = CART,
    *,
    action: str = "add",
    variant_id: int = 7,
    quantity: int = 1,
    operation: str | None = None,
    must_exist: bool = False,
    expected: frozenset[int] | None = None,
    available: int | None = None,
    currency: str | None = None,
) -> Edited:
    return store.edit(
        cart_id,
        action=action,
        operation=operation or f"op{next(_names)}",
        must_exist=must_exist,
        expected=expected,
        variant_id=variant_id,
        quantity=quantity,
        available=available,
        currency=currency,
        default_currency="GBP",
    )


def kept(cart_id: str = CART) -> StoredCart:
    cart = store.read(cart_id)
    assert cart is not None
    return cart


def units(cart_id: str = CART) -> dict[int, int]:
    return {line.variant_id: line.quantity for line in kept(cart_id).lines}


def raw(cart_id: str = CART) -> dict[bytes, bytes]:
    return cast(dict[bytes, bytes], carts().hgetall(store.cart_key(cart_id)))


def test_adds_set_and_remove_change_one_line() -> None:
    edit(variant_id=7, quantity=2)
    edit(variant_id=8, quantity=1)
    edit(variant_id=7, quantity=3)
    edit(action="set", variant_id=8, quantity=9)

    assert units() == {7: 5, 8: 9}
    edit(action="remove", variant_id=7)
    assert units() == {8: 9}


def test_lines_keep_the_order_in_which_they_came() -> None:
    for variant_id in (30, 10, 20):
        edit(variant_id=variant_id)
    edit(variant_id=30, quantity=5)

    assert [line.variant_id for line in kept().lines] == [30, 10, 20]


def test_fifty_adds_at_once_add_up() -> None:
    outcomes = run_together([partial(edit, quantity=2) for _ in range(50)], workers=16)

    assert all(isinstance(outcome, Edited) for outcome in outcomes)
    assert units() == {7: 100}
    versions = [outcome.cart.version for outcome in outcomes if isinstance(outcome, Edited)]
    assert len(set(versions)) == 50


def test_each_change_has_a_version_of_its_own_also_after_the_cart_was_lost() -> None:
    first = edit().cart.version
    second = edit().cart.version
    carts().delete(store.cart_key(CART))
    third = edit().cart.version

    assert first < second < third


def test_an_operation_is_applied_once() -> None:
    first = edit(quantity=2, operation="same")
    again = edit(quantity=2, operation="same")

    assert (first.outcome, again.outcome) == (Outcome.DONE, Outcome.DONE)
    assert again.cart == first.cart
    assert units() == {7: 2}


def test_only_the_latest_operations_are_remembered() -> None:
    edit(operation="first")
    for number in range(store.REMEMBERED_OPERATIONS):
        edit(operation=f"later{number}")

    assert len(raw()[b"ops"].split()) == store.REMEMBERED_OPERATIONS
    assert b"first" not in raw()[b"ops"].split()


def test_a_stale_version_changes_nothing() -> None:
    old = edit().cart.version
    new = edit().cart.version

    refused = edit(expected=frozenset({old}))

    assert refused.outcome == Outcome.STALE
    assert (kept().version, units()) == (new, {7: 2})
    assert edit(expected=frozenset({old, new})).outcome == Outcome.DONE


def test_of_two_edits_of_one_version_one_is_done() -> None:
    seen = frozenset({edit().cart.version})

    outcomes = run_together([partial(edit, expected=seen) for _ in range(20)], workers=10)

    done = [outcome.outcome for outcome in outcomes if isinstance(outcome, Edited)]
    assert done.count(Outcome.DONE) == 1
    assert done.count(Outcome.STALE) == 19
    assert units() == {7: 2}


def test_an_absent_cart_has_version_zero() -> None:
    assert edit(expected=frozenset({5})).outcome == Outcome.STALE
    assert edit(expected=frozenset()).outcome == Outcome.STALE
    assert carts().keys("*") == []
    assert edit(expected=frozenset({0})).outcome == Outcome.DONE


def test_no_line_grows_beyond_its_limit() -> None:
    edit(quantity=MAX_QUANTITY - 1)

    refused = edit(quantity=2)

    assert (refused.outcome, refused.wanted) == (Outcome.LIMIT, MAX_QUANTITY + 1)
    assert units() == {7: MAX_QUANTITY - 1}
    assert edit(quantity=1).outcome == Outcome.DONE


def test_the_hundred_and_first_line_is_refused_and_the_others_may_still_grow() -> None:
    for variant_id in range(1, MAX_LINES + 1):
        edit(variant_id=variant_id)

    assert edit(variant_id=MAX_LINES + 1).outcome == Outcome.FULL
    assert len(kept().lines) == MAX_LINES
    assert edit(variant_id=MAX_LINES).outcome == Outcome.DONE


def test_more_than_is_available_changes_nothing() -> None:
    edit(quantity=3, available=5)

    refused = edit(quantity=3, available=5)

    assert (refused.outcome, refused.wanted) == (Outcome.SHORT, 6)
    assert units() == {7: 3}


def test_a_refused_first_write_leaves_nothing_behind() -> None:
    for refused in (
        edit(quantity=3, available=2),
        edit(quantity=MAX_QUANTITY + 1),
        edit(must_exist=True),
    ):
        assert refused.outcome != Outcome.DONE
        assert refused.cart.lines == ()
    assert carts().keys("*") == []


def test_the_currency_holds_while_there_are_lines() -> None:
    edit(currency="EUR")

    assert edit(currency="GBP").outcome == Outcome.CURRENCY
    assert kept().currency == "EUR"
    edit(action="clear")
    edit(currency="GBP")
    assert kept().currency == "GBP"


def test_a_cleared_cart_keeps_its_token_and_grows_its_version() -> None:
    before = edit().cart.version

    edit(action="clear")

    assert kept().lines == ()
    assert kept().version > before
    assert edit(must_exist=True).outcome == Outcome.DONE


def test_removing_what_is_not_there_stores_nothing() -> None:
    assert edit(action="remove").outcome == Outcome.DONE
    assert edit(action="clear").outcome == Outcome.DONE
    assert carts().keys("*") == []


@pytest.mark.parametrize(
    "touch", [edit, partial(store.read, CART), partial(edit, action="remove", variant_id=999)]
)
def test_each_touch_gives_seven_days_more(touch: Callable[[], object]) -> None:
    edit()
    carts().expire(store.cart_key(CART), 60)

    touch()

    left: int = carts().ttl(store.cart_key(CART))
    assert TTL_SECONDS - 5 <= left <= TTL_SECONDS == 7 * 24 * 3600


def test_the_end_is_told() -> None:
    edit()
    now: int = carts().time()[0]

    ends = kept().expires_at

    assert ends is not None
    assert abs(ends - now - TTL_SECONDS) <= 2


# --- emptied by the checkout


def test_a_cart_is_emptied_only_in_the_version_that_was_bought() -> None:
    bought = edit(quantity=2).cart.version
    edit(quantity=1)

    assert store.empty(CART, version=bought) is False
    assert units() == {7: 3}


def test_an_emptied_cart_goes_on_under_a_new_version() -> None:
    bought = edit(quantity=2).cart.version

    assert store.empty(CART, version=bought) is True
    assert store.empty(CART, version=bought) is False
    assert kept().lines == ()
    assert kept().version > bought


# --- taken back


def test_the_first_edit_is_taken_back_with_the_cart() -> None:
    store.undo(CART, edit().undo)

    assert carts().keys("*") == []


def test_a_later_edit_is_taken_back_to_the_version_before() -> None:
    before = edit(variant_id=7, quantity=2).cart

    store.undo(CART, edit(variant_id=8, operation="undone").undo)

    assert kept() == before
    assert edit(variant_id=8, operation="undone").cart.lines != before.lines


def test_an_edit_that_others_followed_takes_only_its_own_line_back() -> None:
    edit(variant_id=7)
    mistake = edit(variant_id=8)
    edit(variant_id=9)

    store.undo(CART, mistake.undo)

    assert units() == {7: 1, 9: 1}


def test_a_line_that_was_changed_since_is_left_alone() -> None:
    mistake = edit(variant_id=8)
    edit(variant_id=8)

    store.undo(CART, mistake.undo)

    assert units() == {8: 2}


# --- merged

GUEST = store.guest_cart_id("a" * 32)


def merge(customer: str = CART, expected: frozenset[int] | None = None) -> store.Merged:
    return store.merge(GUEST, customer, expected=expected)


def test_quantities_add_up_and_the_guest_cart_is_gone() -> None:
    edit(CART, variant_id=7, quantity=2)
    edit(GUEST, variant_id=7, quantity=3)
    edit(GUEST, variant_id=8, quantity=1)

    merged = merge()

    assert (merged.outcome, merged.losses) == (Outcome.DONE, ())
    assert units() == {7: 5, 8: 1}
    assert store.read(GUEST) is None
    assert not carts().exists(store.cart_key(GUEST))


def test_a_merge_may_be_repeated() -> None:
    edit(GUEST, variant_id=7, quantity=3)

    first, again = merge(), merge()

    assert again.outcome == Outcome.DONE
    assert again.cart.version == first.cart.version
    assert units() == {7: 3}


def test_merges_at_once_add_once() -> None:
    edit(CART, variant_id=7, quantity=1)
    edit(GUEST, variant_id=7, quantity=3)

    run_together([merge] * 20, workers=10)

    assert units() == {7: 4}


@pytest.mark.parametrize("killed_at", ["_APPLY", "_FINISH"])
def test_a_merge_killed_half_way_is_completed_by_the_next(
    killed_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(CART, variant_id=7, quantity=1)
    edit(GUEST, variant_id=7, quantity=3)
    original = store._run
    fatal = getattr(store, killed_at)

    def killed(source: str, cart_id: str, *arguments: str | int) -> object:
        if source == fatal:
            raise KeyboardInterrupt
        return original(source, cart_id, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_run", killed)
        with pytest.raises(KeyboardInterrupt):
            merge()
    assert edit(GUEST, must_exist=True).outcome == Outcome.ABSENT  # frozen: it was claimed

    assert merge().outcome == Outcome.DONE
    assert units() == {7: 4}
    assert not carts().exists(store.cart_key(GUEST))


def test_what_a_checkout_bought_does_not_come_back_by_a_repeated_merge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit(GUEST, variant_id=7, quantity=3)
    original = store._run

    def killed(source: str, cart_id: str, *arguments: str | int) -> object:
        if source == store._FINISH:
            raise KeyboardInterrupt
        return original(source, cart_id, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_run", killed)
        with pytest.raises(KeyboardInterrupt):
            merge()
    store.empty(CART, version=kept().version)

    merge()

    assert kept().lines == ()


def test_a_cart_that_one_customer_claimed_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    edit(GUEST, variant_id=7, quantity=3)
    store._run(store._CLAIM, GUEST, TTL_SECONDS, "u1")

    assert merge("u2").outcome == Outcome.ABSENT
    assert store.read("u2") is None
    assert merge("u1").outcome == Outcome.DONE
    assert merge("u2").outcome == Outcome.ABSENT


class TestLookingAt:
    def test_finds_what_reading_finds_and_leaves_its_time_as_it_is(
        self, count_trips: CountTrips
    ) -> None:
        edit(variant_id=7, quantity=2)
        edit(variant_id=8)
        store.note_trial(CART, seconds=60)
        read = kept()
        carts().expire(store.cart_key(CART), 60)

        with count_trips() as trips:
            seen = store.look_at(CART)

        assert seen == replace(read, expires_at=None)
        assert len(trips) == 1
        assert 50 <= carts().ttl(store.cart_key(CART)) <= 60

    def test_finds_no_cart_that_is_absent_or_claimed(self) -> None:
        edit(GUEST, variant_id=7)
        store._run(store._CLAIM, GUEST, TTL_SECONDS, "u1")

        assert store.look_at(GUEST) is None
        assert store.look_at("u9") is None
        assert carts().exists(store.cart_key("u9")) == 0

    @pytest.mark.parametrize("kind", ["another shape", "no shape"])
    def test_finds_no_foreign_cart(self, kind: str) -> None:
        spoil(kind)

        assert store.look_at(CART) is None

    @pytest.mark.parametrize("kind", ["text", "list"])
    def test_knows_nothing_of_what_is_no_cart_at_all(self, kind: str) -> None:
        spoil(kind)

        with pytest.raises(CartUnavailable):
            store.look_at(CART)

    def test_reads_the_older_protocol_too(self, settings: Settings) -> None:
        edit(variant_id=7, quantity=2)
        read = kept()
        settings.REDIS_CARTS_URL += "?protocol=2"

        assert store.look_at(CART) == replace(read, expires_at=None)


def test_an_unknown_guest_cart_is_absent() -> None:
    assert merge().outcome == Outcome.ABSENT
    assert carts().keys("*") == []


def test_what_does_not_fit_is_told_and_told_again() -> None:
    for variant_id in range(1, MAX_LINES):
        edit(CART, variant_id=variant_id)
    edit(CART, action="set", variant_id=1, quantity=900)
    for variant_id, quantity in ((1, 200), (1001, 5), (1002, 6)):
        edit(GUEST, variant_id=variant_id, quantity=quantity)

    merged = merge()

    expected = (Loss(1, wanted=1100, kept=MAX_QUANTITY), Loss(1002, wanted=6, kept=0))
    assert merged.losses == expected
    assert merge().losses == expected
    assert len(units()) == MAX_LINES
    assert (units()[1], units()[1001]) == (MAX_QUANTITY, 5)


def test_a_cart_is_emptied_by_its_id_too() -> None:
    bought = edit().cart.version

    assert empty_cart_by_id(cart_id=CART, version=bought - 1) is False
    assert empty_cart_by_id(cart_id=CART, version=bought) is True
    assert empty_cart_by_id(cart_id="", version=0) is False
    assert kept().lines == ()


def test_a_stale_version_gives_the_guest_cart_back() -> None:
    stale = edit(CART).cart.version
    edit(CART)
    edit(GUEST, variant_id=8)

    assert merge(expected=frozenset({stale})).outcome == Outcome.STALE
    assert units(GUEST) == {8: 1}
    assert edit(GUEST, variant_id=8, must_exist=True).outcome == Outcome.DONE
    assert units(CART) == {7: 2}


def test_a_customer_without_a_cart_takes_the_guests_currency() -> None:
    edit(GUEST, currency="EUR")

    assert merge().cart.currency == "EUR"


def test_only_the_latest_merges_are_remembered() -> None:
    for number in range(store.REMEMBERED_MERGES + 3):
        guest = store.guest_cart_id(f"{number:032d}")
        edit(guest, variant_id=7)
        store.merge(guest, CART, expected=None)

    assert sum(name.startswith(b"g:") for name in raw()) == store.REMEMBERED_MERGES
    assert units() == {7: store.REMEMBERED_MERGES + 3}


# --- what we do not understand


def spoil(kind: str) -> None:
    key = store.cart_key(CART)
    match kind:
        case "text":
            carts().set(key, "something else")
        case "list":
            carts().rpush(key, "a", "b")
        case "another shape":
            carts().hset(key, mapping={"s": "2", "v": "5", "l:7": "1:1"})
        case "no shape":
            carts().hset(key, mapping={"l:7": "1:1"})


@pytest.mark.parametrize("kind", ["text", "list", "another shape", "no shape"])
def test_a_foreign_cart_is_as_good_as_absent(kind: str) -> None:
    spoil(kind)

    assert store.read(CART) is None
    assert edit(must_exist=True).outcome == Outcome.ABSENT
    assert store.empty(CART, version=5) is False
    assert merge().outcome == Outcome.ABSENT
    assert edit(variant_id=8).outcome == Outcome.DONE
    assert units() == {8: 1}


def test_fields_that_make_no_sense_are_left_out_and_left_alone() -> None:
    edit(variant_id=7, quantity=2)
    carts().hset(
        store.cart_key(CART),
        mapping={
            "l:8": "many",
            "l:9": "-4:1",
            "l:10": "5",
            "l:11": "2.5:1",
            "l:12": "1000:1",
            "l:x": "1:1",
            "l:": "1:1",
            "l:0": "1:1",
            "l:99999999999999999999": "1:1",
            "future": "field",
            b"\xff\xfe": b"\xff",
        },
    )

    assert units() == {7: 2}
    assert edit(variant_id=8, quantity=3).outcome == Outcome.DONE
    assert units() == {7: 2, 8: 3}
    assert raw()[b"future"] == b"field"


def test_a_spoilt_version_does_not_stop_the_cart() -> None:
    edit()
    carts().hset(store.cart_key(CART), "v", "x")

    assert kept().version == 0
    assert edit().outcome == Outcome.DONE
    assert kept().version > 0


# --- activity


def test_the_last_change_of_a_cart_is_noted_until_it_is_empty() -> None:
    edit()
    now: int = carts().time()[0]

    noted = carts().zscore(store.activity_key(CART), CART)

    assert noted is not None
    assert abs(noted - now) <= 2
    edit(action="remove")
    assert carts().zscore(store.activity_key(CART), CART) is None


def test_a_cart_and_its_activity_share_a_slot() -> None:
    for cart_id in ("u1", "u2", GUEST):
        cart, activity = store.cart_key(cart_id), store.activity_key(cart_id)
        assert key_slot(cart.encode()) == key_slot(activity.encode())


def test_each_edit_is_one_trip(count_trips: CountTrips) -> None:
    edit()
    store.read(CART)  # the scripts are known to the server from here on

    with count_trips() as trips:
        edit()
        store.read(CART)

    assert len(trips) == 2


# --- no answer


def test_a_store_that_is_full_is_unavailable_and_keeps_what_it_has(own_store: Valkey) -> None:
    edit()
    carts().config_set("maxmemory", "1")

    with pytest.raises(CartUnavailable) as refused:
        edit()

    assert refused.value.facts["retry_after"] == store.RETRY_AFTER_SECONDS
    assert units() == {7: 1}
    carts().config_set("maxmemory", "0")
    assert edit().outcome == Outcome.DONE


def test_a_store_that_takes_no_writes_is_unavailable(own_store: Valkey) -> None:
    edit()
    carts().replicaof("127.0.0.1", "1")

    with pytest.raises(CartUnavailable):
        edit()


def test_a_store_that_is_gone_is_unavailable_and_never_empty(own_store: Valkey) -> None:
    edit()
    own_store.stop()

    looks = partial(store.look_at, CART)
    for call in (edit, kept, merge, looks, partial(store.empty, CART, version=1)):
        with pytest.raises(CartUnavailable):
            call()


def test_a_store_that_forgot_its_scripts_learns_them_again() -> None:
    edit()
    carts().script_flush()

    assert edit().outcome == Outcome.DONE
    assert units() == {7: 2}


class TestNotingTrials:
    def test_says_that_a_checkout_was_begun_until_it_is_taken_back(self) -> None:
        edit()
        before = kept()

        noted = store.note_trial(CART, seconds=60)

        assert noted is not None
        cart, trial = noted
        assert cart == before
        assert kept().tried_until == trial.until > 0
        store.forget_trial(CART, trial)
        assert kept() == before

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_of_several_each_is_taken_back_by_its_own_checkout(self, order: list[int]) -> None:
        """Control: a note that knew only of the one before it outlived checkouts that crossed."""
        edit()
        before = kept()
        trials = [noted[1] for _ in range(3) if (noted := store.note_trial(CART, seconds=60))]

        for gone, place in enumerate(order, start=1):
            store.forget_trial(CART, trials[place])
            left = [trials[other].until for other in order[gone:]]
            assert kept().tried_until == max(left, default=0)

        assert kept() == before

    def test_a_note_is_taken_back_once(self) -> None:
        edit()
        first, second = (store.note_trial(CART, seconds=60) for _ in range(2))
        assert first is not None
        assert second is not None

        for _ in range(2):
            store.forget_trial(CART, second[1])

        assert kept().tried_until == first[1].until

    def test_more_at_once_than_are_told_apart_stay_noted(self) -> None:
        edit()
        noted = [store.note_trial(CART, seconds=60) for _ in range(store.MOST_TRIALS + 1)]
        trials = [one[1] for one in noted if one]

        for trial in trials:
            store.forget_trial(CART, trial)

        assert kept().tried_until > max(trial.until for trial in trials) > 0
        field = carts().hget(store.cart_key(CART), "k")
        assert field is not None
        assert len(field.split()) == 1

    def test_notes_whose_time_is_over_make_room(self) -> None:
        edit()
        carts().hset(store.cart_key(CART), "k", " ".join(map(str, range(1, 9))))

        noted = store.note_trial(CART, seconds=60)

        assert noted is not None
        store.forget_trial(CART, noted[1])
        assert kept().tried_until == 0

    def test_edits_and_emptying_leave_it(self) -> None:
        edit()
        noted = store.note_trial(CART, seconds=60)
        assert noted is not None
        assert store.empty(CART, version=kept().version)
        edit(action="clear")
        edit()

        assert kept().tried_until == noted[1].until

    def test_there_is_none_in_a_cart_that_is_not_there(self) -> None:
        assert store.note_trial(CART, seconds=60) is None
        assert store.read(CART) is None

    def test_what_cannot_be_read_stands_for_any_time(self) -> None:
        edit()
        carts().hset(store.cart_key(CART), "k", "for ever")
        noted = store.note_trial(CART, seconds=60)

        assert noted is not None
        store.forget_trial(CART, noted[1])
        assert kept().tried_until == 10**16
