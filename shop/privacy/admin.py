"""Staff screens that mask what the registry calls contact or address, until somebody asks."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from shop.models import PiiAccess
from shop.privacy.looking import SEE, may_look, note_look
from shop.privacy.registry import DataClass, field_of, tables
from shop.privacy.showing import COARSE, mask
from shop.problems import request_id_of

_MASKED = frozenset({DataClass.CONTACT, DataClass.ADDRESS})
_IN_ORDER = ("name", "company", "line1", "line2", "city", "region", "postal_code", "country")

Cell = Callable[[Any], str]


class _ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=200,
        help_text="Kept with your name and the time.",
        widget=UnfoldAdminTextInputWidget,
    )


class MaskedAdmin(ModelAdmin):
    """Shows contact data and addresses masked, in lists and pages, and edits none of it.

    Whoever holds `shop.view_personal_data` may ask for one row in full, with a reason: the look is
    written down as a `PiiAccess`, and for ten minutes the page shows everything and lets them edit.
    """

    # A subclass that has actions of its own names this one too.
    actions_detail = ("look",)  # type: ignore[assignment]  # unfold declares it empty

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label = self.model._meta.label
        table = tables()[label]
        self._masked = {
            name: _cell(self.model, name, masked=True)
            for name, personal in table.fields.items()
            if personal.data_class in _MASKED and name not in COARSE
        }
        self._full = {name: _cell(self.model, name, masked=False) for name in self._masked}

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._masked.get(name, name) for name in super().get_list_display(request)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        cells = self._cells(request, obj)
        return [
            (
                title,
                {**options, "fields": tuple(cells.get(one, one) for one in options["fields"])},
            )
            for title, options in super().get_fieldsets(request, obj)
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        given = tuple(super().get_readonly_fields(request, obj))
        cells = {} if obj is None else self._cells(request, obj)
        # Named as well: that keeps them out of the form.
        return (*given, *(name for name in cells if name not in given), *cells.values())

    def has_look_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm(SEE)

    @action(description="Show in full", url_path="look", permissions=["look"])  # type: ignore[operator]
    def look(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason, write the look down, and lead to the page that shows everything."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_or_change_permission(request, row) or request.user.pk is None:
            raise PermissionDenied
        meta = self.model._meta
        back = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
        form = _ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            ticket = note_look(
                actor_id=request.user.pk,
                table=meta.label,
                row=str(row.pk),
                fields=sorted(self._masked),
                reason=form.cleaned_data["reason"],
                request_id=request_id_of(request),
                now=timezone.now(),
            )
            return redirect(f"{back}?look={ticket}")
        context = {
            **self.admin_site.each_context(request),
            "opts": meta,
            "title": "Show in full",
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "shop/privacy/look.html", context)

    def _cells(self, request: HttpRequest, obj: Any) -> dict[str, Cell]:
        """Return what stands on the page in place of each masked field; nothing, if it is open."""
        is_open = request.user.has_perm(SEE) and may_look(
            request.GET.get("look", ""),
            actor_id=request.user.pk,
            table=self.model._meta.label,
            row=str(obj.pk),
        )
        if not is_open:
            return self._masked
        if self.has_change_permission(request, obj):
            return {}
        return self._full


@admin.register(PiiAccess)
class PiiAccessAdmin(ModelAdmin):
    """Who looked at what, when and why. Nobody edits it."""

    list_display = ("seen_at", "actor_id", "table", "row", "reason", "request_id")
    list_filter = ("seen_at",)
    search_fields = ("=table", "=row", "=request_id", "=actor_id")
    search_help_text = "A whole table (orders.Order), row, request id or account."
    ordering = ("-seen_at", "-id")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _cell(model: Any, name: str, *, masked: bool) -> Cell:
    data_class = field_of(model._meta.label, name).data_class

    @admin.display(description=model._meta.get_field(name).verbose_name, empty_value="–")
    def cell(row: Any) -> str:
        value = getattr(row, name)
        if masked:
            return mask(value, data_class)
        if isinstance(value, Mapping):
            return ", ".join(value[part] for part in _IN_ORDER if value.get(part))
        return str(value or "")

    return cell
