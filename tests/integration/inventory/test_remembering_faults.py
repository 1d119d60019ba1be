"""Runs and findings: stored once, resolved, told, and mended where that is certain."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from inventory.models import ReconciliationFinding, ReconciliationRun, Reservation, StockMovement
from inventory.selectors import CHECKS, drifted_stock, stories_of_stock
from inventory.serializers.reconciliation import SCOPES
from inventory.services import Break, reconcile_stock, record_reconciliation, repair_stock
from inventory.services.catalogue_copies import CATALOGUE
from inventory.services.reconciling import SCOPE
from inventory.tasks import reconcile
from orders.services.reconciling import ORDERS, PAYMENTS
from shop.db.alone import alone
from shop.models import OutboxMessage
from tests.concurrency import in_background
from tests.integration.inventory.test_reconciling import (
    FAULTS,
    delete_movement,
    sealed_off,
    set_counter,
    traded,
)
from tests.make import inventory as make
from tests.make.accounts import make_staff, make_user, signed_in, superuser

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
RECONCILIATION = "/api/v1/inventory/reconciliation"


def findings() -> list[tuple[str, str, str]]:
    return list(
        ReconciliationFinding.objects.order_by("id").values_list("kind", "reference", "state")
    )


def gauge(check: str, *, scope: str = "inventory") -> float | None:
    told = Client().get("/metrics").content.decode()
    line = f'shop_reconciliation_findings{{check="{check}",scope="{scope}"}} '
    return next((float(row.removeprefix(line)) for row in told.splitlines() if line in row), None)


@pytest.mark.django_db
class TestARun:
    def test_of_a_sound_shop_is_stored_and_finds_nothing(self) -> None:
        traded()

        seen = reconcile_stock(now=timezone.now())

        assert seen is not None
        assert seen.drifts == []
        run = ReconciliationRun.objects.get()
        assert (run.scope, run.found, run.new, run.resolved) == ("inventory", 0, 0, 0)
        assert run.checks == [check.name for check in CHECKS]
        assert findings() == []

    def test_finds_every_kind_of_fault_at_once(self) -> None:
        traded()
        faulty = [(traded(), fault, checks) for _, fault, checks in FAULTS]
        for stock, fault, _ in faulty:
            fault(stock)

        seen = reconcile_stock(now=timezone.now())

        assert seen is not None
        for stock, _, checks in faulty:
            found = {drift.check for drift in seen.drifts if drift.sku == stock.variant.sku}
            assert found
            assert found <= checks
        assert {drift.sku for drift in seen.drifts} == {s.variant.sku for s, _, _ in faulty}
        assert ReconciliationFinding.objects.count() == len(seen.drifts)

    def test_sees_the_same_fault_again_as_the_same_row(self) -> None:
        stock = traded()
        set_counter("on_hand", 1)(stock)

        reconcile_stock(now=NOW)
        before = findings()
        set_counter("on_hand", 1)(stock)
        reconcile_stock(now=NOW + timedelta(minutes=5))

        assert findings() == before
        finding = ReconciliationFinding.objects.get(kind="on_hand_is_ledger_sum")
        assert (finding.reference, finding.expected, finding.found) == (
            f"{stock.variant.sku} in main, on hand",
            "7",
            "9",
        )
        assert finding.first_seen_at == NOW
        assert finding.last_seen_at == NOW + timedelta(minutes=5)
        assert list(ReconciliationRun.objects.order_by("id").values_list("found", "new")) == [
            (2, 2),
            (2, 0),
        ]

    def test_resolves_what_is_gone_and_counts_what_comes_back_as_new(self) -> None:
        stock = traded()
        set_counter("on_hand", 1)(stock)
        reconcile_stock(now=NOW)
        set_counter("on_hand", -1)(stock)

        reconcile_stock(now=NOW + timedelta(minutes=5))

        assert {state for *_, state in findings()} == {"RESOLVED"}
        assert ReconciliationRun.objects.latest("id").resolved == 2
        ended = ReconciliationFinding.objects.first()
        assert ended is not None
        assert (ended.resolved_at, ended.resolution) == (
            NOW + timedelta(minutes=5),
            "No longer there",
        )

        set_counter("on_hand", 1)(stock)
        reconcile_stock(now=NOW + timedelta(minutes=10))

        assert sorted(state for *_, state in findings()) == ["OPEN", "OPEN", *["RESOLVED"] * 2]

    def test_tells_the_metrics(self) -> None:
        stock = traded()
        set_counter("on_hand", 1)(stock)
        reconcile_stock(now=NOW)
        assert gauge("on_hand_is_ledger_sum") == 1
        assert gauge("no_hold_overdue") == 0

        set_counter("on_hand", -1)(stock)
        reconcile_stock(now=NOW)
        assert gauge("on_hand_is_ledger_sum") == 0

    def test_forgets_clean_runs_after_a_month_and_no_others(self) -> None:
        stock = traded()
        reconcile_stock(now=NOW - timedelta(days=32))
        set_counter("on_hand", 1)(stock)
        reconcile_stock(now=NOW - timedelta(days=31))
        set_counter("on_hand", -1)(stock)

        reconcile_stock(now=NOW)

        assert list(ReconciliationRun.objects.order_by("id").values_list("found", flat=True)) == [
            2,
            0,
        ]

    def test_of_one_scope_leaves_the_findings_of_another_alone(self) -> None:
        stock = traded()
        set_counter("on_hand", 1)(stock)
        reconcile_stock(now=NOW)

        record_reconciliation(
            scope="orders",
            checks=["paid_is_charged"],
            breaks=[Break("paid_is_charged", "order:1", "10.00", "9.00")] * 2,
            now=NOW,
            seconds=0.1,
        )

        assert [state for *_, state in findings()] == ["OPEN"] * 3
        assert ReconciliationRun.objects.get(scope="orders").found == 1

    @pytest.mark.parametrize("size", [1, 30])
    def test_takes_the_same_queries_for_any_number_of_findings(self, size: int) -> None:
        for stock in make.many_stocks(size, on_hand=5):
            set_counter("on_hand", 1)(stock)

        with CaptureQueriesContext(connection) as made:
            reconcile_stock(now=NOW)

        # Lock; the checks; savepoint, run, findings, resolve, counts of the run, prune (read),
        # release; unlock.
        assert len([q for q in made if "FETCH" not in q["sql"]]) == len(CHECKS) + 9
        assert ReconciliationFinding.objects.count() == 2 * size


@pytest.mark.django_db(transaction=True)
def test_only_one_process_looks_at_a_time() -> None:
    make.stock()

    with alone(7_302_003) as is_mine, in_background(reconcile) as second:
        assert is_mine
        assert second.result(timeout=60) is None
    assert not ReconciliationRun.objects.exists()

    assert reconcile() == 0
    assert ReconciliationRun.objects.count() == 1


@pytest.mark.django_db
class TestRepair:
    @pytest.mark.parametrize(("column", "by"), [("on_hand", 3), ("on_hand", -2), ("reserved", 1)])
    def test_rebuilds_a_counter_that_an_intact_ledger_contradicts(
        self, column: str, by: int
    ) -> None:
        stock = traded()
        set_counter(column, by)(stock)
        OutboxMessage.objects.all().delete()
        out = StringIO()

        call_command("reconcile_inventory", "--fix", stdout=out)

        stock.refresh_from_db()
        assert (stock.on_hand, stock.reserved) == (7, 2)
        assert drifted_stock(now=timezone.now()) == []
        noted = StockMovement.objects.latest("id")
        assert (noted.kind, noted.delta_on_hand, noted.delta_reserved) == ("CORRECTION", 0, 0)
        assert (noted.on_hand_after, noted.reserved_after) == (7, 2)
        assert noted.reason.startswith("Counters rebuilt from the ledger")
        assert {(state, how) for state, how in ended()} == {("RESOLVED", noted.reason)}
        assert f"mended: {stock.variant.sku} in main: Counters rebuilt" in out.getvalue()
        assert "nothing to be found" in out.getvalue()
        if column == "on_hand":  # shoppers were told of 6 or 2 more than there are
            assert OutboxMessage.objects.filter(topic="inventory.availability_changed").exists()

    def test_releases_a_hold_that_is_long_over(self) -> None:
        stock = traded()
        Reservation.objects.filter(state="HELD").update(expires_at=timezone.now() - OVERDUE)

        call_command("reconcile_inventory", "--fix", stdout=StringIO())

        stock.refresh_from_db()
        assert (stock.on_hand, stock.reserved) == (7, 0)
        assert StockMovement.objects.latest("id").reason == "Released: it was to end long ago"
        assert ended() == [("RESOLVED", "Released: it was to end long ago")]

    @pytest.mark.parametrize(
        "name",
        [
            "a lost sale",
            "a lost receipt",
            "an edited balance",
            "a leaked reservation",
            "a lost reservation",
        ],
    )
    def test_leaves_alone_what_nobody_can_be_sure_of(self, name: str) -> None:
        stock = traded()
        next(fault for told, fault, _ in FAULTS if told == name)(stock)
        stock.refresh_from_db()
        before = list(StockMovement.objects.values_list())
        counters = (stock.on_hand, stock.reserved)

        with pytest.raises(SystemExit) as told:
            call_command("reconcile_inventory", "--fix", stdout=StringIO())

        assert told.value.code == 1
        stock.refresh_from_db()
        assert list(StockMovement.objects.values_list()) == before
        assert (stock.on_hand, stock.reserved) == counters
        assert {state for state, _ in ended()} == {"OPEN"}

    def test_releases_no_hold_of_a_stock_whose_books_disagree(self) -> None:
        stock = traded()
        # A hold that ended, and was set back by hand: its units are no longer counted.
        sealed_off(
            "UPDATE inventory_reservation SET state = 'HELD', expires_at = '2026-01-01'"
            " WHERE reference = %s",
            f"{stock.pk}:2",
        )

        assert repair_stock(drifts=drifted_stock(now=timezone.now()), now=NOW) == []

        stock.refresh_from_db()
        assert stock.reserved == 2

    def test_is_not_done_when_it_was_done_meanwhile(self) -> None:
        stock = traded()
        set_counter("on_hand", 1)(stock)
        drifts = drifted_stock()
        assert len(repair_stock(drifts=drifts, now=NOW)) == 1

        assert repair_stock(drifts=drifts, now=NOW) == []

        assert StockMovement.objects.filter(kind="CORRECTION").count() == 1

    def test_wants_a_look_at_all_stock(self) -> None:
        stock = traded()

        with pytest.raises(CommandError, match="leave out --sku"):
            call_command("reconcile_inventory", "--fix", "--sku", stock.variant.sku)


OVERDUE = timedelta(minutes=11)


def ended() -> list[tuple[str, str]]:
    return list(ReconciliationFinding.objects.values_list("state", "resolution"))


@pytest.mark.django_db
class TestExplaining:
    def test_a_sound_stock_says_that_the_books_agree(self) -> None:
        stock = traded()
        out = StringIO()

        call_command("reconcile_inventory", "--explain", stock.variant.sku, stdout=out)

        assert "The books agree." in out.getvalue()
        assert f"{stock.variant.sku} in main" in out.getvalue()

    def test_names_the_row_at_which_the_ledger_parts(self) -> None:
        stock = traded()
        sale = StockMovement.objects.get(stock=stock, kind="SALE")
        after = StockMovement.objects.filter(stock=stock, id__gt=sale.pk).order_by("id")[0]
        delete_movement("SALE")(stock)
        out = StringIO()

        with pytest.raises(SystemExit) as told:
            call_command(
                "reconcile_inventory", "--explain", stock.variant.sku, "--json", stdout=out
            )

        assert told.value.code == 1
        (story,) = json.loads(out.getvalue())["stock"]
        assert (story["ledger_parts_at"], story["counters_part_after"]) == (after.pk, None)
        assert (story["on_hand"], story["ledger_on_hand"]) == (7, 10)
        entry = next(row for row in story["entries"] if row["parts"])
        assert (entry["movement_id"], entry["on_hand_after"], entry["expected_on_hand"]) == (
            after.pk,
            7,
            10,
        )

    def test_names_the_row_after_which_the_counters_part(self) -> None:
        stock = traded()
        set_counter("on_hand", 2)(stock)
        last = StockMovement.objects.filter(stock=stock).latest("id")
        out = StringIO()

        with pytest.raises(SystemExit):
            call_command("reconcile_inventory", "--explain", stock.variant.sku, stdout=out)

        assert f"Counters and ledger part after movement {last.pk}" in out.getvalue()
        assert "9 on hand, 2 reserved; sum of the ledger 7 and 2" in out.getvalue()

    def test_takes_two_queries_however_long_the_ledger_is(self) -> None:
        stock = traded()

        with CaptureQueriesContext(connection) as made:
            (story,) = stories_of_stock(sku=stock.variant.sku)

        assert len(made) == 2
        assert len(story.entries) == 3  # the last ones


@pytest.mark.django_db
class TestTheRoute:
    @pytest.fixture
    def clerk(self, api: APIClient) -> APIClient:
        return signed_in(api, make_staff("inventory.view_reconciliationrun"))

    def test_tells_the_last_runs_with_their_findings(self, clerk: APIClient) -> None:
        stock = traded()
        reconcile_stock(now=NOW)
        set_counter("on_hand", 1)(stock)
        for minutes in (5, 10):
            reconcile_stock(now=NOW + timedelta(minutes=minutes))
        set_counter("on_hand", -1)(stock)
        reconcile_stock(now=NOW + timedelta(minutes=15))

        told = clerk.get(RECONCILIATION).json()["results"]

        assert [run["found"] for run in told] == [0, 2, 2, 0]
        assert [len(run["findings"]) for run in told] == [0, 2, 2, 0]
        assert told[1]["findings"] == told[2]["findings"]
        finding = next(f for f in told[1]["findings"] if f["kind"] == "on_hand_is_ledger_sum")
        assert finding == {
            "id": finding["id"],
            "kind": "on_hand_is_ledger_sum",
            "reference": f"{stock.variant.sku} in main, on hand",
            "expected": "7",
            "found": "8",
            "detail": "sum of the ledger",
            "state": "RESOLVED",
            "first_seen_at": "2026-11-23T06:12:00Z",
            "last_seen_at": "2026-11-23T06:17:00Z",
            "resolved_at": "2026-11-23T06:22:00Z",
            "resolution": "No longer there",
        }

    def test_is_paged_and_filtered_in_two_queries(self, clerk: APIClient) -> None:
        set_counter("on_hand", 1)(traded())
        counts = []
        for size in (1, 12):
            for _ in range(size):
                reconcile_stock(now=NOW)
            clerk.get(RECONCILIATION)
            with CaptureQueriesContext(connection) as made:
                first = clerk.get(f"{RECONCILIATION}?page_size=10&scope=inventory").json()
            counts.append(len([q for q in made if "inventory_" in q["sql"]]))

        assert counts == [2, 2]
        second = clerk.get(first["next"]).json()
        ids = [run["id"] for page in (first, second) for run in page["results"]]
        assert len(ids) == 13
        assert ids == sorted(ids, reverse=True)
        assert clerk.get(RECONCILIATION, {"scope": "orders"}).json()["results"] == []
        assert clerk.get(RECONCILIATION, {"colour": "red"}).status_code == 400

    @pytest.mark.parametrize(
        ("who", "status"), [("nobody", 401), ("customer", 403), ("clerk", 403), ("superuser", 200)]
    )
    def test_is_for_those_who_may(self, api: APIClient, who: str, status: int) -> None:
        people: dict[str, Callable[[], User | None]] = {
            "nobody": lambda: None,
            "customer": make_user,
            "clerk": lambda: make_staff("inventory.view_stock"),
            "superuser": superuser,
        }
        signed_in(api, people[who]())

        assert api.get(RECONCILIATION).status_code == status
        assert api.post(RECONCILIATION, {}).status_code in {401, 405}


@pytest.mark.django_db
def test_the_admin_lists_runs_and_findings_and_changes_none(client: Client) -> None:
    client.force_login(superuser())
    stock = traded()
    set_counter("on_hand", 1)(stock)
    reconcile_stock(now=NOW)

    for table in ("reconciliationrun", "reconciliationfinding"):
        listed = client.get(reverse(f"admin:inventory_{table}_changelist"))
        assert listed.status_code == 200
        assert client.get(reverse(f"admin:inventory_{table}_add")).status_code == 403
    page = client.get(reverse("admin:inventory_reconciliationfinding_changelist"))
    assert stock.variant.sku in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("scope", ["bogus", "", "Inventory"])
def test_a_scope_whose_books_nobody_keeps_is_refused(api: APIClient, scope: str) -> None:
    answer = signed_in(api, superuser()).get(RECONCILIATION, {"scope": scope})

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/scope"]


def test_every_scope_that_is_recorded_can_be_asked_for() -> None:
    assert set(SCOPES) == {SCOPE, CATALOGUE, ORDERS, PAYMENTS}
