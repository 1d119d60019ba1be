"""People, addresses and sessions, as staff see them. Addresses of e-mail are shown masked."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_countries import countries
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import Address, RefreshToken, User
from accounts.selectors import has_second_factor
from accounts.services import (
    end_all_sessions,
    phone_in_e164,
    replace_password,
    reset_second_factor,
)
from shop.errors import Malformed
from shop.observe.security import Event, note
from shop.privacy import normal_email
from shop.privacy.admin import MaskedAdmin

# What gives power over the shop: changed by superusers alone, else staff could raise themselves.
_POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


class _PersonCreationForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "full_name")

    def clean_email(self) -> str:
        return normal_email(self.cleaned_data["email"])


class _PersonChangeForm(UserChangeForm):
    class Meta:
        model = User
        fields = ("full_name", "phone", "is_active", "is_staff", "is_superuser")
        field_classes: ClassVar[dict[str, Any]] = {}


class _PasswordForm(AdminPasswordChangeForm):
    """Sets a password through the service, so that every session of the person ends."""

    def save(self, commit: bool = True) -> User:
        password = (
            self.cleaned_data["password1"] if self.cleaned_data["set_usable_password"] else None
        )
        replace_password(user=self.user, password=password, now=timezone.now())
        self.user.refresh_from_db()
        person: User = self.user
        return person


# Django's and unfold's annotations disagree; unfold means its admin to be mixed in like this.
@admin.register(User)
class UserAdmin(DjangoUserAdmin, MaskedAdmin):  # type: ignore[type-arg, misc]
    """People. Nobody is deleted here: orders point at them."""

    form = _PersonChangeForm
    add_form = _PersonCreationForm
    change_password_form = _PasswordForm

    list_display = (
        "masked_email",
        "full_name",
        "is_active",
        "is_staff",
        "email_verified_at",
        "created_at",
    )
    list_filter = (
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
        ("email_verified_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("=email", "full_name", "=external_ref")
    search_help_text = "The whole e-mail address, a part of the name, or the id elsewhere."
    ordering = ("-id",)
    show_full_result_count = False
    readonly_fields = (
        "email",
        "public_id",
        "email_hash",
        "email_verified_at",
        "external_ref",
        "token_version",
        "second_factor",
        "last_login",
        "created_at",
    )
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name", "phone")}),
        ("Powers", {"fields": ("is_active", *_POWERS)}),
        (
            "Facts",
            {
                "fields": (
                    "public_id",
                    "email_hash",
                    "email_verified_at",
                    "external_ref",
                    "token_version",
                    "second_factor",
                    "last_login",
                    "created_at",
                )
            },
        ),
    )
    add_fieldsets = (  # type: ignore[assignment]  # unfold declares it empty
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "full_name", "usable_password", "password1", "password2"),
            },
        ),
    )
    filter_horizontal = ("groups", "user_permissions")
    actions = ("end_sessions", "reset_second_factors")

    @admin.display(description="e-mail", ordering="email")
    def masked_email(self, user: User) -> str:
        return user.email_masked

    @admin.action(description="End all sessions of the selected people", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            if self.has_change_permission(request, user):
                end_all_sessions(user=user, now=timezone.now())
        self.message_user(request, "Their sessions have ended.")

    @admin.display(description="second factor", boolean=True)
    def second_factor(self, user: User) -> bool:
        return has_second_factor(user)

    @admin.action(
        description="Reset the second factor of the selected people", permissions=["reset"]
    )
    def reset_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        by = f"user:{request.user.pk}"
        reset = [reset_second_factor(user=one, by=by, now=timezone.now()) for one in queryset]
        self.message_user(
            request, f"Reset: {sum(reset)}. They set up a new one when they next log in."
        )

    def has_reset_permission(self, request: HttpRequest) -> bool:
        # Whoever may do this and knows a password is in: as much as the power to make staff.
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        locked = () if request.user.is_superuser else _POWERS
        given = super().get_readonly_fields(request, obj)
        # A new person is given an address; it is not changed here later.
        return (*(name for name in given if name != "email" or obj is not None), *locked)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.take_email(obj.email)
        super().save_model(request, obj, form, change)
        if given := {"is_active", *_POWERS} & set(form.changed_data):
            by = f"user:{request.user.pk}"
            note(Event.POWERS_CHANGED, user_id=obj.pk, by=by, powers=sorted(given))
        if change and given:
            end_all_sessions(user=obj, now=timezone.now())


class _AddressForm(forms.ModelForm):  # type: ignore[type-arg]
    country = forms.ChoiceField(choices=[*countries], widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Address
        fields = (
            "owner",
            "name",
            "company",
            "line1",
            "line2",
            "city",
            "region",
            "postal_code",
            "country",
            "phone",
            "is_default_shipping",
            "is_default_billing",
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "phone" not in self.fields:  # masked
            return cleaned
        try:
            cleaned["phone"] = phone_in_e164(
                cleaned.get("phone", ""), country=cleaned.get("country", "")
            )
        except Malformed as refusal:
            self.add_error("phone", refusal.errors[0].detail)
        return cleaned


class _CountryFilter(admin.SimpleListFilter):
    """All countries there are: asking which ones occur would read every address."""

    title = "country"
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, str(name)) for code, name in countries]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Address]) -> QuerySet[Address]:
        return queryset.filter(country=self.value()) if self.value() else queryset


@admin.register(Address)
class AddressAdmin(MaskedAdmin):
    form = _AddressForm
    fields = _AddressForm.Meta.fields
    list_display = (
        "id",
        "owner",
        "city",
        "postal_code",
        "country",
        "is_default_shipping",
        "is_default_billing",
    )
    list_filter = ("is_default_shipping", "is_default_billing", _CountryFilter)
    list_select_related = ("owner",)
    search_fields = ("=owner__email", "name", "company", "city", "postal_code")
    search_help_text = "The owner's whole e-mail address, a name, a city or a postcode."
    autocomplete_fields = ("owner",)
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(RefreshToken)
class RefreshTokenAdmin(ModelAdmin):
    """Sessions, link by link. Neither the tokens nor their hashes are shown."""

    list_display = ("family", "user", "issued_at", "used_at", "revoked_at", "expires_at")
    list_filter = (
        ("used_at", admin.EmptyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
        "issued_at",
    )
    list_select_related = ("user",)
    search_fields = ("=user__email", "=family")
    search_help_text = "The person's whole e-mail address, or the session's id."
    ordering = ("-id",)
    show_full_result_count = False
    fields = (
        "family",
        "user",
        "parent",
        "issued_at",
        "idle_until",
        "expires_at",
        "second_factor_at",
        "used_at",
        "revoked_at",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


admin.site.unregister(Group)
# The library's own screens show the secrets.
admin.site.unregister(StaticDevice)
admin.site.unregister(TOTPDevice)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Roles of staff."""

    show_full_result_count = False
