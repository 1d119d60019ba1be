"""Buyers review what they bought; shoppers see what staff approve."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import Product, Review, Variant
from catalog.services import ReviewDraft, add_review, forget_author, moderate_reviews
from orders.models import Order
from tests.make import accounts as people
from tests.make import catalog as goods
from tests.make import orders as make

pytestmark = pytest.mark.django_db

NOW = goods.NOW


@pytest.fixture
def mug() -> Variant:
    make.ground()
    variant = make.variant()
    Product.objects.update(slug="mug")
    return variant


@pytest.fixture
def buyer(api: APIClient, mug: Variant) -> APIClient:
    user = make.customer(api, (mug, 1), user=people.customer(full_name="Ada King Lovelace"))
    assert make.check_out(api).status_code == 201
    return people.signed_in(api, user)


def review_of(product: Product, rating: int, status: str = "APPROVED", **more: Any) -> Review:
    made = add_review(
        product_id=product.pk,
        author=f"customer:{Review.objects.count() + 1000}",
        author_name="Ada B.",
        draft=ReviewDraft(rating=rating, **more),
        is_verified=True,
        now=NOW,
    )
    moderate_reviews(review_ids=[made.pk], status=status, now=NOW)
    return made


REVIEWS = "/api/v1/products/mug/reviews"


def test_a_review_is_seen_and_counted_once_it_is_approved(
    buyer: APIClient, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    body = {"rating": 4, "title": "Good", "body": "<b>Holds tea.</b>"}
    answer = buyer.post(REVIEWS, body)

    assert answer.status_code == 201, answer.content
    posted = answer.json()
    assert (posted["author_name"], posted["is_verified"]) == ("Ada L.", True)
    assert posted["status"] == "pending"
    assert buyer.get(REVIEWS).json()["results"] == []
    assert buyer.get("/api/v1/products/mug").json()["rating"] == {"average": None, "count": 0}

    people.signed_in(buyer, people.staff("catalog.change_review"))
    with django_capture_on_commit_callbacks(execute=True):
        moderated = buyer.patch(f"/api/v1/reviews/{posted['id']}", {"status": "approved"})
    assert (moderated.status_code, moderated.json()["status"]) == (200, "approved")
    assert buyer.get("/api/v1/products/mug").json()["rating"] == {"average": 4.0, "count": 1}
    page = buyer.get(REVIEWS)
    assert page.json()["results"] == [{k: v for k, v in posted.items() if k != "status"}]
    assert buyer.get(REVIEWS, HTTP_IF_NONE_MATCH=page["ETag"]).status_code == 304
    assert page["Cache-Control"].startswith("public")


def test_a_buyer_reviews_once(buyer: APIClient) -> None:
    assert buyer.post(REVIEWS, {"rating": 5}).status_code == 201

    again = buyer.post(REVIEWS, {"rating": 1})

    assert (again.status_code, again.json()["code"]) == (409, "review_exists")
    assert Review.objects.get().rating == 5


def test_what_was_cancelled_was_not_bought(buyer: APIClient) -> None:
    Order.objects.update(status=Order.Status.CANCELLED)

    answer = buyer.post(REVIEWS, {"rating": 5})

    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_buyer")
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("who", "status"), [("nobody", 401), ("stranger", 403), ("staff", 403), ("buyer", 201)]
)
def test_only_who_bought_it_writes(buyer: APIClient, who: str, status: int) -> None:
    if who != "buyer":
        user: dict[str, Callable[[], User | None]] = {
            "nobody": lambda: None,
            "stranger": people.customer,
            "staff": people.superuser,
        }
        people.signed_in(buyer, user[who]())

    assert buyer.post(REVIEWS, {"rating": 5}).status_code == status
    assert Review.objects.count() == (status == 201)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"rating": 0}, 400),
        ({"rating": 6}, 400),
        ({"rating": "5"}, 400),
        ({"rating": 5, "body": "x" * 5001}, 400),
        ({"rating": 5, "is_verified": True}, 400),
    ],
)
def test_what_cannot_be_read_is_refused(buyer: APIClient, body: Any, status: int) -> None:
    assert buyer.post(REVIEWS, body).status_code == status
    assert buyer.post("/api/v1/products/none/reviews", {"rating": 5}).status_code == 404
    assert not Review.objects.exists()


def test_the_rating_follows_each_decision(mug: Variant) -> None:
    product = mug.product
    first, second, third = (review_of(product, rating) for rating in (5, 4, 1))

    def rating() -> tuple[int, int]:
        product.refresh_from_db()
        return product.rating_count, product.rating_total

    assert rating() == (3, 10)
    moderate_reviews(review_ids=[third.pk], status="REJECTED", now=NOW)
    assert rating() == (2, 9)
    assert moderate_reviews(review_ids=[third.pk], status="REJECTED", now=NOW) == 0
    moderate_reviews(review_ids=[first.pk, second.pk], status="PENDING", now=NOW)
    assert rating() == (0, 0)


@pytest.mark.parametrize(
    ("method", "address", "permission", "status"),
    [
        ("get", "reviews", "catalog.view_review", 200),
        ("patch", "reviews/{id}", "catalog.change_review", 200),
        ("delete", "reviews/{id}", "catalog.delete_review", 204),
    ],
)
@pytest.mark.parametrize("who", ["nobody", "customer", "staff without it", "staff with it"])
def test_staff_with_the_permission_moderate(
    api: APIClient, mug: Variant, who: str, method: str, address: str, permission: str, status: int
) -> None:
    review = review_of(mug.product, 3)
    user: dict[str, Callable[[], User | None]] = {
        "nobody": lambda: None,
        "customer": people.customer,
        "staff without it": lambda: people.staff("catalog.view_product"),
        "staff with it": lambda: people.staff(permission),
    }
    people.signed_in(api, user[who]())
    body = {"status": "rejected"} if method == "patch" else None

    answer = getattr(api, method)(f"/api/v1/{address.format(id=review.pk)}", body)

    is_in = who == "staff with it"
    assert answer.status_code == (status if is_in else 401 if who == "nobody" else 403)
    mug.product.refresh_from_db()
    assert mug.product.rating_count == (0 if is_in and method != "get" else 1)


def test_a_review_that_is_not_there_is_not_found(api: APIClient) -> None:
    people.signed_in(api, people.superuser())
    assert api.patch("/api/v1/reviews/9", {"status": "approved"}).status_code == 404
    assert api.delete("/api/v1/reviews/9").status_code == 404
    assert api.get("/api/v1/products/none/reviews").status_code == 404


def test_who_is_erased_leaves_the_stars_and_no_words(mug: Variant) -> None:
    review = review_of(mug.product, 5, body="Ada was here")

    assert forget_author(author=review.author) == 1

    review.refresh_from_db()
    assert (review.author_name, review.rating, review.body) == ("A customer", 5, "")
    assert forget_author(author="customer:1000") == 0


@pytest.mark.parametrize("size", [1, 15])
def test_takes_the_same_queries_for_any_number(api: APIClient, mug: Variant, size: int) -> None:
    reviews = [review_of(mug.product, 5) for _ in range(size)]

    # Expect 2: the product, its reviews.
    with CaptureQueriesContext(connection) as seen:
        assert len(api.get(REVIEWS).json()["results"]) == size
    assert len(seen) == 2
    # Expect 8: lock the products; change; count; read and write the sums; slugs, variants and the
    # message for what is cached. The other 2 open and close the savepoint.
    with CaptureQueriesContext(connection) as seen:
        moderate_reviews(review_ids=[row.pk for row in reviews], status="PENDING", now=NOW)
    assert len(seen) == 10
