"""How staff log in: a password, then a code, which they set up when they have none."""

from base64 import b64encode
from io import BytesIO
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, logout, update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from qrcode.image.svg import SvgPathImage
from qrcode.main import make
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.errors import SecondFactorNotBegun, WrongCode
from accounts.models import TotpFactor, User
from accounts.permissions import Attempts
from accounts.selectors import fresh_user, has_second_factor
from accounts.services import begin_first_totp, confirm_totp, show_second_factor
from shop.errors import Refusal, TooMany
from shop.observe.security import Event, note
from shop.staff.site import has_shown_second_factor, note_second_factor


class StaffLoginForm(AuthenticationForm):
    """E-mail and password. Failures count together with those at the API."""

    def clean(self) -> dict[str, Any]:
        attempts = Attempts(
            cast(HttpRequest, self.request),
            subject="log_in",
            account=self.cleaned_data.get("username", ""),
        )
        try:
            attempts.require_one_left()
        except TooMany as refusal:
            raise ValidationError(refusal.detail, code=refusal.code) from None
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            attempts.count_failure()
            note(Event.LOG_IN_FAILED, through="admin")
            raise
        if not settings.SHOP_STAFF_TOTP:
            _note_log_in(self.get_user(), has_second_factor=False)
        return cleaned


class _CodeForm(forms.Form):
    code = forms.CharField(
        min_length=6,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(
            {"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )


@sensitive_post_parameters()
@never_cache
@csrf_protect
def second_step(request: HttpRequest) -> HttpResponse:
    """Ask for a second factor, or have one set up; then lead to where they wanted to go."""
    user, where = request.user, _next(request)
    if not (isinstance(user, User) and user.is_active and user.is_staff):
        return HttpResponseRedirect(reverse("admin:login"))
    if has_shown_second_factor(request):
        return HttpResponseRedirect(where)
    if "leave" in request.POST:
        logout(request)
        return HttpResponseRedirect(reverse("admin:login"))
    form = _CodeForm(request.POST or None)
    if has_second_factor(user):
        return _ask(request, user, form, where)
    return _set_up(request, user, form, where)


def _ask(request: HttpRequest, user: User, form: _CodeForm, where: str) -> HttpResponse:
    if form.is_valid():
        code = form.cleaned_data["code"].strip()
        kind = "totp" if code.isdigit() else "recovery_code"
        try:
            show_second_factor(user=user, kind=kind, proof=code, now=timezone.now())
        except (WrongCode, TooMany) as refusal:
            _say_why(form, refusal)
        else:
            _let_in(request, user)
            return HttpResponseRedirect(where)
    return _page(request, "ask", form=form, title="Second factor", next=where)


def _set_up(request: HttpRequest, user: User, form: _CodeForm, where: str) -> HttpResponse:
    if form.is_valid():
        try:
            codes = confirm_totp(user=user, code=form.cleaned_data["code"], now=timezone.now())
        except (WrongCode, TooMany, SecondFactorNotBegun) as refusal:
            _say_why(form, refusal)
        else:
            # All their sessions have ended but this one.
            update_session_auth_hash(request, fresh_user(user))
            _let_in(request, user)
            return _page(request, "codes", codes=codes, title="Recovery codes", next=where)
    begun = begin_first_totp(user=user)
    return _page(
        request,
        "set_up",
        form=form,
        title="Set up a second factor",
        next=where,
        secret=" ".join(begun.secret[at : at + 4] for at in range(0, len(begun.secret), 4)),
        picture=_picture(begun),
    )


def _let_in(request: HttpRequest, user: User) -> None:
    note_second_factor(request)
    _note_log_in(user, has_second_factor=True)


def _note_log_in(user: User, *, has_second_factor: bool) -> None:
    note(Event.LOGGED_IN, user_id=user.pk, through="admin", has_second_factor=has_second_factor)


def _say_why(form: _CodeForm, refusal: Refusal) -> None:
    wait = refusal.facts.get("retry_after")
    form.add_error("code", f"{refusal.detail} Seconds to wait: {wait}." if wait else refusal.detail)


def _picture(begun: TotpFactor) -> str:
    """Return the QR code as an address that a page shows without asking anybody."""
    drawn = BytesIO()
    make(begun.otpauth_uri, image_factory=SvgPathImage).save(drawn)  # type: ignore[no-untyped-call]
    return f"data:image/svg+xml;base64,{b64encode(drawn.getvalue()).decode()}"


def _next(request: HttpRequest) -> str:
    """Return where they wanted to go: a page of ours, or the front page."""
    asked = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME, "")
    is_ours = url_has_allowed_host_and_scheme(
        asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return asked if asked and is_ours else reverse("admin:index")


def _page(request: HttpRequest, name: str, **context: Any) -> TemplateResponse:
    return TemplateResponse(
        request,
        f"accounts/second_factor/{name}.html",
        {**admin.site.each_context(request), "field_name": REDIRECT_FIELD_NAME, **context},
    )
