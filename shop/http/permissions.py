"""Who may come in, where no account is needed to tell. Everything else is denied by default."""

from typing import Any

from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request


class Nobody(BasePermission):
    """The default: a view that names no permission lets nobody in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class Public(AllowAny):
    """Everybody, on purpose."""
