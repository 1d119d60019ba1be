"""The page of changes: who, when, what, before and after. Nobody edits it."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from unfold.admin import ModelAdmin

from shop.audit.reading import Asked, Change, changes
from shop.audit.tracking import tables_of_changes
from shop.models import ChangeByStaff

PAGE_SIZE = 50
_LONGEST_SHOWN = 200


@admin.register(ChangeByStaff)
class ChangeByStaffAdmin(ModelAdmin):
    """A list over all tables of changes; it has no table, and so no page for one of them."""

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "",
                self.admin_site.admin_view(self.changelist_view),
                name="shop_changebystaff_changelist",
            )
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = Asked(
            table=request.GET.get("table", ""),
            row=_number(request.GET.get("row", "")),
            user_id=_number(request.GET.get("user", "")),
            before=request.GET.get("before", ""),
        )
        found = changes(asked, limit=PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        query = request.GET.copy()
        if len(found) > PAGE_SIZE:
            query["before"] = shown[-1].place
        people = get_user_model()._default_manager.in_bulk(
            {one.user_id for one in shown if one.user_id is not None}
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Changes",
            "asked": asked,
            "tables": list(tables_of_changes()),
            "rows": [_row(one, people) for one in shown],
            "older": query.urlencode() if len(found) > PAGE_SIZE else "",
        }
        return TemplateResponse(request, "shop/audit/changes.html", context)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _row(change: Change, people: dict[Any, Any]) -> dict[str, Any]:
    return {
        "change": change,
        "who": people.get(change.user_id, change.user_id),
        "where": _page_of(change),
        "differences": [(one.name, _shown(one.old), _shown(one.new)) for one in change.differences],
    }


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "–"
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _page_of(change: Change) -> str:
    app, _, model = change.table.lower().partition(".")
    try:
        return reverse(f"admin:{app}_{model}_change", args=[change.row])
    except NoReverseMatch:  # a table without a screen
        return ""
