"""Shapes of jobs over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from shop.http.serializers import QuerySerializer, RequestSerializer
from shop.jobs.kinds import EXPORTS, IMPORTS, KINDS
from shop.jobs.links import result_address
from shop.jobs.models import Job

JOB_STATES = [state.lower() for state in Job.State.values]
IMPORT_FORMATS = list(IMPORTS)
_ROW_COUNTS = ("created", "updated", "skipped", "failed")


class ImportRequest(RequestSerializer):
    file = serializers.FileField(
        allow_empty_file=True,  # refused with a reason of its own
        help_text="UTF-8 text, 64 MiB at most.",
    )
    format = serializers.ChoiceField(choices=IMPORT_FORMATS)
    dry_run = serializers.BooleanField(
        default=False, help_text="Do everything, report, and leave nothing of it."
    )


class ExportRequest(RequestSerializer):
    format = serializers.ChoiceField(choices=list(EXPORTS))
    status = serializers.ChoiceField(
        choices=["draft", "active", "archived"], required=False, help_text="Products so far."
    )
    category = serializers.SlugField(
        required=False, allow_unicode=True, max_length=150, help_text="With its descendants."
    )
    vendor = serializers.CharField(required=False, max_length=255)
    tag = serializers.CharField(required=False, max_length=255)
    updated_after = serializers.DateTimeField(required=False)


class ErrorsQuery(QuerySerializer):
    format = serializers.ChoiceField(choices=["csv", "jsonl"], default="csv")


class ResultQuery(QuerySerializer):
    token = serializers.CharField(max_length=200)


class JobLinkResponse(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.URLField()


class JobStartedResponse(serializers.Serializer[Any]):
    job = JobLinkResponse()


class JobProgressResponse(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True, help_text="Null: not known yet.")


class JobResultResponse(serializers.Serializer[Any]):
    """Rows of an import by what became of them; of an export, its rows and where it is."""

    created = serializers.IntegerField(required=False)
    updated = serializers.IntegerField(required=False)
    skipped = serializers.IntegerField(required=False, help_text="As the file says already.")
    failed = serializers.IntegerField(required=False)
    rows = serializers.IntegerField(required=False)
    bytes = serializers.IntegerField(required=False)
    url = serializers.URLField(
        required=False, help_text="Good for 15 minutes (personal data: 5), for its owner."
    )


class JobResponse(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(choices=list(KINDS))
    state = serializers.SerializerMethodField()
    dry_run = serializers.SerializerMethodField()
    source_name = serializers.CharField(help_text="What the upload was called.")
    progress = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()
    reason = serializers.CharField(help_text="Why it failed; else empty.")
    errors_url = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(choices=JOB_STATES))
    def get_state(self, job: Job) -> str:
        return job.state.lower()

    def get_dry_run(self, job: Job) -> bool:
        return bool(job.options.get("dry_run"))

    @extend_schema_field(JobProgressResponse)
    def get_progress(self, job: Job) -> dict[str, int | None]:
        return {"done": job.done, "total": job.total}

    @extend_schema_field(JobResultResponse)
    def get_result(self, job: Job) -> dict[str, object]:
        result = job.result if job.result.get("v", 1) == 1 else {}
        if job.kind.startswith("import_"):
            return {name: result.get(name, 0) for name in _ROW_COUNTS}
        shown = {name: result[name] for name in ("rows", "bytes") if name in result}
        if job.state == Job.State.SUCCEEDED:
            shown["url"] = result_address(job, request=self.context["request"])
        return shown

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_errors_url(self, job: Job) -> str | None:
        return self._address("job-errors", job) if job.result.get("failed") else None

    @extend_schema_field(serializers.URLField())
    def get_url(self, job: Job) -> str:
        return self._address("job", job)

    def _address(self, route: str, job: Job) -> str:
        return reverse(route, args=[job.public_id], request=self.context["request"])


class JobPageResponse(serializers.Serializer[Any]):
    results = JobResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
