"""Who may come in, where no account is needed to tell. Everything else is denied by default."""

from functools import cache
from typing import Any

from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request

from shop.errors import SecondFactorNotShown


class Nobody(BasePermission):
    """The default: a view that names no permission lets nobody in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class Public(AllowAny):
    """Everybody, on purpose."""


def require_second_factor(request: Request) -> None:
    """Tell staff who come by password alone why this is shut. Others are answered elsewhere.

    Raises SecondFactorNotShown.
    """
    if getattr(request.user, "lacks_second_factor", False):
        raise SecondFactorNotShown("Sign in with a second factor, or set one up first.")


class _Staff(BasePermission):
    permission = ""

    def has_permission(self, request: Request, view: Any) -> bool:
        require_second_factor(request)
        return bool(getattr(request.user, "is_staff", False)) and request.user.has_perm(
            self.permission
        )


@cache
def staff(permission: str) -> type[BasePermission]:
    """Return the permission class for staff who hold `permission` (`inventory.change_stock`).

    Nobody is told 401; customers, and staff without the permission, 403.
    """
    name = "Staff" + "".join(part.title() for part in permission.replace(".", "_").split("_"))
    return type(name, (_Staff,), {"permission": permission})
