"""Second factors: set up, replaced, removed, and reset for somebody who lost theirs."""

import secrets
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.errors import (
    NoSecondFactor,
    SecondFactorMandatory,
    SecondFactorNotBegun,
    WrongCode,
)
from accounts.models import RecoveryCodes, TotpFactor, User
from accounts.selectors import has_second_factor
from accounts.services.factors import accepts, is_right
from accounts.services.passwords import prove_password
from accounts.services.sessions import end_all_sessions
from shop.observe.security import Event, note
from shop.outbox.services import publish

HOW_MANY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is misread


def show_second_factor(*, user: User, kind: str, proof: str, now: datetime) -> None:
    """Check a second factor of somebody who has just given the password, and use it up.

    Raises WrongCode, and TooMany after wrong ones.
    """
    with transaction.atomic():
        is_accepted = accepts(_locked(user), kind=kind, proof=proof, now=now)
    if not is_accepted:
        raise _wrong_code(user)


def begin_totp(
    *, user: User, password: str, now: datetime, kind: str = "", proof: str = ""
) -> TotpFactor:
    """Begin to set up an app, for somebody who proves themselves; nothing changes until confirmed.

    Whoever has a second factor shows it too. Safe to repeat: what was begun before is forgotten.

    Raises WrongPassword, and WrongCode.
    """
    with transaction.atomic():
        locked = prove_password(user=user, password=password)
        is_proven = not has_second_factor(locked) or accepts(
            locked, kind=kind, proof=proof, now=now
        )
        if is_proven:
            return _begin(locked)
    raise _wrong_code(locked)


@transaction.atomic
def begin_first_totp(*, user: User) -> TotpFactor:
    """Return the app that `user`, who has just given the password, is setting up; begin if need be.

    Safe to repeat: the same one again, so that a page which is loaded anew shows the same picture.

    Raises SecondFactorMandatory when there is one already.
    """
    locked = _locked(user)
    if has_second_factor(locked):
        raise SecondFactorMandatory("Show the one that there is.")
    begun = TotpFactor.objects.filter(user=locked, confirmed=False).first()
    return begun or _begin(locked)


def confirm_totp(*, user: User, code: str, now: datetime) -> list[str]:
    """Put the app that was begun to use, by a code that it shows; return new recovery codes.

    It takes the place of an earlier one, as the codes do, and every session ends.

    Raises SecondFactorNotBegun, WrongCode, and TooMany after wrong ones.
    """
    with transaction.atomic():
        locked = _locked(user)
        begun = TotpFactor.objects.select_for_update().filter(user=locked, confirmed=False).first()
        if begun is None:
            raise SecondFactorNotBegun("Begin to set one up first.")
        if is_right(begun, code, now=now):
            TOTPDevice.objects.filter(user=locked, confirmed=True).delete()
            begun.confirmed = True
            begun.save(update_fields=["confirmed"])
            codes = _new_codes(locked)
            _tell(locked, "set_up", now)
            return codes
    raise _wrong_code(user)


def renew_recovery_codes(
    *, user: User, password: str, kind: str, proof: str, now: datetime
) -> list[str]:
    """Return new recovery codes; the old ones are good no more.

    Raises WrongPassword, NoSecondFactor, and WrongCode.
    """
    with transaction.atomic():
        locked = _proven(user, password)
        if accepts(locked, kind=kind, proof=proof, now=now):
            codes = _new_codes(locked)
            _tell(locked, "codes_renewed", now, ends_sessions=False)
            return codes
    raise _wrong_code(user)


def remove_second_factor(
    *, user: User, password: str, kind: str, proof: str, now: datetime
) -> None:
    """Let the password suffice again, for a customer who proves both; every session ends.

    Raises WrongPassword, NoSecondFactor, WrongCode, and SecondFactorMandatory for staff.
    """
    with transaction.atomic():
        locked = _proven(user, password)
        if settings.SHOP_STAFF_TOTP and locked.is_staff:
            raise SecondFactorMandatory("Set up another one: it takes the place of this one.")
        if accepts(locked, kind=kind, proof=proof, now=now):
            forget_second_factors(locked)
            _tell(locked, "removed", now)
            return
    raise _wrong_code(user)


@transaction.atomic
def reset_second_factor(*, user: User, by: str, now: datetime) -> bool:
    """Forget the factors of somebody who lost them, on the authority of the caller.

    Every session ends, and they are told by mail. They set up a new one at the next log-in, so be
    sure who asks. Returns whether there was one. Safe to repeat.
    """
    locked = _locked(user)
    if not forget_second_factors(locked):
        return False
    _tell(locked, "reset", now, by=by)
    return True


def forget_second_factors(user: User) -> bool:
    """Delete every second factor of `user`, begun ones too; tell whether there was any."""
    tokens = StaticToken.objects.filter(device__user=user)
    tokens.delete()
    codes, _ = StaticDevice.objects.filter(user=user).delete()
    apps, _ = TOTPDevice.objects.filter(user=user).delete()
    return bool(codes or apps)


def _locked(user: User) -> User:
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)


def _proven(user: User, password: str) -> User:
    locked = prove_password(user=user, password=password)
    if not has_second_factor(locked):
        raise NoSecondFactor("Set one up first.")
    return locked


def _begin(user: User) -> TotpFactor:
    TOTPDevice.objects.filter(user=user, confirmed=False).delete()
    begun: TotpFactor = TotpFactor.objects.create(user=user, name="app", confirmed=False)
    return begun


def _new_codes(user: User) -> list[str]:
    StaticToken.objects.filter(device__user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    sheet = RecoveryCodes.objects.create(user=user, name="recovery codes")
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(10)) for _ in range(HOW_MANY_CODES)]
    StaticToken.objects.bulk_create(
        StaticToken(device=sheet, token=RecoveryCodes.hash_of(code)) for code in codes
    )
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _wrong_code(user: User) -> WrongCode:
    note(Event.SECOND_FACTOR_FAILED, user_id=user.pk)
    return WrongCode("The code is wrong, over, or was used before.")


def _tell(
    user: User, change: str, now: datetime, *, ends_sessions: bool = True, by: str = "themselves"
) -> None:
    if ends_sessions:
        end_all_sessions(user=user, now=now)
    note(Event.SECOND_FACTOR_CHANGED, user_id=user.pk, change=change, by=by)
    publish(
        topic="accounts.second_factor_changed",
        key=f"user:{user.pk}",
        payload={"v": 1, "user_id": user.pk, "change": change},
    )
