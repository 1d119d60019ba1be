"""What the looks at the books found, over HTTP: for staff."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import selectors
from inventory.permissions import MaySeeReconciliation
from inventory.serializers import (
    ReconciliationPageResponse,
    ReconciliationQuery,
    ReconciliationResponse,
)
from shop.http.pagination import paginate
from shop.http.views import ApiView


class ReconciliationView(ApiView):
    permission_classes = (MaySeeReconciliation,)

    @extend_schema(
        operation_id="inventory_reconciliation_list",
        tags=["inventory"],
        summary="List reconciliations and what they found, newest first",
        parameters=[ReconciliationQuery],
        responses={200: ReconciliationPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = ReconciliationQuery.parse_query(request)
        page = paginate(
            selectors.reconciliation_runs(scope=query.get("scope")), request=request, order=("-id",)
        )
        seen = selectors.with_findings(page.rows)
        return Response(page.answer(list(ReconciliationResponse(seen, many=True).data)))
