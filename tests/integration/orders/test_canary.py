"""Marked people go through the shop, and their marks are looked for everywhere (I14).

`CANARIES=200` marks as many; the suite marks a few, which finds the same, as every journey is gone.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from celery import current_app
from celery.backends.base import DisabledBackend
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY, generate_latest
from rest_framework.test import APIClient

from accounts.models import User
from orders.models import Order
from orders.services import purge_retained_invoice_data, sweep_erasures
from shop.jobs.kinds import EXPORTS
from shop.models import Job
from shop.observe.logs import json_formatter
from shop.outbox.services import relay
from tests.make import accounts as make_accounts
from tests.make import jobs, stores
from tests.make import orders as make
from tests.make.roles import member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]

CANARIES = int(os.environ.get("CANARIES", "4"))
V1 = "/api/v1"
# Where a person's data may be while they are with us; what they typed as a reason included.
ALLOWED = {
    "accounts_user", "accounts_address", "orders_order", "orders_orderevent", "orders_refund",
    "inventory_stocksubscription", "catalog_review",
}  # fmt: skip
RETAINED = "orders_retainedinvoicedata"
STAFF_WHO_SEE_ORDERS = {"clerk", "admin"}
STAFF_WHO_SEE_ADDRESSES = {"support", "warehouse", "finance"}  # shop.view_personal_data


@dataclass(frozen=True)
class Canary:
    """Somebody whose every datum is found nowhere else."""

    number: int

    @property
    def email(self) -> str:
        return f"canary{self.number}@quibblewick{self.number}.example"

    @property
    def guest_email(self) -> str:
        return f"canaryguest{self.number}@quibblewick{self.number}.example"

    @property
    def password(self) -> str:
        return f"zugzwang-{self.number}-parrot"

    @property
    def name(self) -> str:
        return f"Wilhelmina{self.number} Zarquon{self.number}"

    @property
    def phone(self) -> str:
        return f"+44770{9000000 + self.number}"

    def reason(self) -> str:
        return f"Snollygoster{self.number} came by"

    def address(self, **changes: str) -> dict[str, str]:
        return {
            "name": self.name,
            "company": f"Flibbertigibbet{self.number} Ltd",
            "line1": f"{self.number} Borborygmus{self.number} Lane",
            "line2": f"Flat Taradiddle{self.number}",
            "city": f"Widdershins{self.number}",
            "region": f"Collywobble{self.number}",
            "postal_code": f"QX{self.number} 7ZZ",
            "country": "GB",
            "phone": self.phone,
            **changes,
        }

    def marks(self) -> list[str]:
        """Return what is looked for: nothing in the shop but they has these."""
        return [
            self.email, self.guest_email, self.password, self.name.split()[0], self.phone,
            self.phone.removeprefix("+"), f"Snollygoster{self.number}",
            *(self.address()[part] for part in
              ("company", "line1", "line2", "city", "region", "postal_code")),
        ]  # fmt: skip


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect log lines as production writes them, every level of them."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    collector = Collector()
    collector.setFormatter(json_formatter())
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield lines
    finally:
        root.removeHandler(collector)


def delivered() -> list[str]:
    """Hand every waiting message to its task, as workers would; return what the broker was told."""
    current_app.loader.import_default_modules()
    told: list[str] = []

    def send(task: str, *, kwargs: dict[str, Any], retry: bool) -> None:
        told.append(f"{task} {kwargs}")
        tasks.append((task, kwargs))

    tasks: list[tuple[str, dict[str, Any]]] = []
    while relay(now=timezone.now(), send=send) or tasks:
        while tasks:
            task, kwargs = tasks.pop()
            current_app.tasks[task](**kwargs)
    return told


def ok(answer: Any) -> Any:
    assert answer.status_code < 300, answer.content
    return answer


def journey(one: Canary) -> str:
    """Register, sign in, fill a cart, buy, buy and cancel, subscribe, buy as a guest, go wrong.

    Returns what is answered where a fault of ours is met: those pages are shown to anybody.
    """
    # From an address of their own: guesses are counted by address.
    home = f"10.{one.number >> 8}.{one.number & 255}.7"
    api = APIClient(raise_request_exception=False, REMOTE_ADDR=home)
    ok(api.post(f"{V1}/auth/register", {"email": one.email, "password": one.password,
                                        "full_name": one.name, "phone": one.phone}))  # fmt: skip
    assert api.post(f"{V1}/auth/token", {"email": one.email, "password": "no"}).status_code == 401
    tokens = ok(api.post(f"{V1}/auth/token", {"email": one.email, "password": one.password})).json()
    User.objects.filter(email=one.email).update(email_verified_at=timezone.now())
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    sold = make.variant(on_hand=50)
    ok(api.post(f"{V1}/me/addresses", one.address()))
    for number in (1, 2):
        ok(api.post(f"{V1}/cart/items", {"variant_id": sold.pk, "quantity": 1}))
        bought = ok(
            api.post(
                f"{V1}/checkout",
                make.body(email=None, shipping_address=one.address(),
                          billing_address=one.address(line2="")),
                headers={"Idempotency-Key": f"{one.number}-{number}"},
            )
        ).json()["order"]  # fmt: skip
    cancelled = api.post(f"{V1}/orders/{bought['number']}/cancel", {"reason": one.reason()})
    ok(cancelled)
    gone = make.variant(on_hand=0)
    ok(api.post(f"{V1}/inventory/subscriptions", {"variant_id": gone.pk}))
    ok(api.post(f"{V1}/cart/items", {"variant_id": sold.pk, "quantity": 2}))
    ok(api.post(f"{V1}/products/{sold.product.slug}/reviews",
                {"rating": 5, "title": one.reason(), "body": one.reason()}))  # fmt: skip

    guest = APIClient(raise_request_exception=False, REMOTE_ADDR=home)
    make.guest(guest, (sold, 1))
    for email in (one.guest_email, one.email):
        ok(
            guest.post(
                f"{V1}/checkout",
                make.body(email=email, shipping_address=one.address()),
                headers={"Idempotency-Key": f"{one.number}-{email[:12]}"},
            )
        )
        make.guest(guest, (sold, 1))
    ok(guest.post(f"{V1}/inventory/subscriptions",
                  {"variant_id": gone.pk, "email": one.guest_email}))  # fmt: skip
    ok(guest.post(f"{V1}/orders/lookup", {"number": bought["number"], "email": one.email}))

    # What goes wrong tells no more.
    api.post(f"{V1}/me/addresses", {**one.address(), one.email: one.name})
    api.post(f"{V1}/me/addresses", {**one.address(), "country": one.name})
    api.get(f"{V1}/orders/{one.email}")
    api.get(f"{V1}/nowhere/{one.email}", {"q": one.name})
    row = f"Key (email)=({one.email}) exists. Failing row contains ({one.name}, {one.phone})."
    with mock.patch("accounts.services.change_profile", side_effect=IntegrityError(row)):
        broken: list[Any] = [api.patch(f"{V1}/me", {"full_name": one.name})]
    screen = Client(raise_request_exception=False)
    screen.force_login(make_accounts.staff("accounts.view_user", "shop.view_personal_data"))
    with mock.patch("accounts.models.User.__str__", side_effect=IntegrityError(row)):
        person = User.objects.only("pk").get(email=one.email).pk
        broken.append(screen.get(f"/admin/accounts/user/{person}/change/"))
    assert [answer.status_code for answer in broken] == [500, 500]
    return "".join(shown(answer) for answer in broken)


def shown(answer: Any) -> str:
    """Return all that a client gets: headers, cookies, body."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    body = b"".join(answer) if answer.streaming else answer.content
    return f"{head}\n{answer.cookies.output()}\n{body.decode(errors='replace')}"


