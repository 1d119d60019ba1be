"""GET and PATCH /me."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.serializers import ProfileResponse
from shop.privacy import email_hash
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

ME = "/api/v1/me"


def test_one_sees_oneself_masked(api: APIClient) -> None:
    user = make.customer(email="jane@example.com", phone="+447700900123")
    make.signed_in(api, user)

    response = api.get(ME)

    assert response.status_code == 200
    assert response["Cache-Control"] == "private, no-store"
    assert response.json() == {
        "id": str(user.public_id),
        "email_masked": "j***@e***.com",
        "email_hash": email_hash("jane@example.com"),
        "email_verified": False,
        "full_name": "Ada Byron",
        "phone_last4": "0123",
        "created_at": f"{user.created_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert response.json().keys() == ProfileResponse().fields.keys()
    assert b"jane" not in response.content


def test_one_may_change_name_and_telephone(api: APIClient) -> None:
    user = make.customer()
    make.signed_in(api, user)

    changed = api.patch(ME, {"full_name": "Ada Lovelace", "phone": "07700 900456"})
    named = api.patch(ME, {"full_name": "Countess"})
    nothing = api.patch(ME, {})
    cleared = api.patch(ME, {"phone": None})

    assert (changed.status_code, changed.json()["phone_last4"]) == (200, "0456")
    assert (named.json()["full_name"], named.json()["phone_last4"]) == ("Countess", "0456")
    assert nothing.json() == named.json()
    assert cleared.json()["phone_last4"] is None
    assert api.get(ME).json() == cleared.json()
    user.refresh_from_db()
    assert (user.full_name, user.phone) == ("Countess", "")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"phone": "12"}, "/phone"),
        ({"full_name": "x" * 201}, "/full_name"),
        ({"email": "new@example.com"}, "/email"),
        ({"is_staff": True}, "/is_staff"),
        ({"id": 7}, "/id"),
        ({"token_version": 7}, "/token_version"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "/created_at"),
        ({"full_name": "New", "phone": "12"}, "/phone"),
    ],
)
def test_a_refused_change_changes_nothing(
    api: APIClient, body: dict[str, object], pointer: str
) -> None:
    make.signed_in(api, make.customer())
    before = User.objects.values().get()

    response = api.patch(ME, body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == pointer
    assert User.objects.values().get() == before


@pytest.mark.parametrize("method", ["get", "patch"])
@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("customer", 200), ("staff", 200)])
def test_who_may(api: APIClient, method: str, who: str, status: int) -> None:
    user = {"nobody": None, "customer": make.customer(), "staff": make.staff()}[who]
    make.signed_in(api, user)

    response = getattr(api, method)(ME, {} if method == "patch" else None)

    assert response.status_code == status
    if user is not None:
        assert response.json()["id"] == str(user.public_id)
    else:
        assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["put", "post", "delete"])
def test_other_methods_are_refused(api: APIClient, method: str) -> None:
    make.signed_in(api, make.customer())

    assert getattr(api, method)(ME).status_code == 405
