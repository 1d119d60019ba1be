"""What staff may see of the ground: read-only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from shop.audit.admin import ChangeByStaffAdmin
from shop.jobs.admin import JobAdmin
from shop.models import IdempotencyKey, InboxMessage, OutboxMessage
from shop.privacy.admin import PiiAccessAdmin

__all__ = [
    "ChangeByStaffAdmin",
    "IdempotencyKeyAdmin",
    "InboxMessageAdmin",
    "JobAdmin",
    "OutboxMessageAdmin",
    "PiiAccessAdmin",
]


class ReadOnlyAdmin(ModelAdmin):
    """A table that staff look at and nobody edits by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("route", "state", "response_status", "resource", "created_at", "expires_at")
    list_filter = ("state", "route")
    search_fields = ("key", "resource")
    exclude = ("response_body", "response_headers")
    show_full_result_count = False


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    list_display = ("id", "topic", "key", "created_at", "published_at", "attempts")
    list_filter = ("topic", ("published_at", admin.EmptyFieldListFilter))
    search_fields = ("key",)
    show_full_result_count = False


@admin.register(InboxMessage)
class InboxMessageAdmin(ReadOnlyAdmin):
    list_display = ("consumer", "message_id", "handled_at")
    list_filter = ("consumer",)
    search_fields = ("message_id",)
    show_full_result_count = False