def others(numbers: list[str], job_urls: list[str]) -> dict[str, str]:
    """Return all that anybody but the canaries is shown, by who sees it."""
    seen: dict[str, str] = {}
    paths = [
        f"{V1}/orders", f"{V1}/me", f"{V1}/me/addresses", f"{V1}/jobs", f"{V1}/cart",
        f"{V1}/products", f"{V1}/inventory/stock", f"{V1}/inventory/movements",
        *(f"{V1}/orders/{number}" for number in numbers),
        *(f"{V1}/me/addresses/{n}" for n in range(1, 3)), *job_urls,
    ]  # fmt: skip
    roles = {
        "nobody": None,
        "stranger": make_accounts.customer(),
        "clerk": make_accounts.staff(
            "orders.view_order", "inventory.view_stock", "inventory.view_stockmovement"
        ),
        **{name: member(name) for name in ("support", "warehouse", "catalogue", "finance")},
    }
    for role, user in roles.items():
        api = make_accounts.signed_in(APIClient(), user)
        # Of many orders a few tell as much to those who may see none of them.
        few = paths if role in {"clerk", "support"} else [*paths[:28], *job_urls[:40]]
        seen[role] = "".join(shown(api.get(path)) for path in few)
    seen["pages"] = "".join(
        shown(Client().get(path))
        for path in ("/metrics", "/readyz", "/livez", "/problems", "/api/schema", "/nowhere",
                     "/admin/login/", "/.well-known/jwks.json")
    )  # fmt: skip
    seen["exports"] = exported_by_staff()
    screen = Client()
    screen.force_login(
        make_accounts.staff(
            "orders.view_order", "accounts.view_user", "accounts.view_address", "shop.view_job",
            "shop.view_outboxmessage", "shop.view_idempotencykey", "orders.view_payment",
        )
    )  # fmt: skip
    lists = ("orders/order", "accounts/user", "accounts/address", "shop/job",
             "shop/outboxmessage", "shop/idempotencykey", "orders/payment")  # fmt: skip
    pages = [f"/admin/{name}/" for name in lists]
    pages += [
        f"/admin/orders/order/{pk}/change/" for pk in Order.objects.values_list("pk", flat=True)
    ]
    seen["admin"] = "".join(screen.get(page).content.decode() for page in pages)
    return seen


