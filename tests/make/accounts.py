"""People for tests: valid by default, name only what matters."""

from datetime import datetime
from itertools import count

from django.contrib.auth.models import Permission
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Address, EmailChange, User
from accounts.services import (
    AddressChanges,
    SessionTokens,
    add_address,
    log_in,
    request_email_change,
)

PASSWORD = "quiet-harbour-42"
_numbers = count(1)


def customer(
    *,
    email: str = "",
    password: str | None = PASSWORD,
    full_name: str = "Ada Byron",
    phone: str = "",
    is_active: bool = True,
    email_verified_at: datetime | None = None,
) -> User:
    return User.objects.create_user(
        email or f"customer{next(_numbers)}@example.com",
        password,
        full_name=full_name,
        phone=phone,
        is_active=is_active,
        email_verified_at=email_verified_at,
    )


def staff(*permissions: str) -> User:
    """Return somebody who works here and holds `permissions` (`inventory.change_stock`)."""
    user = User.objects.create_user(
        f"staff{next(_numbers)}@example.com", PASSWORD, full_name="Grace Hopper", is_staff=True
    )
    for permission in permissions:
        app, _, codename = permission.partition(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user


def superuser() -> User:
    return User.objects.create_superuser(f"admin{next(_numbers)}@example.com", PASSWORD)


def session(user: User, *, now: datetime | None = None) -> SessionTokens:
    """Log `user` in, by the password that everybody here has."""
    return log_in(email=user.email, password=PASSWORD, now=now or timezone.now())


def signed_in(api: APIClient, user: User | None) -> APIClient:
    """Have `api` send an access token of `user`; with None, no token."""
    api.credentials(**({"HTTP_AUTHORIZATION": f"Bearer {session(user).access}"} if user else {}))
    return api


def address_fields(**changes: object) -> dict[str, object]:
    """Return the body of a new address."""
    return {
        "name": "Ada Byron",
        "line1": "12 St James's Square",
        "city": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
        **changes,
    }


def address(owner: User, *, is_default_shipping: bool = False, phone: str = "") -> Address:
    changes = AddressChanges(
        name="Ada Byron",
        line1="12 St James's Square",
        city="London",
        postal_code="SW1Y 4JH",
        country="GB",
        phone=phone,
        is_default_shipping=is_default_shipping,
    )
    return add_address(owner=owner, changes=changes, now=timezone.now())


def email_change(user: User, new_email: str = "") -> EmailChange:
    """Have `user` ask for another address."""
    request_email_change(
        user=user,
        new_email=new_email or f"new{next(_numbers)}@example.com",
        password=PASSWORD,
        now=timezone.now(),
    )
    return EmailChange.objects.get(user=user, confirmed_at=None)


# The names that others were told.
make_user = customer
make_staff = staff
