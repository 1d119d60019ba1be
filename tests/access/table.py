"""Who may come in where: one line for each route and method. A route without a line fails.

`public(…)` lets everybody in, `signed_in(…)` whoever has an account, `own(…)` the owner of the
thing that the path names, and `staff(permission, …)` those who work here and hold it.
"""

from shop.jobs.kinds import EXPORTS, IMPORTS
from tests.access import sent
from tests.access.entry import Entry, own, public, signed_in, staff
from tests.access.world import World

CHANGE_STOCK = "inventory.add_stockmovement"
NESTED_IN_CHECKOUT = {"an address": sent.others_address, "a quote": sent.others_quote}

TABLE: dict[str, Entry] = {
    "POST auth/register": public(body=sent.fresh_email, ok=202),
    "POST auth/verify-email": public(body=sent.verification, ok=204),
    "POST auth/token": public(body=sent.credentials),
    "POST auth/token/second-factor": public(body=sent.second_step),
    "POST auth/token/refresh": public(body=sent.refresh),
    "POST auth/logout": public(body=sent.refresh, ok=204),
    "POST auth/logout-all": signed_in(ok=204),
    "POST auth/password/reset": public(body=sent.email, ok=202),
    "POST auth/password/reset/confirm": public(body=sent.reset, ok=204),
    "POST auth/password/change": signed_in(body=sent.new_password, ok=204),
    "POST auth/email/confirm": public(body=sent.confirmed_email, ok=204),
    "POST me/email": signed_in(body=sent.another_email, ok=202),
    "GET me": signed_in(),
    "PATCH me": signed_in(body=sent.name),
    "GET me/second-factors": signed_in(),
    "POST me/second-factors/totp": signed_in(body=sent.password, ok=201),
    # 409: nothing was begun, and there is none.
    "POST me/second-factors/totp/confirm": signed_in(body=sent.code_alone, ok=409),
    "DELETE me/second-factors/totp": signed_in(body=sent.password_and_code, ok=409),
    "POST me/second-factors/recovery-codes": signed_in(body=sent.password_and_code, ok=409),
    "POST me/export": signed_in(body=sent.password, ok=202),
    # 409: who works here is not erased by themselves.
    "POST me/erase": signed_in(body=sent.password, ok={202, 409}),
    "GET me/addresses": signed_in(listed=("id", World.address)),
    "POST me/addresses": signed_in(body=sent.address, ok=201),
    "GET me/addresses/<int:address_id>": own(of=World.address),
    "PUT me/addresses/<int:address_id>": own(of=World.address, body=sent.address),
    "PATCH me/addresses/<int:address_id>": own(of=World.address, body=sent.city),
    "DELETE me/addresses/<int:address_id>": own(of=World.address, ok=204),
    "GET categories": public(),
    "GET categories/<ref:slug>": public(of=World.category),
    "GET products": public(),
    "GET products/suggest": public(query=sent.first_letters),
    "GET products/<ref:ref>": public(of=World.product),
    "GET products/<ref:ref>/related": public(of=World.product),
    "POST categories": staff("catalog.add_category", body=sent.category, ok=201),
    "PATCH categories/<ref:slug>": staff(
        "catalog.change_category", of=World.category, body=sent.category
    ),
    "DELETE categories/<ref:slug>": staff("catalog.delete_category", of=World.category, ok=204),
    "GET collections": public(),
    "POST collections": staff("catalog.add_collection", body=sent.collection, ok=201),
    "GET collections/<ref:slug>": public(of=World.collection),
    "PATCH collections/<ref:slug>": staff(
        "catalog.change_collection", of=World.collection, body=sent.collection
    ),
    "DELETE collections/<ref:slug>": staff(
        "catalog.delete_collection", of=World.collection, ok=204
    ),
    "GET staff/collections/<ref:slug>": staff("catalog.view_collection", of=World.collection),
    "POST products": staff("catalog.add_product", body=sent.product, ok=201),
    "POST products/bulk": staff(
        "catalog.add_product", "catalog.change_product", body=sent.products
    ),
    "PATCH products/<ref:ref>": staff(
        "catalog.change_product", of=World.product, body=sent.product
    ),
    "DELETE products/<ref:ref>": staff("catalog.delete_product", of=World.product),
    "PUT products/<ref:ref>/related": staff(
        "catalog.change_product", of=World.product, body=sent.related
    ),
    "POST products/<ref:ref>/variants": staff(
        "catalog.add_variant", of=World.product, body=sent.variant, ok=201
    ),
    "POST products/<ref:ref>/images": staff(
        "catalog.add_productimage", of=World.product, body=sent.picture, ok=201
    ),
    "PUT products/<ref:ref>/images": staff(
        "catalog.change_productimage", of=World.product, body=sent.picture_order
    ),
    "PATCH products/<ref:ref>/images/<int:image_id>": staff(
        "catalog.change_productimage", of=World.image, body=sent.picture_text
    ),
    "DELETE products/<ref:ref>/images/<int:image_id>": staff(
        "catalog.delete_productimage", of=World.image, ok=204
    ),
    "GET variants/<int:variant_id>": staff("catalog.view_variant", of=World.line),
    "PATCH variants/<int:variant_id>": staff(
        "catalog.change_variant", of=World.line, body=sent.barcode
    ),
    "DELETE variants/<int:variant_id>": staff("catalog.delete_variant", of=World.line),
    "GET variants/<int:variant_id>/price-history": staff("catalog.view_variant", of=World.line),
    "POST prices": staff("catalog.change_price", body=sent.prices),
    "DELETE prices/<int:price_id>": staff("catalog.delete_price", of=World.price, ok=204),
    "GET products/<str:ref>/reviews": public(of=World.product),
    "POST products/<str:ref>/reviews": signed_in(of=World.product, body=sent.review, ok=201),
    "GET reviews": staff("catalog.view_review"),
    "PATCH reviews/<int:review_id>": staff(
        "catalog.change_review", of=World.review, body=sent.approval
    ),
    "DELETE reviews/<int:review_id>": staff("catalog.delete_review", of=World.review, ok=204),
    "GET staff/products": staff("catalog.view_product"),
    "GET staff/products/<ref:ref>": staff("catalog.view_product", of=World.product),
    "GET cart": public(headers=World.cart),
    "DELETE cart": public(headers=World.cart, ok=204),
    "POST cart/items": public(headers=World.cart, body=sent.item),
    "PUT cart/items/<int:variant_id>": public(headers=World.cart, of=World.line, body=sent.two),
    "DELETE cart/items/<int:variant_id>": public(headers=World.cart, of=World.line, missing=200),
    "POST cart/vouchers": public(headers=World.cart, body=sent.voucher, ok=422),
    "DELETE cart/vouchers/<str:code>": public(headers=World.cart, of=sent.code, missing=200),
    "POST cart/merge": signed_in(headers=World.cart, body=sent.guests_cart),
    "GET cart/shipping-options": public(headers=World.cart, query=sent.to_britain),
    "POST checkout": public(
        headers=sent.cart_and_key,
        body=sent.checkout,
        ok=201,
        nested=NESTED_IN_CHECKOUT,
        leaves="shop_idempotencykey",
    ),
    "POST checkout/preview": public(
        headers=World.cart, body=sent.preview, nested={"an address": sent.others_address}
    ),
    "GET orders": signed_in("orders.view_order", listed=("number", World.order), opens_others=True),
    "POST orders/lookup": public(body=sent.lookup, ok=202),
    "GET orders/<str:number>": own(
        "orders.view_order", of=World.order, headers=World.order_token, opens_others=True
    ),
    "POST orders/<str:number>/cancel": own(
        "orders.change_order",
        of=World.order,
        headers=World.order_token,
        body=sent.reason,
        opens_others=True,
    ),
    "GET sandbox/payments/<uuid:payment_id>/complete": public(of=World.payment),
    "POST sandbox/payments/<uuid:payment_id>/complete": public(of=World.payment, body=sent.outcome),
    "GET inventory/stock": staff("inventory.view_stock"),
    "POST inventory/stock/bulk": staff(CHANGE_STOCK, body=sent.bulk),
    "POST inventory/adjustments": staff(CHANGE_STOCK, body=sent.adjustment, ok=201),
    "POST inventory/counts": staff(CHANGE_STOCK, body=sent.count, ok=201),
    "POST inventory/receipts": staff(CHANGE_STOCK, body=sent.receipt, ok=201),
    "POST inventory/returns": staff(CHANGE_STOCK, body=sent.returned, ok=201),
    "GET inventory/stock/<int:stock_id>": staff("inventory.view_stock", of=World.stock),
    "PATCH inventory/stock/<int:stock_id>": staff(
        "inventory.change_stock", of=World.stock, body=sent.terms
    ),
    "GET inventory/warehouses": staff("inventory.view_warehouse"),
    "POST inventory/warehouses": staff("inventory.add_warehouse", body=sent.warehouse, ok=201),
    "GET inventory/warehouses/<str:code>": staff("inventory.view_warehouse", of=World.warehouse),
    "PATCH inventory/warehouses/<str:code>": staff(
        "inventory.change_warehouse", of=World.warehouse, body=sent.warehouse_change
    ),
    "DELETE inventory/warehouses/<str:code>": staff(
        "inventory.delete_warehouse", of=World.warehouse, ok=204
    ),
    "GET inventory/adjustments": staff("inventory.view_stockmovement"),
    "GET inventory/counts": staff("inventory.view_stockcount"),
    "GET inventory/receipts": staff("inventory.view_stockmovement"),
    "GET inventory/returns": staff("inventory.view_stockmovement"),
    "GET inventory/transfers": staff("inventory.view_stocktransfer"),
    "POST inventory/transfers": staff(CHANGE_STOCK, body=sent.transfer, ok=201),
    "GET inventory/transfers/<int:transfer_id>": staff(
        "inventory.view_stocktransfer", of=World.transfer
    ),
    "POST inventory/transfers/<int:transfer_id>/receive": staff(
        CHANGE_STOCK, of=World.transfer, body=sent.empty
    ),
    "GET inventory/movements": staff("inventory.view_stockmovement"),
    "GET inventory/reconciliation": staff("inventory.view_reconciliationrun"),
    "POST inventory/subscriptions": public(body=sent.wish, ok=202),
    "GET inventory/purchase-limits": staff("inventory.view_purchaselimit"),
    "GET inventory/purchase-limits/<int:variant_id>": staff(
        "inventory.view_purchaselimit", of=World.limit
    ),
    "PUT inventory/purchase-limits/<int:variant_id>": staff(
        "inventory.change_purchaselimit", of=World.limit, body=sent.units
    ),
    "DELETE inventory/purchase-limits/<int:variant_id>": staff(
        "inventory.delete_purchaselimit", of=World.limit, ok=204
    ),
    "GET flash-sales": public(),
    "POST flash-sales": staff("inventory.add_flashsale", body=sent.sale, ok=201),
    "GET flash-sales/<slug:slug>": public(of=World.sale),
    "PATCH flash-sales/<slug:slug>": staff(
        "inventory.change_flashsale", of=World.sale, body=sent.units
    ),
    "DELETE flash-sales/<slug:slug>": staff("inventory.delete_flashsale", of=World.sale, ok=204),
    "POST flash-sales/<slug:slug>/tickets": public(of=World.sale, ok=202),
    "GET flash-sales/tickets/<str:ticket_id>": public(of=World.ticket),
    "POST imports": staff(
        *IMPORTS["native_csv"].permissions, body=sent.upload, form="multipart", ok=202
    ),
    "POST exports": staff(*EXPORTS["native_csv"].permissions, body=sent.export, ok=202),
    "GET jobs": signed_in(listed=("id", World.job)),
    "GET jobs/<uuid:job_id>": own(of=World.job),
    "POST jobs/<uuid:job_id>/cancel": own(of=World.job, ok=202),
    "GET jobs/<uuid:job_id>/errors": own(of=World.job),
    "GET jobs/<uuid:job_id>/result": own(
        of=World.result, query=World.result_token, nested={"a link": sent.others_result}
    ),
    "GET /": public(ok=302),
    "GET /^media/(?P<path>.*)$": public(of=sent.nowhere, ok=404),
    "GET /.well-known/jwks.json": public(),
    "GET /.well-known/security.txt": public(),
    "GET /api/schema": public(),
    "GET /api/docs": public(),
    "GET /api/redoc": public(),
    "GET /problems": public(),
    "GET /problems/<slug:code>": public(of=sent.code),
    "GET /livez": public(),
    "GET /readyz": public(),
    "GET /metrics": public(),
}