def exported_by_staff() -> str:
    """Return what staff who export the catalogue and its stock are handed."""
    staff = make_accounts.superuser()
    job = jobs.carried_through(jobs.job(EXPORTS["native_csv"], owner_id=staff.pk, filters={}))
    api = make_accounts.signed_in(APIClient(), staff)
    told = ok(api.get(f"{V1}/jobs/{job.public_id}"))
    return shown(told) + shown(ok(api.get(told.json()["result"]["url"])))


def found(marks: list[str], text: str) -> list[str]:
    return [mark for mark in marks if mark in text]


def _written(canaries: list[Canary], searched: dict[str, str], alive: set[str]) -> None:
    """Append what was searched to the file that CANARIES_REPORT names."""
    if not (path := os.environ.get("CANARIES_REPORT", "")):
        return
    with Path(path).open("a", encoding="utf-8") as report:
        for place, text in searched.items():
            row = {"place": place, "characters": len(text), "people": len(canaries)}
            report.write(json.dumps(row) + "\n")
        report.write(json.dumps({"tables": sorted(alive), "people": len(canaries)}) + "\n")


def test_marks_are_where_they_may_be_and_after_erasure_only_where_the_law_wants_them() -> None:
    canaries = [Canary(1000 + number) for number in range(CANARIES)]
    marks = [mark for one in canaries for mark in one.marks()]

    with logged() as lines:
        pages = "".join(journey(one) for one in canaries)
        told = delivered()
        urls = export_all(canaries)

        numbers = list(Order.objects.values_list("number", flat=True))
        seen = others(numbers, urls)
        alive = stores.tables_holding(marks)
        redis = stores.redis_dump()

        erase_all(canaries)
        told += delivered()
        finished = 0
        while some := sweep_erasures(
            now=timezone.now() + timedelta(minutes=3)
        ):  # a hundred a round
            finished += some

    # The search finds what is there.
    assert found(marks, stores.database_dump())
    assert alive == ALLOWED

    # Staff who see orders and people see names, and cities for freight; no contact, no street.
    names_and_cities = re.compile(r"Wilhelmina|Widdershins|Collywobble|Snollygoster")
    # Roles that may see personal data are shown where a parcel goes, and no contact either.
    contacts = {mark for one in canaries
                for mark in (one.email, one.guest_email, one.password, one.phone)}  # fmt: skip
    for role, text in seen.items():
        there = found(marks, text)
        if role in STAFF_WHO_SEE_ADDRESSES:
            there = [mark for mark in there if mark in contacts]
        elif role in STAFF_WHO_SEE_ORDERS:
            there = [mark for mark in there if not names_and_cities.match(mark)]
        assert there == [], role
    assert found(marks, pages) == []
    assert found(marks, "\n".join(lines)) == []
    assert any("bug" in line and "[hidden]" in line for line in lines)
    assert found(marks, generate_latest(REGISTRY).decode()) == []
    # Nothing is kept of what a task returned, and nobody traces but `Server-Timing`, seen above.
    assert isinstance(current_app.backend, DisabledBackend)
    assert found(marks, redis + stores.redis_dump()) == []
    assert found(marks, "\n".join(told)) == []
    assert all(len(letter.to) == 1 for letter in mail.outbox)
    for letter in mail.outbox:
        others_marks = [mark for one in canaries
                        if letter.to[0] not in {one.email, one.guest_email}
                        for mark in one.marks()]  # fmt: skip
        assert found(others_marks, f"{letter.subject}\n{letter.body}") == []

    assert finished == CANARIES
    of_accounts = [mark for one in canaries for mark in one.marks() if mark != one.guest_email]
    only_guest = {mark for one in canaries for mark in one.marks()} - set(of_accounts)
    erase_guests()
    assert stores.tables_holding(of_accounts) == {RETAINED}
    assert stores.tables_holding(only_guest) <= {"inventory_stocksubscription"}
    with transaction.atomic():
        purge_retained_invoice_data(now=timezone.now() + timedelta(days=366 * 12))
    assert stores.tables_holding(of_accounts) == set()
    searched = {
        **{f"answers to {role}": text for role, text in seen.items()},
        "error pages": pages,
        "logs": "\n".join(lines),
        "metrics": generate_latest(REGISTRY).decode(),
        "Redis and broker": redis + stores.redis_dump(),
        "messages to tasks": "\n".join(told),
        "mails of others": "\n".join(str(letter.body) for letter in mail.outbox),
    }
    _written(canaries, searched, alive)


