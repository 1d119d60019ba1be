"""The addresses of accounts, below /api/v1/; and one at an address that all the web knows."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view()),
    path("auth/verify-email", views.VerifyEmailView.as_view()),
    path("auth/token", views.TokenView.as_view()),
    path("auth/token/second-factor", views.SecondFactorTokenView.as_view()),
    path("auth/token/refresh", views.TokenRefreshView.as_view()),
    path("auth/logout", views.LogoutView.as_view()),
    path("auth/logout-all", views.LogoutAllView.as_view()),
    path("auth/password/reset", views.PasswordResetView.as_view()),
    path("auth/password/reset/confirm", views.PasswordResetConfirmView.as_view()),
    path("auth/password/change", views.PasswordChangeView.as_view()),
    path("auth/email/confirm", views.EmailConfirmView.as_view()),
    path("me", views.ProfileView.as_view()),
    path("me/email", views.EmailView.as_view()),
    path("me/second-factors", views.SecondFactorsView.as_view()),
    path("me/second-factors/totp", views.TotpView.as_view()),
    path("me/second-factors/totp/confirm", views.TotpConfirmView.as_view()),
    path("me/second-factors/recovery-codes", views.RecoveryCodesView.as_view()),
    path("me/addresses", views.AddressViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "me/addresses/<int:address_id>",
        views.AddressViewSet.as_view(
            {
                "get": "retrieve",
                "put": "update",
                "patch": "partial_update",
                "delete": "destroy",
            }
        ),
    ),
]

# Below /.well-known/ (RFC 8615).
well_known = [path("jwks.json", views.json_web_keys)]
