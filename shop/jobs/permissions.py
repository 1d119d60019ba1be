"""Who may start jobs: staff, by the permissions of the models that a kind writes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from shop.errors import Unauthenticated
from shop.http.permissions import require_second_factor
from shop.jobs.kinds import EXPORTS, IMPORTS, Kind


class _MayStart(BasePermission):
    """Staff who may start at least one of these kinds. Which one is asked once they name it."""

    kinds: ClassVar[Mapping[str, Kind]] = {}

    def has_permission(self, request: Request, view: Any) -> bool:
        require_second_factor(request)
        is_staff = getattr(request.user, "is_staff", False)
        return bool(is_staff) and any(may_start(request, kind) for kind in self.kinds.values())


class MayImport(_MayStart):
    kinds = IMPORTS


class MayExport(_MayStart):
    kinds = EXPORTS


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
