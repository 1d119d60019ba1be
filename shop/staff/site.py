"""The admin site: log-in in two steps, a password and then a second factor."""

from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.module_loading import import_string
from unfold.sites import UnfoldAdminSite

_SHOWN = "second_factor_shown"


def note_second_factor(request: HttpRequest) -> None:
    """Let this session in from now on, under a new key: its owner has shown a second factor."""
    request.session.cycle_key()
    request.session[_SHOWN] = True


def has_shown_second_factor(request: HttpRequest) -> bool:
    """Tell whether this session's owner has shown one, or need not."""
    return not settings.SHOP_STAFF_TOTP or request.session.get(_SHOWN) is True


class StaffSite(UnfoldAdminSite):
    """Open to staff who have shown a second factor. Accounts tell what the steps look like."""

    def has_permission(self, request: HttpRequest) -> bool:
        return self._is_staff(request) and has_shown_second_factor(request)

    def register(self, *args: Any, **options: Any) -> None:
        super().register(*args, **options)
        for model_admin in self._registry.values():
            model_admin.object_history_template = "shop/audit/object_history.html"  # type: ignore[misc]

    def extra_urls(self) -> list[URLPattern]:
        return [
            path(
                "second-factor/", import_string(settings.SHOP_STAFF_SECOND_STEP), name="second_step"
            )
        ]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "GET" and self._is_staff(request) and not self.has_permission(request):
            query = QueryDict(mutable=True)
            query[REDIRECT_FIELD_NAME] = request.GET.get(REDIRECT_FIELD_NAME, "")
            return HttpResponseRedirect(f"{reverse('admin:second_step')}?{query.urlencode()}")
        # Not before there is a request: the form's module registers with this very site.
        self.login_form = import_string(settings.SHOP_STAFF_LOGIN_FORM)
        return super().login(request, extra_context)

    def _is_staff(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request))
