"""Whom the matrix sends to each route, and the things that they reach for."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import SessionTokens
from accounts.services.links import Purpose, link_token
from cart.services import CartOwner, add_item
from catalog.models import Price, Variant
from catalog.services import ReviewDraft
from inventory.models import Stock
from inventory.services import SkuLine, dispatch_transfer, issue_ticket
from orders.services import post_review
from shop.jobs.kinds import EXPORTS
from tests.make import accounts as make
from tests.make import cart as make_cart
from tests.make import catalog as make_catalog
from tests.make import inventory as make_inventory
from tests.make import jobs as make_jobs
from tests.make import orders as make_orders
from tests.make import sales as make_sales
from tests.make import second_factors as make_factors

NOBODY, OWNER, OTHER, CLERK, HOLDER, BOSS = (
    "nobody",
    "owner",
    "other customer",
    "staff without the permission",
    "staff with the permission",
    "superuser",
)
IDENTITIES = (NOBODY, OWNER, OTHER, CLERK, HOLDER, BOSS)
T = TypeVar("T")
Names = dict[str, Any]  # the parameters of a path


class World:
    """A shop with six people in it; things are made when somebody first reaches for them.

    Whatever is asked for as `who` belongs to them; what belongs to nobody in particular is the
    same for all.
    """

    def __init__(self, *permissions: str) -> None:
        self._permissions = permissions
        self._kept: dict[tuple[str, str], Any] = {}

    def _once(self, what: str, who: str, made: Callable[[], T]) -> T:
        if (what, who) not in self._kept:
            self._kept[what, who] = made()
        kept: T = self._kept[what, who]
        return kept

    # People

    def user(self, who: str) -> User:
        match who:
            case "superuser":
                return self._once("user", who, make.superuser)
            case "staff with the permission":
                return self._once("user", who, lambda: make.staff(*self._permissions))
            case "staff without the permission":
                return self._once("user", who, make.staff)
            case _:
                return self._once("user", who, make.customer)

    def session(self, who: str) -> SessionTokens:
        return self._once("session", who, lambda: make.session(self.user(who)))

    def client(self, who: str) -> APIClient:
        api = APIClient()
        if who != NOBODY:
            api.credentials(HTTP_AUTHORIZATION=f"Bearer {self.session(who).access}")
        return api

    def link(self, who: str, purpose: Purpose) -> str:
        return link_token(user=self.user(who), purpose=purpose, now=timezone.now())

    def second_step(self) -> dict[str, Any]:
        """Return what signs in somebody who has a second factor: a code on paper."""

        def made() -> dict[str, Any]:
            careful = make.customer()
            codes = make_factors.set_up(careful)
            challenge = make_factors.challenge(careful)
            return {"challenge": challenge, "factor": "recovery_code", "code": codes[0]}

        return self._once("second step", "", made)

    def email_link(self, who: str) -> str:
        self._once("email change", who, lambda: make.email_change(self.user(who)))
        return self.link(who, Purpose.CHANGE_EMAIL)

    # Goods: the same for everybody

    def variant(self, who: str = "") -> Variant:
        def made() -> Variant:
            make_orders.ground()
            return make_orders.variant(on_hand=50)

        return self._once("variant", "", made)

    def sold_out(self) -> Variant:
        return self._once("sold out", "", lambda: make_orders.variant(on_hand=0))

    def sku(self) -> str:
        return self.variant().sku

    def product(self, who: str) -> Names:
        return {"ref": self.variant().product.slug}

    def category(self, who: str) -> Names:
        return {"slug": self._once("category", "", lambda: make_catalog.category("Access").slug)}

    def collection(self, who: str) -> Names:
        made = {"title": "Access", "is_published": True}
        told = self._once("collection", "", lambda: self._by_staff("collections", made))
        return {"slug": told["slug"]}

    def image(self, who: str) -> Names:
        def made() -> int:
            picture = {"url": "https://cdn.example.com/access.jpg"}
            path = f"products/{self.product(who)['ref']}/images"
            return int(self._by_staff(path, picture)["images"][0]["id"])

        return {**self.product(who), "image_id": self._once("image", "", made)}

    def price(self, who: str) -> Names:
        return {"price_id": Price.objects.filter(variant=self.variant()).latest("pk").pk}

    def review(self, who: str) -> Names:
        def made() -> int:
            self.order("reviewer")
            draft = ReviewDraft(rating=4, title="Fine", body="It does.")
            return post_review(
                customer=self.user("reviewer"),
                product_ref=self.product(who)["ref"],
                draft=draft,
                now=timezone.now(),
            ).pk

        return {"review_id": self._once("review", "", made)}

    def _by_staff(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.client(BOSS).post(f"/api/v1/{path}", body, format="json")
        assert answer.status_code == 201, answer.content
        return answer.json()

    def transfer(self, who: str) -> Names:
        def made() -> int:
            make_inventory.make_warehouse("second")
            return dispatch_transfer(
                source="main",
                destination="second",
                lines=[SkuLine(self.sku(), 1)],
                reason="A test",
                now=timezone.now(),
            ).pk

        return {"transfer_id": self._once("transfer", "", made)}

    def stock(self, who: str) -> Names:
        return {"stock_id": Stock.objects.get(variant=self.variant()).pk}

    def warehouse(self, who: str) -> Names:
        return {"code": make_inventory.make_warehouse("spare").code}

    def limit(self, who: str) -> Names:
        self._once("limit", "", lambda: make_sales.purchase_limit(self.variant(), 3))
        return {"variant_id": self.variant().pk}

    def sale(self, who: str) -> Names:
        def made() -> str:
            sold = make_orders.variant(on_hand=20)
            return make_sales.flash_sale(sold).slug

        return {"slug": self._once("sale", "", made)}

    def ticket(self, who: str) -> Names:
        def made() -> str:
            ticket = issue_ticket(
                slug=self.sale(who)["slug"], holder=f"test:{uuid4()}", now=timezone.now()
            )
            return str(ticket.as_json()["id"])

        return {"ticket_id": self._once("ticket", "", made)}

    # What belongs to somebody

    def address(self, who: str) -> Names:
        return {"address_id": self._once("address", who, lambda: make.address(self.user(who)).pk)}

    def order(self, who: str) -> Names:
        return {"number": self._order(who)[0]}

    def order_token(self, who: str) -> dict[str, str]:
        """Return what shows a guest to be the buyer; customers have their account."""
        return {"X-Order-Token": self._order(who)[1]} if who == NOBODY else {}

    def _order(self, who: str) -> tuple[str, str]:
        def of_guest() -> tuple[str, str]:
            told = make_orders.check_out(make_orders.guest(APIClient(), (self.variant(), 1))).json()
            return told["order"]["number"], told["access_token"]

        def of_customer() -> tuple[str, str]:
            order = make_orders.sold((self.variant(), 1), customer=self.user(who)).order
            return order.number, ""

        return self._once("order", who, of_guest if who == NOBODY else of_customer)

    def job(self, who: str) -> Names:
        return {"job_id": self._export(who, is_done=False).public_id}

    def result(self, who: str) -> Names:
        return {"job_id": self._export(who, is_done=True).public_id}

    def _export(self, who: str, *, is_done: bool) -> Any:
        def made() -> Any:
            self.variant()
            kind = EXPORTS["native_csv"]
            job = make_jobs.job(kind, owner_id=self.user(who).pk, filters={})
            return make_jobs.carried_through(job) if is_done else job

        return self._once(f"export {is_done}", who, made)

    def result_token(self, who: str) -> dict[str, str]:
        path = f"/api/v1/jobs/{self.result(who)['job_id']}"
        url: str = self.client(who).get(path).json()["result"]["url"]
        return {"token": url.partition("token=")[2]}

    def cart(self, who: str) -> dict[str, str]:
        """Return the header that opens the cart of a guest; a customer's opens by the account."""
        return {"X-Cart-Token": self.guest_cart(who)} if who == NOBODY else self._own_cart(who)

    def guest_cart(self, whose: str) -> str:
        token = self._once("guest cart", whose, lambda: make_cart.guest_with(self.variant()).token)
        assert token is not None
        return token

    def _own_cart(self, who: str) -> dict[str, str]:
        owner = CartOwner(self.user(who).pk, None)
        self._once(
            "cart",
            who,
            lambda: add_item(
                owner=owner, variant_id=self.variant().pk, quantity=1, now=timezone.now()
            ),
        )
        return {}

    def line(self, who: str) -> Names:
        return {"variant_id": self.variant().pk}

    def payment(self, who: str) -> Names:
        def made() -> str:
            api = make_orders.guest(APIClient(), (self.variant(), 1))
            told = make_orders.check_out(api, "tok_requires_action").json()
            return str(told["payment"]["next_action"]["url"]).rsplit("/", 2)[1]

        return {"payment_id": self._once("payment", "", made)}


def a_file(content: bytes = b"Handle,Title\n") -> SimpleUploadedFile:
    return SimpleUploadedFile("products.csv", content, "text/csv")
