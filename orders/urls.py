"""The routes of this app."""

from django.urls import URLPattern, path

from orders import views

urlpatterns: list[URLPattern] = [
    path("checkout", views.CheckoutView.as_view()),
    path("checkout/preview", views.PreviewView.as_view()),
    path("me/export", views.PersonalExportView.as_view()),
    path("me/erase", views.ErasureView.as_view()),
    path("products/<str:ref>/reviews", views.ReviewsView.as_view()),
    path("orders", views.OrderListView.as_view()),
    path("orders/lookup", views.LookupView.as_view()),
    path("orders/<str:number>", views.OrderView.as_view()),
    path("orders/<str:number>/cancel", views.CancelView.as_view()),
    path("sandbox/payments/<uuid:payment_id>/complete", views.SandboxPaymentView.as_view()),
]
