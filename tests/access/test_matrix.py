"""Every route × everybody × own and others' things: who comes in, and what a refusal leaves."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.test import Client
from django.urls import clear_url_caches, path

from accounts.errors import AddressNotFound
from accounts.models import Address, User
from accounts.permissions import SignedIn
from accounts.selectors import address_of
from accounts.views import ProfileView
from inventory.views import StockBulkView, StockView
from orders.models import Order
from shop import urls
from shop.http.permissions import Public
from tests.access.entry import Entry
from tests.access.fingerprint import fingerprint
from tests.access.routes import admin_paths, path_of, routes, strangers_names
from tests.access.table import TABLE
from tests.access.world import BOSS, CLERK, HOLDER, IDENTITIES, NOBODY, OTHER, OWNER, World
from tests.make.database_roles import acting_as, role

pytestmark = pytest.mark.django_db

POWERFUL = (HOLDER, BOSS)
# Members by which a request might claim to be somebody else's, or make a thing theirs.
CLAIMS = ("owner", "owner_id", "user", "user_id", "customer", "customer_id", "is_staff", "id")


@dataclass(frozen=True, slots=True)
class Call:
    who: str
    what: str
    answers: frozenset[int]
    names: dict[str, Any]
    extra: dict[str, dict[str, Any]]


def expected(entry: Entry, who: str, what: str) -> frozenset[int]:
    """Return what a route must answer to `who` when they reach for `what`."""
    if who == NOBODY and (
        entry.door in ("signed in", "staff") or (entry.door == "own" and entry.headers is None)
    ):
        return frozenset({401})
    if entry.door == "staff" and who not in POWERFUL:
        return frozenset({403})
    if what == "random":
        return frozenset({entry.missing})
    if what == "others'":
        is_open = entry.opens_others and who in POWERFUL
        return entry.ok if is_open else frozenset({404})
    if what.startswith("nested"):
        return entry.nested_answers
    return entry.ok


def calls(route: str, entry: Entry, world: World, who: str) -> list[Call]:
    """Return what `who` tries at this route."""
    made = []

    def add(what: str, names: dict[str, Any], **extra: dict[str, Any]) -> None:
        made.append(Call(who, what, expected(entry, who, what), names, extra))

    stranger = OTHER if who != OTHER else OWNER
    # A guest's order is nobody's: everything else that is somebody's has an account.
    may_have = who != NOBODY or entry.door != "own" or entry.headers is not None
    mine = entry.of(world, who if may_have else OWNER) if entry.of else {}
    if "<" in route:
        add("random", strangers_names(route))
    if entry.door == "own" and entry.of:
        add("others'", entry.of(world, stranger))
    for title, nested in entry.nested.items():
        add(f"nested {title}", mine, **nested(world, who))
    if entry.body and entry.form == "json":
        other = world.user(stranger)
        claim = dict.fromkeys(CLAIMS, other.pk)
        add("nested claim", mine, body=claim)
    add("own", mine)
    return made


def send(route: str, entry: Entry, world: World, call: Call) -> Any:
    # Whoever has nothing of their own sends what its owner would.
    subject = (
        OWNER if call.who == NOBODY and entry.door == "own" and not entry.headers else call.who
    )

    def part(name: str) -> dict[str, Any]:
        made = getattr(entry, name)
        return {**(made(world, subject) if made else {}), **call.extra.get(name, {})}

    method, path = route.partition(" ")[0].lower(), path_of(route, call.names)
    verb = getattr(world.client(call.who), method)
    if method == "get":
        asked: dict[str, Any] = {"data": part("query"), "headers": part("headers")}
    else:
        body = part("body") if entry.body else None
        asked = {"data": body, "format": entry.form, "headers": part("headers")}
    with acting_as("web"):
        return verb(path, **asked)


def told(response: Any) -> tuple[int, Any, list[str]]:
    """Return everything that a refusal tells but its own id, to be compared with another."""
    body = response.json()
    body.pop("request_id")
    return response.status_code, body, sorted(set(response.headers) - {"Server-Timing"})


def faults(route: str, entry: Entry) -> list[str]:
    """Try everything at this route; return what went otherwise than the table says."""
    world = World(*entry.permissions)
    # Pages beside the API know nobody by a token.
    people = (NOBODY,) if route.partition(" ")[2].startswith("/") else IDENTITIES
    tries = [call for who in people for call in calls(route, entry, world, who)]
    for call in tries:  # make everything before anything is measured
        world.client(call.who)
        for name in ("body", "query", "headers"):
            if (part := getattr(entry, name)) and not (call.who == NOBODY and entry.door == "own"):
                part(world, call.who)
        if entry.listed and call.who != NOBODY:
            entry.listed[1](world, call.who)
    refused = [call for call in tries if call.answers.isdisjoint(entry.ok)]
    found = []
    unknown = {}
    before = fingerprint() if refused else {}
    for call in refused:
        answer = send(route, entry, world, call)
        where = f"{route} by {call.who} for {call.what}"
        if answer.status_code not in call.answers:
            found.append(f"{where}: {answer.status_code}, not {sorted(call.answers)}")
            continue
        if answer.status_code == 401 and not answer.headers.get("WWW-Authenticate"):
            found.append(f"{where}: 401 without WWW-Authenticate")
        if call.what == "random":
            unknown[call.who] = told(answer)
        if call.what == "others'" and told(answer) != unknown[call.who]:
            found.append(f"{where}: tells more than of what is not there")
    after = fingerprint() if refused else {}
    if changed := [name for name in after if after[name] != before[name] and name != entry.leaves]:
        found.append(f"{route}: refused calls changed {changed}")

    for call in (call for call in tries if call not in refused):
        savepoint = transaction.savepoint()
        answer = send(route, entry, world, call)
        transaction.savepoint_rollback(savepoint)
        where = f"{route} by {call.who} for {call.what}"
        if answer.status_code not in call.answers:
            found.append(f"{where}: {answer.status_code}, not {sorted(call.answers)}")
        elif entry.listed:
            found += [f"{where}: {fault}" for fault in wrongly_listed(entry, world, call, answer)]
    return found


def wrongly_listed(entry: Entry, world: World, call: Call, answer: Any) -> list[str]:
    assert entry.listed is not None
    member, of = entry.listed
    shown = {str(row[member]) for row in answer.json()["results"]}

    def name_of(who: str) -> str:
        return str(next(iter(of(world, who).values())))

    sees_all = entry.opens_others and call.who in POWERFUL
    stranger = OTHER if call.who != OTHER else OWNER
    wrong = []
    if name_of(call.who) not in shown:
        wrong.append("does not list one's own")
    if (name_of(stranger) in shown) != sees_all:
        wrong.append("hides what it should list" if sees_all else "lists what is others'")
    return wrong


def test_every_route_and_method_has_a_line() -> None:
    known = set(routes())

    assert known - set(TABLE) == set(), "routes without a line in tests/access/table.py"
    assert set(TABLE) - known == set(), "lines without a route"


@pytest.mark.parametrize("route", routes())
def test_who_comes_in(route: str) -> None:
    assert faults(route, TABLE[route]) == []


# Broken on purpose: the matrix is seen to notice.


def _any_order(*, number: str, **asked: Any) -> Order:
    return Order.objects.get(number=number)


def _any_address(user: User, address_id: int) -> Address:
    return get_object_or_404(Address, pk=address_id)


def _all_addresses(user: User) -> QuerySet[Address]:
    return Address.objects.all()


def _removed_and_then_refused(*, owner: User, address_id: int) -> None:
    Address.objects.filter(pk=address_id).delete()
    raise AddressNotFound("There is no such address in your address book.")


def _named_when_others(user: User, address_id: int) -> Address:
    if Address.objects.filter(pk=address_id).exclude(owner=user).exists():
        raise AddressNotFound("This address is not yours.")
    return address_of(user, address_id)


BREAKS: dict[str, tuple[str, AbstractContextManager[object], str]] = {
    "a door left open": (
        "GET inventory/stock",
        mock.patch.object(StockView, "permission_classes", (Public,)),
        "by nobody for own: 200, not [401]",
    ),
    "a door for customers that is for staff": (
        "POST inventory/stock/bulk",
        mock.patch.object(StockBulkView, "permission_classes", (SignedIn,)),
        "by other customer for own: 200, not [403]",
    ),
    "a guest's order by its number alone": (
        "GET orders/<str:number>",
        mock.patch("orders.selectors.readable_order", _any_order),
        "by nobody for others': 200, not [404]",
    ),
    "somebody else's address": (
        "GET me/addresses/<int:address_id>",
        mock.patch("accounts.selectors.address_of", _any_address),
        "by other customer for others': 200, not [404]",
    ),
    "a list of everybody's": (
        "GET me/addresses",
        mock.patch("accounts.selectors.addresses_of", _all_addresses),
        "by owner for own: lists what is others'",
    ),
    "refused, and done all the same": (
        "DELETE me/addresses/<int:address_id>",
        mock.patch("accounts.services.remove_address", _removed_and_then_refused),
        "refused calls changed ['accounts_address']",
    ),
    "a refusal that tells what is there": (
        "GET me/addresses/<int:address_id>",
        mock.patch("accounts.selectors.address_of", _named_when_others),
        "tells more than of what is not there",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_noticed(name: str) -> None:
    route, broken, fault = BREAKS[name]

    with broken:
        found = faults(route, TABLE[route])

    assert any(fault in one for one in found), found


def test_a_route_without_a_line_is_noticed() -> None:
    extra = path("api/v1/me/diary", ProfileView.as_view())

    with mock.patch.object(urls, "urlpatterns", [*urls.urlpatterns, extra]):
        clear_url_caches()
        missing = set(routes()) - set(TABLE)
    clear_url_caches()

    assert missing == {"GET me/diary", "PATCH me/diary"}


# The admin: by session, and so with people of its own.

OPEN_TO_ALL = {"/admin/login/", "/admin/logout/"}
OPEN_TO_STAFF = OPEN_TO_ALL | {
    "/admin/",
    "/admin/jsi18n/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/search/",
}


def test_the_admin_lets_nobody_and_no_customer_in(client: Client) -> None:
    people = World()
    token = {"Authorization": f"Bearer {people.session(BOSS).access}"}
    customer = Client()
    customer.force_login(people.user(OWNER))
    paths = [where for where in admin_paths() if where not in OPEN_TO_ALL]

    answers = {where: client.get(where) for where in paths}
    answers["by a token for the API"] = client.get("/admin/", headers=token)
    # Django asks the same question for all of them, so some will do.
    answers |= {f"{where} by a customer": customer.get(where) for where in paths[::10]}

    let_in = {
        where: answer.status_code
        for where, answer in answers.items()
        if answer.status_code != 404
        and not answer.headers.get("Location", "").startswith("/admin/login/")
    }
    assert let_in == {}


def test_the_admin_shows_staff_without_permissions_nothing(client: Client) -> None:
    client.force_login(World().user(CLERK))
    client.get("/admin/")  # notes when they were last seen
    before = fingerprint()

    shown = {
        f"{where}: {answer.status_code}"
        for where in admin_paths()
        if where not in OPEN_TO_STAFF
        and (answer := client.get(where)).status_code not in (403, 404)
        # The old form of an address leads to the page, and what is not there to the front page.
        and answer.headers.get("Location") not in (f"{where}change/", "/admin/")
    }

    assert shown == set()
    assert fingerprint() == before


def test_a_right_that_the_web_processes_lack_is_noticed() -> None:
    route = "DELETE me/addresses/<int:address_id>"
    with connection.cursor() as cursor:
        cursor.execute(f'REVOKE DELETE ON accounts_address FROM "{role("web")}"')

    assert f"{route} by owner for own: 500, not [204]" in faults(route, TABLE[route])
