"""The shapes of requests and answers about accounts."""

from typing import Any

from django_countries import countries
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.services import KINDS
from shop.http.serializers import RequestSerializer

COUNTRIES = [(code, str(name)) for code, name in countries]


class _TextField(serializers.CharField):
    """A JSON string: DRF would also take a number for one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class _FlagField(serializers.BooleanField):
    """A JSON boolean: DRF would also take 1, "on" and "yes" for true."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class _EmailField(serializers.EmailField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)


class _NewPasswordField(_TextField):
    """8 to 128 characters, taken as they are: a space at the end belongs to a password."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=8, max_length=128, trim_whitespace=False, **kwargs)


class _PasswordField(_TextField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=128, trim_whitespace=False, **kwargs)


class _OptionalTextField(_TextField):
    """A text that may be absent, null or empty, which all mean the same."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, allow_null=True, **kwargs)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values("" if data is None else data)


class RegisterRequest(RequestSerializer):
    email = _EmailField()
    password = _NewPasswordField()
    full_name = _OptionalTextField(max_length=200)
    phone = _OptionalTextField(
        max_length=32, help_text="E.164, or as dialled in the shop's country."
    )


class VerifyEmailRequest(RequestSerializer):
    token = _TextField(max_length=500, help_text="From the mailed link.")


class TokenRequest(RequestSerializer):
    email = _EmailField()
    password = _PasswordField()


class _CodeField(_TextField):
    """What somebody types off an app or a sheet of paper."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=6, max_length=20, **kwargs)


class SecondFactorRequest(RequestSerializer):
    challenge = _TextField(max_length=500, help_text="From the answer that asked for it.")
    factor = serializers.ChoiceField(choices=KINDS)
    code = _CodeField()


class TotpBeginRequest(RequestSerializer):
    password = _PasswordField()
    factor = serializers.ChoiceField(
        choices=KINDS, required=False, help_text="Where there is a second factor already."
    )
    code = _CodeField(required=False)


class TotpConfirmRequest(RequestSerializer):
    code = _CodeField(help_text="That the app shows now.")


class SecondFactorProofRequest(RequestSerializer):
    password = _PasswordField()
    factor = serializers.ChoiceField(choices=KINDS)
    code = _CodeField()


class RefreshRequest(RequestSerializer):
    # Longer than ours are: an access token in its place is a wrong token (401) and no wrong shape.
    refresh = _TextField(max_length=4096)


class PasswordResetRequest(RequestSerializer):
    email = _EmailField()


class PasswordResetConfirmRequest(RequestSerializer):
    token = _TextField(max_length=500, help_text="From the mailed link.")
    password = _NewPasswordField()


class PasswordChangeRequest(RequestSerializer):
    current_password = _PasswordField()
    new_password = _NewPasswordField()


class EmailChangeRequest(RequestSerializer):
    new_email = _EmailField()
    password = _PasswordField()


class EmailConfirmRequest(RequestSerializer):
    token = _TextField(max_length=500, help_text="From the mailed link.")


class ProfileRequest(RequestSerializer):
    full_name = _OptionalTextField(max_length=200)
    phone = _OptionalTextField(
        max_length=32, help_text="E.164, or as dialled in the shop's country."
    )


class AddressRequest(RequestSerializer):
    name = _TextField(max_length=200)
    company = _OptionalTextField(max_length=200, default="")
    line1 = _TextField(max_length=200)
    line2 = _OptionalTextField(max_length=200, default="")
    city = _TextField(max_length=100)
    region = _OptionalTextField(max_length=100, default="")
    postal_code = _OptionalTextField(max_length=20, default="")
    country = serializers.ChoiceField(choices=COUNTRIES, help_text="ISO 3166-1 alpha-2.")
    phone = _OptionalTextField(
        max_length=32, default="", help_text="E.164, or as dialled in `country`."
    )
    is_default_shipping = _FlagField(default=False)
    is_default_billing = _FlagField(default=False)


class DetailResponse(serializers.Serializer[Any]):
    detail = serializers.CharField()


class TokensResponse(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="A JWT: send it as `Authorization: Bearer …`.")
    refresh = serializers.CharField(help_text="Good for one exchange; keep the one it gives.")
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds that `access` is good for.")


class ProfileResponse(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email_masked = serializers.CharField()
    email_hash = serializers.CharField(help_text="Keyed hash: equal for equal addresses.")
    email_verified = serializers.BooleanField()
    full_name = serializers.CharField(allow_blank=True)
    phone_last4 = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class AddressResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    company = serializers.CharField(allow_blank=True)
    line1 = serializers.CharField()
    line2 = serializers.CharField(allow_blank=True)
    city = serializers.CharField()
    region = serializers.CharField(allow_blank=True)
    postal_code = serializers.CharField(allow_blank=True)
    country = serializers.ChoiceField(choices=COUNTRIES)
    phone_last4 = serializers.CharField(allow_null=True)
    is_default_shipping = serializers.BooleanField()
    is_default_billing = serializers.BooleanField()


@extend_schema_serializer(many=False)  # it is the page; the rows are in it
class AddressPageResponse(serializers.Serializer[Any]):
    results = AddressResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class SecondFactorResponse(serializers.Serializer[Any]):
    factor = serializers.ChoiceField(choices=KINDS)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class SecondFactorsResponse(serializers.Serializer[Any]):
    is_required = serializers.BooleanField(help_text="They work here, and cannot do without.")
    factors = SecondFactorResponse(many=True)
    recovery_codes_left = serializers.IntegerField()


class TotpBegunResponse(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Base32: to type into the app. Shown this once.")
    otpauth_uri = serializers.CharField(help_text="The same, for a QR code.")


class RecoveryCodesResponse(serializers.Serializer[Any]):
    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="Each good once, in place of a code. Shown once."
    )
