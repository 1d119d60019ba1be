"""Second factors for tests: apps that show codes, set up as people do it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import time_machine
from django.utils import timezone
from django_otp.oath import totp

from accounts.errors import SecondFactorRequired
from accounts.models import TotpFactor, User
from accounts.services import (
    SessionTokens,
    begin_totp,
    confirm_totp,
    log_in,
    log_in_with_second_factor,
)
from tests.make import accounts as make

STEP_SECONDS = 30


@contextmanager
def still_clock() -> Iterator[time_machine.Traveller]:
    """Stop the clock, to be moved by hand: no code is over before it is typed."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock


def code_of(device: TotpFactor) -> str:
    """Return what the app shows now."""
    return f"{totp(device.bin_key):06}"  # type: ignore[no-untyped-call]


def totp_of(user: User) -> TotpFactor:
    device: TotpFactor = TotpFactor.objects.get(user=user, confirmed=True)
    return device


def set_up(user: User) -> list[str]:
    """Set up an app for `user`; return the recovery codes. The code of this half minute is used."""
    now = timezone.now()
    begun = begin_totp(user=user, password=make.PASSWORD, now=now)
    return confirm_totp(user=user, code=code_of(begun), now=now)


def challenge(user: User) -> str:
    try:
        log_in(email=user.email, password=make.PASSWORD, now=timezone.now())
    except SecondFactorRequired as refusal:
        return str(refusal.facts["challenge"])
    raise AssertionError("the password sufficed")


def session(user: User) -> SessionTokens:
    """Log `user` in by password and app."""
    return log_in_with_second_factor(
        challenge=challenge(user), kind="totp", proof=code_of(totp_of(user)), now=timezone.now()
    )
