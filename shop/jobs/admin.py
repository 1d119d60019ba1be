"""Jobs as staff see them: how far each is, what it reported, and a form to start an import."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from shop.errors import Refusal
from shop.jobs.forms import ImportForm
from shop.jobs.kinds import EXPORTS, IMPORTS, KINDS, Kind
from shop.jobs.models import Job
from shop.jobs.permissions import holds_all
from shop.jobs.selectors import written_errors
from shop.jobs.services import cancel_job, start_job
from shop.jobs.views import download, result_of

_SHOWN_ERRORS = 50
_COUNTS = ("created", "updated", "skipped", "failed", "rows", "bytes")
_REFRESH_SECONDS = 3


@admin.register(Job)
class JobAdmin(ModelAdmin):
    """Read-only. Everybody who may see jobs sees all of them; files are their owner's alone."""

    list_display = ("what", "colour", "progress", "counts", "owner_id", "created_at", "finished_at")
    list_filter = ("state", "kind")
    search_fields = ("=public_id", "source_name")
    search_help_text = "The whole id, or some of the file's name."
    ordering = ("-created_at", "-id")
    show_full_result_count = False
    list_per_page = 50
    readonly_fields = (
        "public_id",
        "what",
        "colour",
        "progress",
        "counts",
        "is_dry_run",
        "reason",
        "problems",
        "owner_id",
        "created_at",
        "started_at",
        "heartbeat_at",
        "finished_at",
    )
    fields = readonly_fields
    actions_list = ("start_import", "start_export")  # type: ignore[assignment]  # unfold's is empty
    actions_detail = ("cancel", "fetch_errors", "fetch_result")  # type: ignore[assignment]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_import_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(_startable(request, IMPORTS.values()))

    def has_export_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(_startable(request, EXPORTS.values()))

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return _own(request).filter(pk=object_id, state__in=Job.OPEN).exists()

    def has_errors_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return _own(request).filter(pk=object_id, errors__isnull=False).exists()

    def has_result_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return _own(request).filter(pk=object_id, result__parts__gt=0).exists()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        if Job.objects.filter(pk=object_id, state__in=Job.OPEN).exists():
            answer["Refresh"] = str(_REFRESH_SECONDS)
        return answer

    # What is shown --------------------------------------------------------------------------------

    @admin.display(description="job")
    def what(self, job: Job) -> str:
        kind = KINDS.get(job.kind)
        title = kind.title if kind else job.kind
        return f"{title}: {job.source_name}" if job.source_name else title

    @display(
        description="state",
        ordering="state",
        label={
            "Succeeded": "success",
            "Failed": "danger",
            "Cancelled": "warning",
            "Running": "info",
        },
    )
    def colour(self, job: Job) -> str:
        return job.get_state_display()

    @admin.display(description="progress")
    def progress(self, job: Job) -> SafeString | str:
        if job.total is None:
            return "–"
        return format_html(
            '<progress value="{}" max="{}"></progress> <span>{} of {}</span>',
            job.done,
            max(job.total, 1),
            job.done,
            job.total,
        )

    @admin.display(description="result")
    def counts(self, job: Job) -> str:
        told = [f"{job.result[name]} {name}" for name in _COUNTS if job.result.get(name)]
        return ", ".join(told) or "–"

    @admin.display(description="dry run", boolean=True)
    def is_dry_run(self, job: Job) -> bool:
        return bool(job.options.get("dry_run"))

    @admin.display(description="first problems")
    def problems(self, job: Job) -> SafeString | str:
        found = list(job.errors.order_by("line", "pk")[:_SHOWN_ERRORS])
        if not found:
            return "–"
        text = "\n".join(
            f"line {error.line}{f', {error.column}' if error.column else ''}: {error.detail}"
            for error in found
        )
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)

    # What can be done -----------------------------------------------------------------------------

    @action(description="Import a file", url_path="import", permissions=["import"])  # type: ignore[operator]
    def start_import(self, request: HttpRequest) -> HttpResponse:
        """Ask for a file and start its import."""
        kinds = _startable(request, IMPORTS.values())
        form = ImportForm(request.POST or None, request.FILES or None, kinds=kinds)
        if request.method == "POST" and form.is_valid():
            try:
                job = start_job(
                    kind=IMPORTS[form.cleaned_data["format"]],
                    owner_id=_account(request),
                    options={"dry_run": form.cleaned_data["dry_run"]},
                    upload=form.cleaned_data["file"],
                    now=timezone.now(),
                )
            except Refusal as refusal:
                form.add_error("file", refusal.detail)
            else:
                return redirect(reverse("admin:shop_job_change", args=[job.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Import a file",
            "form": form,
            "back": reverse("admin:shop_job_changelist"),
        }
        return TemplateResponse(request, "shop/jobs/import.html", context)

    @action(description="Export products", url_path="export", permissions=["export"])  # type: ignore[operator]
    def start_export(self, request: HttpRequest) -> HttpResponse:
        """Ask, and start an export of all products."""
        if request.method != "POST":
            return self._asked(request, "Export products", "All products, with their stock.")
        try:
            job = start_job(
                kind=EXPORTS["native_csv"],
                owner_id=_account(request),
                options={"filters": {}},
                now=timezone.now(),
            )
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return redirect(reverse("admin:shop_job_changelist"))
        return redirect(reverse("admin:shop_job_change", args=[job.pk]))

    @action(description="Cancel", url_path="cancel", permissions=["cancel"])  # type: ignore[operator]
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, and have a job of one's own end before its next step."""
        if request.method != "POST":
            return self._asked(request, "Cancel the job", "What it has done stays done.")
        job = get_object_or_404(_own(request), pk=object_id)
        try:
            cancel_job(job=job, now=timezone.now())
        except Refusal as refusal:
            messages.error(request, refusal.detail)
        return redirect(reverse("admin:shop_job_change", args=[job.pk]))

    def _asked(self, request: HttpRequest, title: str, text: str) -> HttpResponse:
        """Return a page whose button sends the same address again: a link changes nothing."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": title,
            "text": text,
            "back": reverse("admin:shop_job_changelist"),
        }
        return TemplateResponse(request, "shop/jobs/confirm.html", context)

    @action(description="Fetch all problems", url_path="errors", permissions=["errors"])  # type: ignore[operator]
    def fetch_errors(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = get_object_or_404(_own(request), pk=object_id)
        return download(  # type: ignore[return-value]  # streamed answers are no HttpResponse
            written_errors(job, form="csv"),
            name=f"errors-{job.public_id}.csv",
            media="text/csv; charset=utf-8",
        )

    @action(description="Fetch the file", url_path="result", permissions=["result"])  # type: ignore[operator]
    def fetch_result(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return result_of(get_object_or_404(_own(request), pk=object_id))  # type: ignore[return-value]


def _account(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise PermissionDenied
    return int(request.user.pk)


def _own(request: HttpRequest) -> QuerySet[Job]:
    return Job.objects.filter(owner_id=_account(request))


def _startable(request: HttpRequest, kinds: Any) -> list[Kind]:
    return [kind for kind in kinds if holds_all(request.user, kind)]
