"""Who shops here and who works here: people, their addresses, and their sessions."""

import uuid
from base64 import b32encode
from typing import Any, ClassVar
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from shop.audit import track
from shop.privacy import email_hash, keyed_digest, last4, mask_email, normal_email

# Nothing is ever delivered under this top level (RFC 2606): addresses made up by the shop end so.
UNREACHABLE_DOMAIN = "customer.invalid"


class UserManager(BaseUserManager["User"]):
    def prepared(self, *, email: str, password: str | None, **fields: Any) -> "User":
        """Return a user that is not saved yet, its address and password in stored form.

        With no password nobody can log in as that user.
        """
        user = self.model(**fields)
        user.take_email(email)
        user.set_password(password)
        return user

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.prepared(email=email, password=password, **fields)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(
            email, password, **{"is_staff": True, "is_superuser": True, **fields}
        )

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normal_email(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A person: a customer, or one who works in the shop (`is_staff`).

    Known outside by `public_id` alone. `email` is kept in its normal form (lower case).
    Raising `token_version` makes every access token made before worthless.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    email_hash = models.CharField(
        max_length=64,
        db_index=True,
        editable=False,
        help_text="Keyed hash, under which the address may be looked up and shown.",
    )
    email_verified_at = models.DateTimeField(null=True, blank=True)
    full_name = models.CharField(max_length=200, blank=True, default="")
    phone = models.CharField(
        max_length=16, blank=True, default="", help_text="E.164: +447700900123"
    )
    is_active = models.BooleanField(default=True, help_text="Whether this person may sign in.")
    is_staff = models.BooleanField(default=False, help_text="Whether the admin is open to them.")
    token_version = models.PositiveIntegerField(default=0, editable=False)
    external_ref = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        unique=True,
        default=None,
        help_text="The id of this person in another system that their history came from.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    erased_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When all that named them was deleted."
    )

    # Not kept: staff who signed in by password alone, and have no powers for this request.
    lacks_second_factor = False

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="user_email_in_normal_form"
            ),
        ]

    def __str__(self) -> str:
        """Name the person without telling the address: this ends up in logs and screens."""
        return self.full_name or mask_email(self.email)

    def take_email(self, email: str) -> None:
        """Set the address, in the two forms in which it is kept."""
        self.email = normal_email(email)
        self.email_hash = email_hash(email)

    @property
    def email_masked(self) -> str:
        return mask_email(self.email)

    @property
    def email_verified(self) -> bool:
        return self.email_verified_at is not None

    @property
    def phone_last4(self) -> str | None:
        return last4(self.phone) or None

    @property
    def is_reachable(self) -> bool:
        """Whether mail can be sent: not to an address that the shop made up."""
        return not self.email.endswith(f"@{UNREACHABLE_DOMAIN}")

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django's own ends the admin's sessions with the password alone; ours end together.
        state = f"{self.password} {self.token_version}"
        return salted_hmac(
            "accounts.models.User.session", state, secret=secret, algorithm="sha256"
        ).hexdigest()


class Address(models.Model):
    """A place to send things or bills to, in somebody's address book.

    Orders copy what they need, so that these rows may change and vanish.
    """

    # No index of its own: `address_newest_of_owner` begins with it.
    owner = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="addresses", db_index=False
    )
    name = models.CharField(max_length=200)
    company = models.CharField(max_length=200, blank=True, default="")
    line1 = models.CharField(max_length=200)
    line2 = models.CharField(max_length=200, blank=True, default="")
    city = models.CharField(max_length=100)
    region = models.CharField(max_length=100, blank=True, default="")
    postal_code = models.CharField(max_length=20, blank=True, default="")
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2.")
    phone = models.CharField(
        max_length=16, blank=True, default="", help_text="E.164: +447700900123"
    )
    is_default_shipping = models.BooleanField(default=False)
    is_default_billing = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(is_default_shipping=True),
                name="address_one_default_shipping",
            ),
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(is_default_billing=True),
                name="address_one_default_billing",
            ),
            models.CheckConstraint(
                condition=Q(country__regex=r"^[A-Z]{2}$"), name="address_country_is_a_code"
            ),
        ]
        indexes = [models.Index(fields=["owner", "-id"], name="address_newest_of_owner")]

    def __str__(self) -> str:
        return f"{self.city} {self.country}"

    @property
    def phone_last4(self) -> str | None:
        return last4(self.phone) or None