def export_all(canaries: list[Canary]) -> list[str]:
    """Have everybody's data written; return where the files are to be had."""
    urls = []
    for one in canaries:
        api = APIClient()
        body = {"email": one.email, "password": one.password}
        tokens = ok(api.post(f"{V1}/auth/token", body)).json()
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
        url = ok(api.post(f"{V1}/me/export", {"password": one.password})).json()["job"]["url"]
        jobs.carried_through(Job.objects.order_by("-id")[0])
        result = ok(api.get(url)).json()["result"]["url"]
        file = ok(api.get(result)).getvalue().decode()
        expected = [mark for mark in one.marks() if mark not in {one.guest_email, one.password}]
        assert [mark for mark in expected if mark not in file] == []
        assert not [
            mark for other in canaries if other != one for mark in found(other.marks(), file)
        ]
        urls += [url, result]
    return urls


def erase_all(canaries: list[Canary]) -> None:
    for one in canaries:
        api = APIClient()
        body = {"email": one.email, "password": one.password}
        tokens = ok(api.post(f"{V1}/auth/token", body)).json()
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
        ok(api.post(f"{V1}/me/erase", {"password": one.password}))


def erase_guests() -> None:
    """Take away what guests of other addresses bought: those are other people, for all we know."""
    theirs = Order.objects.filter(email__startswith="canaryguest")
    assert theirs.count() == CANARIES
    theirs.update(email="", shipping_address=None, billing_address=None)
