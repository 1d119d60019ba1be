"""The routes of the cart."""

from django.urls import path

from cart.views import (
    CartItemViewSet,
    CartMergeView,
    CartShippingOptionsView,
    CartView,
    CartVoucherViewSet,
)

urlpatterns = [
    path("cart", CartView.as_view(), name="cart"),
    path("cart/items", CartItemViewSet.as_view({"post": "create"}), name="cart-items"),
    path(
        "cart/items/<int:variant_id>",
        CartItemViewSet.as_view({"put": "update", "delete": "destroy"}),
        name="cart-item",
    ),
    path("cart/vouchers", CartVoucherViewSet.as_view({"post": "create"}), name="cart-vouchers"),
    path(
        "cart/vouchers/<str:code>",
        CartVoucherViewSet.as_view({"delete": "destroy"}),
        name="cart-voucher",
    ),
    path("cart/merge", CartMergeView.as_view(), name="cart-merge"),
    path("cart/shipping-options", CartShippingOptionsView.as_view(), name="cart-shipping-options"),
]
