"""Imports and exports over HTTP: started here, done by workers, watched by whoever started them."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from shop.errors import Forbidden, NotFound
from shop.http.pagination import paginate
from shop.http.serializers import ListQuery, NoQuery
from shop.http.views import ApiView
from shop.jobs import selectors, services
from shop.jobs.files import read_parts
from shop.jobs.kinds import EXPORTS, IMPORTS, KINDS, Kind
from shop.jobs.links import require_fresh
from shop.jobs.models import Job
from shop.jobs.permissions import MayExport, MayImport, account_of, may_start
from shop.jobs.serializers import (
    ErrorsQuery,
    ExportRequest,
    ImportRequest,
    JobPageResponse,
    JobResponse,
    JobStartedResponse,
    ResultQuery,
)


class _StartView(ApiView):
    def _started(
        self, request: Request, kind: Kind, options: Mapping[str, Any], upload: Any = None
    ) -> Response:
        if not may_start(request, kind):
            raise Forbidden("Your account may not do this.")
        job = services.start_job(
            kind=kind,
            owner_id=account_of(request),
            options=options,
            upload=upload,
            now=timezone.now(),
        )
        url = reverse("job", args=[job.public_id], request=request)
        return Response(
            {"job": {"id": job.public_id, "url": url}},
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": url},
        )


class ImportView(_StartView):
    permission_classes = (MayImport,)
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="imports_create",
        tags=["jobs"],
        summary="Import a file",
        request={"multipart/form-data": ImportRequest},
        responses={202: JobStartedResponse},
    )
    def post(self, request: Request) -> Response:
        body = ImportRequest.parse(request)
        return self._started(
            request, IMPORTS[body["format"]], {"dry_run": body["dry_run"]}, body["file"]
        )


class ExportView(_StartView):
    permission_classes = (MayExport,)

    @extend_schema(
        operation_id="exports_create",
        tags=["jobs"],
        summary="Export products",
        request=ExportRequest,
        responses={202: JobStartedResponse},
    )
    def post(self, request: Request) -> Response:
        body = ExportRequest.parse(request)
        filters = {name: value for name, value in body.items() if name != "format"}
        if "updated_after" in filters:
            filters["updated_after"] = filters["updated_after"].isoformat()
        return self._started(request, EXPORTS[body["format"]], {"filters": filters})


class JobListView(ApiView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="jobs_list",
        tags=["jobs"],
        summary="List your jobs, newest first",
        parameters=[ListQuery],
        responses={200: JobPageResponse},
    )
    def get(self, request: Request) -> Response:
        ListQuery.parse_query(request)
        page = paginate(
            selectors.jobs_of(account_of(request)), request=request, order=("-created_at", "-id")
        )
        return Response(
            page.answer(list(JobResponse(page.rows, many=True, context={"request": request}).data))
        )


class _JobView(ApiView):
    permission_classes = (IsAuthenticated,)

    def _job(self, request: Request, job_id: UUID) -> Job:
        return selectors.job_of(account_of(request), job_id)

    def _shown(self, request: Request, job: Job, code: int = status.HTTP_200_OK) -> Response:
        return Response(JobResponse(job, context={"request": request}).data, status=code)


class JobView(_JobView):
    @extend_schema(
        operation_id="jobs_retrieve",
        tags=["jobs"],
        summary="See how far a job is",
        responses={200: JobResponse},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        NoQuery.parse_query(request)
        return self._shown(request, self._job(request, job_id))


class JobCancelView(_JobView):
    @extend_schema(
        operation_id="jobs_cancel",
        tags=["jobs"],
        summary="Have a job end early",
        description="It ends before its next step, in a second or two. What is done stays done.",
        request=None,
        responses={202: JobResponse},
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        job = services.cancel_job(job=self._job(request, job_id), now=timezone.now())
        return self._shown(request, job, status.HTTP_202_ACCEPTED)


class JobErrorsView(_JobView):
    @extend_schema(
        operation_id="jobs_errors",
        tags=["jobs"],
        summary="Fetch what was wrong, row by row",
        parameters=[ErrorsQuery],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request, job_id: UUID) -> StreamingHttpResponse:
        form = ErrorsQuery.parse_query(request)["format"]
        job = self._job(request, job_id)
        return download(
            selectors.written_errors(job, form=form),
            name=f"errors-{job.public_id}.{form}",
            media="text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson",
        )


class JobResultView(_JobView):
    @extend_schema(
        operation_id="jobs_result",
        tags=["jobs"],
        summary="Fetch the file that an export made",
        description="`result.url` of the job leads here, for some minutes and for its owner alone.",
        parameters=[ResultQuery],
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
            (200, "application/json"): OpenApiResponse(OpenApiTypes.OBJECT),
        },
    )
    def get(self, request: Request, job_id: UUID) -> StreamingHttpResponse:
        token = ResultQuery.parse_query(request)["token"]
        job = self._job(request, job_id)
        require_fresh(job, token=token)
        return result_of(job)


def result_of(job: Job) -> StreamingHttpResponse:
    """Return the file that the job made. Raises NotFound where there is none."""
    if job.state != Job.State.SUCCEEDED or not job.result.get("parts"):
        raise NotFound("This job has made no file.")
    kind = KINDS[job.kind]
    file = PurePath(kind.file)
    return download(
        read_parts(job, count=job.result["parts"]),
        name=f"{file.stem}-{job.created_at:%Y-%m-%d}{file.suffix}",
        media=kind.media,
    )


def download(pieces: Any, *, name: str, media: str) -> StreamingHttpResponse:
    """Return a file to keep, not to show."""
    return StreamingHttpResponse(
        pieces,
        content_type=media,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )
