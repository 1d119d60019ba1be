"""Who may start jobs: staff, by the permissions of the models that a kind writes."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from shop.errors import Unauthenticated
from shop.jobs.kinds import Kind


class IsStaff(BasePermission):
    """Whoever works here. Which kinds they may start is asked for each."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_authenticated and getattr(request.user, "is_staff", False))


def account_of(request: Request) -> int:
    """Return the id of whoever asks. Raises Unauthenticated for a guest."""
    if request.user.pk is None:
        raise Unauthenticated("Sign in: send an access token.")
    return int(request.user.pk)


def may_start(request: Request, kind: Kind) -> bool:
    """Tell whether whoever asks holds all permissions of this kind."""
    return holds_all(request.user, kind)


def holds_all(user: AbstractBaseUser | AnonymousUser, kind: Kind) -> bool:
    return isinstance(user, PermissionsMixin) and user.has_perms(kind.permissions)
