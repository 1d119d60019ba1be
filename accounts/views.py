"""Accounts over HTTP."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors, services
from accounts.errors import InvalidCredentials
from accounts.models import Address, User
from accounts.permissions import (
    Attempts,
    SignedIn,
    count_email_change,
    guessing_password,
    signed_in_user,
)
from accounts.selectors import SecondFactors
from accounts.serializers import (
    AddressPageResponse,
    AddressRequest,
    AddressResponse,
    DetailResponse,
    EmailChangeRequest,
    EmailConfirmRequest,
    PasswordChangeRequest,
    PasswordResetConfirmRequest,
    PasswordResetRequest,
    ProfileRequest,
    ProfileResponse,
    RecoveryCodesResponse,
    RefreshRequest,
    RegisterRequest,
    SecondFactorProofRequest,
    SecondFactorRequest,
    SecondFactorsResponse,
    TokenRequest,
    TokensResponse,
    TotpBeginRequest,
    TotpBegunResponse,
    TotpConfirmRequest,
    VerifyEmailRequest,
)
from accounts.services import AddressChanges, ProfileChanges, SessionTokens
from shop.http.conditional import etag_of, not_modified
from shop.http.json import dumps
from shop.http.methods import read_only
from shop.http.pagination import paginate
from shop.http.permissions import Public
from shop.http.serializers import ListQuery, NoQuery
from shop.http.views import ApiView, ApiViewSet


@read_only
def json_web_keys(request: HttpRequest) -> HttpResponse:
    """List the public keys of access tokens, for those who check tokens of ours by themselves."""
    body = dumps({"keys": services.public_keys()})
    tag = etag_of(body)
    if not_modified(request.headers.get("If-None-Match"), tag):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(body, content_type="application/jwk-set+json")
    response["ETag"] = tag
    # Far shorter than a key is known before it signs.
    response["Cache-Control"] = "public, max-age=300"
    return response


class _PublicView(ApiView):
    # A token that came along, even an old one, is not read: it must not keep anybody from here.
    authentication_classes = ()
    permission_classes = (Public,)


class RegisterView(_PublicView):
    @extend_schema(
        operation_id="auth_register",
        tags=["auth"],
        summary="Open an account",
        description="The answer is the same whether the address is new or known.",
        request=RegisterRequest,
        responses={202: DetailResponse},
    )
    def post(self, request: Request) -> Response:
        body = RegisterRequest.parse(request)
        services.register_customer(
            email=body["email"],
            password=body["password"],
            full_name=body.get("full_name", ""),
            phone=body.get("phone", ""),
            now=timezone.now(),
        )
        detail = "We have sent a mail to this address. A new account can log in at once."
        return Response({"detail": detail}, status=status.HTTP_202_ACCEPTED)


class VerifyEmailView(_PublicView):
    @extend_schema(
        operation_id="auth_verify_email",
        tags=["auth"],
        summary="Verify an address by the mailed token",
        description="The token is good once, and for three days.",
        request=VerifyEmailRequest,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        body = VerifyEmailRequest.parse(request)
        services.confirm_email(token=body["token"], now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenView(_PublicView):
    @extend_schema(
        operation_id="auth_token",
        tags=["auth"],
        summary="Log in",
        description=(
            "Only failed attempts count towards 429: by account and by network. Where the account"
            " has a second factor a right password is answered by 401 `second_factor_required`,"
            " with a `challenge` and the `factors` that may be shown at `auth/token/second-factor`."
        ),
        request=TokenRequest,
        responses={200: TokensResponse},
    )
    def post(self, request: Request) -> Response:
        body = TokenRequest.parse(request)
        attempts = Attempts(request, subject="log_in", account=body["email"])
        attempts.require_one_left()
        try:
            tokens = services.log_in(
                email=body["email"], password=body["password"], now=timezone.now()
            )
        except InvalidCredentials:
            attempts.count_failure()
            raise
        return Response(_tokens_document(tokens))


class SecondFactorTokenView(_PublicView):
    @extend_schema(
        operation_id="auth_token_second_factor",
        tags=["auth"],
        summary="Log in: the second step",
        description=(
            "A code is good once. After a wrong one the next is taken a second later, then two,"
            " four and so on (429 with `Retry-After`)."
        ),
        request=SecondFactorRequest,
        responses={200: TokensResponse},
    )
    def post(self, request: Request) -> Response:
        body = SecondFactorRequest.parse(request)
        tokens = services.log_in_with_second_factor(
            challenge=body["challenge"],
            kind=body["factor"],
            proof=body["code"],
            now=timezone.now(),
        )
        return Response(_tokens_document(tokens))


class TokenRefreshView(_PublicView):
    @extend_schema(
        operation_id="auth_token_refresh",
        tags=["auth"],
        summary="Exchange a refresh token for a new pair",
        description=(
            "The old token is spent. Two exchanges that cross within ten seconds get the same"
            " successor; a spent token that comes back otherwise ends the session (`token_reused`)."
        ),
        request=RefreshRequest,
        responses={200: TokensResponse},
    )
    def post(self, request: Request) -> Response:
        body = RefreshRequest.parse(request)
        outcome = services.refresh_session(refresh=body["refresh"], now=timezone.now())
        if not isinstance(outcome, SessionTokens):
            # Answered and not raised: the session's end must be committed together with this.
            return self.handle_exception(outcome)
        return Response(_tokens_document(outcome))


class LogoutView(_PublicView):
    @extend_schema(
        operation_id="auth_logout",
        tags=["auth"],
        summary="End the session of a refresh token",
        description="Any refresh token of the session will do, a spent one too. Repeatable.",
        request=RefreshRequest,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        body = RefreshRequest.parse(request)
        services.end_session(refresh=body["refresh"], now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class LogoutAllView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="auth_logout_all",
        tags=["auth"],
        summary="End every session of one's own",
        description="Access tokens are refused within 30 seconds.",
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        services.end_all_sessions(user=signed_in_user(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordResetView(_PublicView):
    @extend_schema(
        operation_id="auth_password_reset",
        tags=["auth"],
        summary="Ask for a mail that lets one set a new password",
        description="The answer is the same whether the address is known or not.",
        request=PasswordResetRequest,
        responses={202: DetailResponse},
    )
    def post(self, request: Request) -> Response:
        body = PasswordResetRequest.parse(request)
        services.request_password_reset(email=body["email"])
        detail = "If there is an account with this address, a mail is on its way to it."
        return Response({"detail": detail}, status=status.HTTP_202_ACCEPTED)


class PasswordResetConfirmView(_PublicView):
    @extend_schema(
        operation_id="auth_password_reset_confirm",
        tags=["auth"],
        summary="Set a new password by the mailed token",
        description="Every session of the user ends.",
        request=PasswordResetConfirmRequest,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        body = PasswordResetConfirmRequest.parse(request)
        services.reset_password(token=body["token"], password=body["password"], now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordChangeView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="auth_password_change",
        tags=["auth"],
        summary="Change one's password",
        description="Every session of the user ends, this one too.",
        request=PasswordChangeRequest,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        body = PasswordChangeRequest.parse(request)
        with guessing_password(request):
            services.change_password(
                user=signed_in_user(request),
                current_password=body["current_password"],
                new_password=body["new_password"],
                now=timezone.now(),
            )
        return Response(status=status.HTTP_204_NO_CONTENT)


class ProfileView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_read",
        tags=["me"],
        summary="Who am I",
        description="Neither the e-mail nor the telephone number is ever shown in full.",
        responses={200: ProfileResponse},
    )
    def get(self, request: Request) -> Response:
        NoQuery.parse_query(request)
        user = selectors.fresh_user(signed_in_user(request))
        return Response(profile_document(user))

    @extend_schema(
        operation_id="me_change",
        tags=["me"],
        summary="Change one's name or telephone number",
        description="What is left out stays as it is.",
        request=ProfileRequest,
        responses={200: ProfileResponse},
    )
    def patch(self, request: Request) -> Response:
        changes = cast(ProfileChanges, ProfileRequest.parse_partial(request))
        user = services.change_profile(user=signed_in_user(request), changes=changes)
        return Response(profile_document(user))


class EmailView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_email_change",
        tags=["me"],
        summary="Ask for another e-mail address",
        description=(
            "A link goes to the new address, word of it to the present one. The answer is the same"
            " whether the new address has an account or not."
        ),
        request=EmailChangeRequest,
        responses={202: DetailResponse},
    )
    def post(self, request: Request) -> Response:
        body = EmailChangeRequest.parse(request)
        count_email_change(request)
        with guessing_password(request):
            services.request_email_change(
                user=signed_in_user(request),
                new_email=body["new_email"],
                password=body["password"],
                now=timezone.now(),
            )
        detail = "We have sent a mail to the new address. Nothing changes until it is confirmed."
        return Response({"detail": detail}, status=status.HTTP_202_ACCEPTED)


class EmailConfirmView(_PublicView):
    @extend_schema(
        operation_id="auth_email_confirm",
        tags=["auth"],
        summary="Change the address by the token mailed to the new one",
        description="Good once, and for an hour. Every session of the user ends.",
        request=EmailConfirmRequest,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        body = EmailConfirmRequest.parse(request)
        services.confirm_email_change(token=body["token"], now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecondFactorsView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_second_factors",
        tags=["me"],
        summary="What one shows beside the password",
        description="One that was begun and not confirmed is not among them.",
        responses={200: SecondFactorsResponse},
    )
    def get(self, request: Request) -> Response:
        NoQuery.parse_query(request)
        user = selectors.fresh_user(signed_in_user(request))
        return Response(second_factors_document(selectors.second_factors_of(user)))


class TotpView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_totp_begin",
        tags=["me"],
        summary="Begin to set up an app that shows codes",
        description=(
            "Good once confirmed. It takes the place of an earlier one, which is then shown with"
            " `factor` and `code`."
        ),
        request=TotpBeginRequest,
        responses={201: TotpBegunResponse},
    )
    def post(self, request: Request) -> Response:
        body = TotpBeginRequest.parse(request)
        with guessing_password(request):
            begun = services.begin_totp(
                user=signed_in_user(request),
                password=body["password"],
                kind=body.get("factor", ""),
                proof=body.get("code", ""),
                now=timezone.now(),
            )
        return Response(
            {"secret": begun.secret, "otpauth_uri": begun.otpauth_uri},
            status=status.HTTP_201_CREATED,
        )

    @extend_schema(
        operation_id="me_totp_remove",
        tags=["me"],
        summary="Do without a second factor again",
        description="Every session of the user ends. Not for staff, where they must have one.",
        request=SecondFactorProofRequest,
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        body = SecondFactorProofRequest.parse(request)
        with guessing_password(request):
            services.remove_second_factor(
                user=signed_in_user(request),
                password=body["password"],
                kind=body["factor"],
                proof=body["code"],
                now=timezone.now(),
            )
        return Response(status=status.HTTP_204_NO_CONTENT)


class TotpConfirmView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_totp_confirm",
        tags=["me"],
        summary="Put the app to use by a code that it shows",
        description="Every session of the user ends, this one too. Recovery codes are shown once.",
        request=TotpConfirmRequest,
        responses={200: RecoveryCodesResponse},
    )
    def post(self, request: Request) -> Response:
        body = TotpConfirmRequest.parse(request)
        codes = services.confirm_totp(
            user=signed_in_user(request), code=body["code"], now=timezone.now()
        )
        return Response({"recovery_codes": codes})


class RecoveryCodesView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_recovery_codes_renew",
        tags=["me"],
        summary="Make new recovery codes",
        description="The old ones are good no more.",
        request=SecondFactorProofRequest,
        responses={200: RecoveryCodesResponse},
    )
    def post(self, request: Request) -> Response:
        body = SecondFactorProofRequest.parse(request)
        with guessing_password(request):
            codes = services.renew_recovery_codes(
                user=signed_in_user(request),
                password=body["password"],
                kind=body["factor"],
                proof=body["code"],
                now=timezone.now(),
            )
        return Response({"recovery_codes": codes})


@extend_schema(tags=["me"])
class AddressViewSet(ApiViewSet):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_addresses_list",
        summary="One's address book, newest first",
        description="Pages follow `next` and `previous`.",
        parameters=[ListQuery],
        responses={200: AddressPageResponse},
    )
    def list(self, request: Request) -> Response:
        ListQuery.parse_query(request)
        page = paginate(
            selectors.addresses_of(signed_in_user(request)), request=request, order=("-id",)
        )
        return Response(page.answer([address_document(address) for address in page.rows]))

    @extend_schema(
        operation_id="me_addresses_add",
        summary="Add an address",
        description="A new default takes the place of the old one.",
        request=AddressRequest,
        responses={201: AddressResponse},
    )
    def create(self, request: Request) -> Response:
        changes = cast(AddressChanges, AddressRequest.parse(request))
        address = services.add_address(
            owner=signed_in_user(request), changes=changes, now=timezone.now()
        )
        return Response(
            address_document(address),
            status=status.HTTP_201_CREATED,
            headers={"Location": f"/api/v1/me/addresses/{address.pk}"},
        )

    @extend_schema(
        operation_id="me_addresses_read",
        summary="One address",
        description="Somebody else's is not found.",
        responses={200: AddressResponse},
    )
    def retrieve(self, request: Request, address_id: int) -> Response:
        NoQuery.parse_query(request)
        address = selectors.address_of(signed_in_user(request), address_id)
        return Response(address_document(address))

    @extend_schema(
        operation_id="me_addresses_replace",
        summary="Replace an address",
        description="What is left out becomes empty.",
        request=AddressRequest,
        responses={200: AddressResponse},
    )
    def update(self, request: Request, address_id: int) -> Response:
        changes = cast(AddressChanges, AddressRequest.parse(request))
        return self._changed(request, address_id, changes)

    @extend_schema(
        operation_id="me_addresses_change",
        summary="Change an address",
        description="What is left out stays as it is.",
        request=AddressRequest,
        responses={200: AddressResponse},
    )
    def partial_update(self, request: Request, address_id: int) -> Response:
        changes = cast(AddressChanges, AddressRequest.parse_partial(request))
        return self._changed(request, address_id, changes)

    @extend_schema(
        operation_id="me_addresses_remove",
        summary="Remove an address",
        description="Orders that were sent there keep their copy.",
        responses={204: None},
    )
    def destroy(self, request: Request, address_id: int) -> Response:
        services.remove_address(owner=signed_in_user(request), address_id=address_id)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _changed(self, request: Request, address_id: int, changes: AddressChanges) -> Response:
        address = services.change_address(
            owner=signed_in_user(request), address_id=address_id, changes=changes
        )
        return Response(address_document(address))


def profile_document(user: User) -> dict[str, Any]:
    """Return people as they see themselves. A test holds it against `ProfileResponse`."""
    return {
        "id": user.public_id,
        "email_masked": user.email_masked,
        "email_hash": user.email_hash,
        "email_verified": user.email_verified,
        "full_name": user.full_name,
        "phone_last4": user.phone_last4,
        "created_at": user.created_at,
    }


def second_factors_document(found: SecondFactors) -> dict[str, Any]:
    """Return second factors as their owner sees them."""
    totp = found.totp
    return {
        "is_required": found.is_required,
        "factors": [
            {"factor": "totp", "created_at": totp.created_at, "last_used_at": totp.last_used_at}
        ]
        if totp
        else [],
        "recovery_codes_left": found.recovery_codes_left,
    }


def address_document(address: Address) -> dict[str, Any]:
    """Return an address as its owner sees it. A test holds it against `AddressResponse`."""
    return {
        "id": address.pk,
        "name": address.name,
        "company": address.company,
        "line1": address.line1,
        "line2": address.line2,
        "city": address.city,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
        "phone_last4": address.phone_last4,
        "is_default_shipping": address.is_default_shipping,
        "is_default_billing": address.is_default_billing,
    }


def _tokens_document(tokens: SessionTokens) -> dict[str, Any]:
    return {
        "access": tokens.access,
        "refresh": tokens.refresh,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
    }
