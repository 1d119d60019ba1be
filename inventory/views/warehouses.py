"""Places that keep stock, over HTTP: for staff."""

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import selectors, services
from inventory.models import Warehouse
from inventory.permissions import (
    MayChangeWarehouses,
    MayCloseWarehouses,
    MayOpenWarehouses,
    MaySeeWarehouses,
)
from inventory.serializers import (
    WarehouseChangeRequest,
    WarehousePageResponse,
    WarehouseQuery,
    WarehouseRequest,
    WarehouseResponse,
)
from inventory.views.conditions import ETAG, IF_MATCH
from shop.http.conditional import etag_of, require_match
from shop.http.json import dumps
from shop.http.pagination import paginate
from shop.http.serializers import NoQuery
from shop.http.views import ApiView


class WarehousesView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayOpenWarehouses() if self.request.method == "POST" else MaySeeWarehouses()]

    @extend_schema(
        operation_id="inventory_warehouses_list",
        tags=["inventory"],
        summary="List warehouses in the order in which they are taken from",
        parameters=[WarehouseQuery],
        responses={200: WarehousePageResponse},
    )
    def get(self, request: Request) -> Response:
        query = WarehouseQuery.parse_query(request)
        page = paginate(
            selectors.warehouses(is_active=query.get("is_active")),
            request=request,
            order=("priority", "id"),
        )
        return Response(page.answer(list(WarehouseResponse(page.rows, many=True).data)))

    @extend_schema(
        operation_id="inventory_warehouses_create",
        tags=["inventory"],
        summary="Open a warehouse",
        parameters=[ETAG],
        request=WarehouseRequest,
        responses={201: WarehouseResponse},
    )
    def post(self, request: Request) -> Response:
        body = WarehouseRequest.parse(request)
        opened = services.open_warehouse(
            code=body["code"],
            name=body["name"],
            country=body["country"],
            priority=body.get("priority", 100),
            is_active=body.get("is_active", True),
        )
        answer = _answer(opened, status_code=status.HTTP_201_CREATED)
        answer["Location"] = f"/api/v1/inventory/warehouses/{opened.code}"
        return answer


class WarehouseView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [
            {"PATCH": MayChangeWarehouses, "DELETE": MayCloseWarehouses}.get(
                str(self.request.method), MaySeeWarehouses
            )()
        ]

    @extend_schema(
        operation_id="inventory_warehouses_retrieve",
        tags=["inventory"],
        summary="Read a warehouse",
        parameters=[ETAG],
        responses={200: WarehouseResponse},
    )
    def get(self, request: Request, code: str) -> Response:
        NoQuery.parse_query(request)
        return _answer(selectors.warehouse_of(code))

    @extend_schema(
        operation_id="inventory_warehouses_partial_update",
        tags=["inventory"],
        summary="Change a warehouse",
        parameters=[IF_MATCH, ETAG],
        request=WarehouseChangeRequest,
        responses={200: WarehouseResponse},
    )
    def patch(self, request: Request, code: str) -> Response:
        body = WarehouseChangeRequest.parse_partial(request)
        changed = services.change_warehouse(
            code=code,
            changes=services.WarehouseChanges(**body),
            require=lambda found: require_match(request, _etag(found)),
        )
        return _answer(changed)

    @extend_schema(
        operation_id="inventory_warehouses_destroy",
        tags=["inventory"],
        summary="Close a warehouse that never kept anything",
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, code: str) -> Response:
        services.close_warehouse(
            code=code, require=lambda found: require_match(request, _etag(found))
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


def _etag(warehouse: Warehouse) -> str:
    return etag_of(dumps(WarehouseResponse(warehouse).data))


def _answer(warehouse: Warehouse, *, status_code: int = status.HTTP_200_OK) -> Response:
    return Response(
        WarehouseResponse(warehouse).data, status=status_code, headers={"ETag": _etag(warehouse)}
    )
