"""What the screens have in common."""

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminTextareaWidget,
)


class ReadOnlyAdmin(ModelAdmin):
    """A table that staff look at and nobody edits by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def thumbnail_of(address: str | None) -> SafeString | str:
    if not address:
        return "–"
    return format_html(
        '<img src="{}" alt="" loading="lazy" style="height:40px;max-width:64px">', address
    )


def lines_field(**options: Any) -> SimpleArrayField:
    """Return a field for several short texts, one a line: values may hold any other sign."""
    return SimpleArrayField(
        forms.CharField(max_length=255),
        delimiter="\n",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        **options,
    )