class RefreshToken(models.Model):
    """One link of a session: a token that can be exchanged once for its successor.

    All links of one session share `family`. The token itself is not here, only its SHA-256.
    Only `accounts.services` writes these rows.
    """

    token_hash = models.CharField(max_length=64, unique=True)
    family = models.UUIDField(db_index=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="refresh_tokens")
    parent = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="successor"
    )
    issued_at = models.DateTimeField()
    idle_until = models.DateTimeField(help_text="Must be used by then: seven days after issue.")
    expires_at = models.DateTimeField(help_text="End of the session: thirty days after log-in.")
    second_factor_at = models.DateTimeField(
        null=True, blank=True, help_text="When the session's owner showed a second factor."
    )
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    sealed_successor = models.BinaryField(
        null=True,
        blank=True,
        help_text="The successor, readable with this token alone, for two refreshes that cross.",
    )

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], name="refresh_token_by_end"),
            # Asked at each refresh and each access: has this session ended?
            models.Index(
                fields=["family"],
                condition=Q(revoked_at__isnull=False),
                name="refresh_token_ended_family",
            ),
            # What `prune_sessions` empties: few rows, for some seconds each.
            models.Index(
                fields=["used_at"],
                condition=Q(sealed_successor__isnull=False),
                name="refresh_token_with_seal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.issued_at:%Y-%m-%d %H:%M}"


class EmailChange(models.Model):
    """A wish to be known by another address, until whoever reads that one confirms it.

    Kept for a day, for the mails that tell of it. Only `accounts.services` writes these rows.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    old_email = models.EmailField(max_length=254)
    new_email = models.EmailField(max_length=254)
    requested_at = models.DateTimeField(db_index=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(confirmed_at=None), name="email_change_one_open"
            ),
        ]
        indexes = [models.Index(fields=["user"], name="email_change_of_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.requested_at:%Y-%m-%d %H:%M}"


class TotpFactor(TOTPDevice):
    """An app that shows a new code every 30 seconds; good once `confirmed`.

    `key` is only a seed: codes are made of it and of the shop's own key, so a copy of the database
    gives none. Only `accounts.services` writes these rows.
    """

    class Meta:
        proxy = True
        default_permissions = ()

    @property
    def bin_key(self) -> bytes:
        """Return the secret that the app holds: 20 bytes, as RFC 4226 recommends."""
        return bytes.fromhex(keyed_digest("accounts.totp", self.key.encode()))[:20]

    @property
    def secret(self) -> str:
        """Return the secret as people type it in."""
        return b32encode(self.bin_key).decode()

    @property
    def otpauth_uri(self) -> str:
        """Return what a QR code tells the app. The address is masked there too."""
        shop = quote(settings.OTP_TOTP_ISSUER)
        label = quote(self.user.email_masked, safe="@")
        return f"otpauth://totp/{shop}:{label}?secret={self.secret}&issuer={shop}"


class RecoveryCodes(StaticDevice):
    """Codes on paper, each good once, for when the app is lost. Kept as keyed hashes.

    Only `accounts.services` writes these rows.
    """

    class Meta:
        proxy = True
        default_permissions = ()

    @staticmethod
    def hash_of(code: str) -> str:
        """Return what is kept of a code: 64 bits, all that the library's column holds."""
        return keyed_digest("accounts.recovery_code", code.encode())[:16]

    def verify_token(self, token: str) -> bool:
        """Tell whether this is one of the codes, and use it up."""
        return bool(super().verify_token(self.hash_of(token)))  # type: ignore[no-untyped-call]


# Who was given which powers, and who lost a second factor: whoever did it, also by SQL.
UserChange = track(
    User,
    "is_active",
    "is_staff",
    "is_superuser",
    everybody=True,
    inserted_if='(NEW."is_staff" OR NEW."is_superuser")',
)


# Tables of others are tracked as proxies: a trigger belongs to the migrations of its model's app.
class TrackedUserGroup(User.groups.through):  # type: ignore[name-defined, misc]
    class Meta:
        proxy = True
        default_permissions = ()


class TrackedUserPermission(User.user_permissions.through):  # type: ignore[name-defined, misc]
    class Meta:
        proxy = True
        default_permissions = ()


class TrackedGroup(Group):
    class Meta:
        proxy = True
        default_permissions = ()


class TrackedGroupPermission(Group.permissions.through):  # type: ignore[name-defined, misc]
    class Meta:
        proxy = True
        default_permissions = ()


UserGroupChange = track(
    TrackedUserGroup, "user", "group", everybody=True, model_name="UserGroupChange"
)
UserPermissionChange = track(
    TrackedUserPermission, "user", "permission", everybody=True, model_name="UserPermissionChange"
)
GroupChange = track(TrackedGroup, "name", everybody=True, model_name="GroupChange")
GroupPermissionChange = track(
    TrackedGroupPermission,
    "group",
    "permission",
    everybody=True,
    model_name="GroupPermissionChange",
)
SecondFactorChange = track(
    TotpFactor, "user", "confirmed", everybody=True, model_name="SecondFactorChange"
)
