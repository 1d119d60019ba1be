"""Questions about people, their addresses and their sessions."""

import copy
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.errors import AddressNotFound
from accounts.models import Address, EmailChange, RecoveryCodes, RefreshToken, TotpFactor, User
from shop.cache.memory import ShortMemory

# An access token may outlive the end of its session by this much in processes that did not end it.
SESSION_MEMORY_SECONDS = 15.0


_sessions = ShortMemory[UUID, User](seconds=SESSION_MEMORY_SECONDS, size=10_000)


def user_of_session(*, public_id: UUID, family: UUID, token_version: int) -> User | None:
    """Return the user of a living session, or None when it has ended or its user is disabled.

    Costs a query at most every 15 s for each session in each process, and is that stale: good for
    telling who asks, not for deciding what to write. Only living sessions are remembered. The
    user is the caller's own copy; do not save it.
    """
    user = _sessions.get(family)
    if user is None:
        user = _user_of_session(public_id, family)
        if user is None:
            return None
        _sessions.put(family, user)
    if user.public_id != public_id or user.token_version != token_version:
        return None
    return copy.copy(user)


def _user_of_session(public_id: UUID, family: UUID) -> User | None:
    links = RefreshToken.objects.filter(family=family, user=OuterRef("pk"))
    return (
        User.objects.filter(public_id=public_id, is_active=True)
        .filter(Exists(links), ~Exists(links.filter(revoked_at__isnull=False)))
        .first()
    )


def forget_sessions(*families: UUID) -> None:
    """Make this process look these sessions up again. Call it once their end is committed."""
    _sessions.drop(*families)


def forget_all_sessions() -> None:
    """Make this process look every session up again."""
    _sessions.clear()


def fresh_user(user: User) -> User:
    """Return `user` as the database has them now."""
    return User.objects.get(pk=user.pk)


def addresses_of(user: User) -> QuerySet[Address]:
    """Return the address book of `user`."""
    return Address.objects.filter(owner=user)


def address_of(user: User, address_id: int) -> Address:
    """Return one address of `user`. Raises AddressNotFound, for somebody else's too."""
    address = addresses_of(user).filter(pk=address_id).first()
    if address is None:
        raise AddressNotFound("There is no such address in your address book.")
    return address


def users_by_external_ref(refs: list[str]) -> dict[str, User]:
    """Return the people that came from another system, by their id there; unknown are absent."""
    found = User.objects.filter(external_ref__in=refs)
    return {user.external_ref: user for user in found if user.external_ref is not None}


def staff_with_permission(permission: str) -> QuerySet[User]:
    """Return active staff who hold `permission` (`inventory.change_stock`), by themselves, by a
    group, or because they may do everything.
    """
    app, _, codename = permission.partition(".")
    own = Q(user_permissions__codename=codename, user_permissions__content_type__app_label=app)
    by_group = Q(
        groups__permissions__codename=codename, groups__permissions__content_type__app_label=app
    )
    holders = User.objects.filter(Q(is_superuser=True) | own | by_group).values("pk")
    return User.objects.filter(pk__in=holders, is_active=True, is_staff=True).order_by("pk")


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """What somebody has to show beside the password."""

    totp: TotpFactor | None
    recovery_codes_left: int
    is_required: bool  # of them: they work here

    @property
    def last_used_at(self) -> datetime | None:
        return self.totp.last_used_at if self.totp else None


def second_factors_of(user: User) -> SecondFactors:
    """Return the second factors of `user`. One that is not confirmed yet is none."""
    return SecondFactors(
        totp=TotpFactor.objects.filter(user=user, confirmed=True).first(),
        recovery_codes_left=RecoveryCodes.objects.filter(
            user=user, token_set__isnull=False
        ).count(),
        is_required=settings.SHOP_STAFF_TOTP and user.is_staff,
    )


def has_second_factor(user: User) -> bool:
    """Tell whether the password alone does not sign `user` in."""
    return TotpFactor.objects.filter(user=user, confirmed=True).exists()


def open_email_change(user: User) -> EmailChange | None:
    """Return the change of address that `user` has asked for and nobody has confirmed."""
    return EmailChange.objects.filter(user=user, confirmed_at=None).first()


def totp_being_set_up(user: User) -> TotpFactor | None:
    """Return the app that `user` has begun to set up and not confirmed."""
    return TotpFactor.objects.filter(user=user, confirmed=False).first()
