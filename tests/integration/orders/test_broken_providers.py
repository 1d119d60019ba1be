"""A provider that raises what it never should: nothing is known, and others have their turn."""

from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from orders.models import Order, Payment
from orders.providers import provider_of
from orders.providers.base import PaymentRequest, PaymentResult, ProviderFailed
from orders.providers.sandbox.provider import SandboxProvider
from orders.services import expire_holds, pay, sweep_payments
from tests.make import orders as make

pytestmark = pytest.mark.django_db(transaction=True)

PROVIDER = "orders.providers.sandbox.provider.SandboxProvider"


def test_a_sweep_goes_on_past_an_order_whose_provider_is_broken() -> None:
    variant = make.variant(on_hand=2)
    broken, sound = make.placed((variant, 1)), make.placed((variant, 1))
    void = SandboxProvider.void

    def voided(self: SandboxProvider, request: PaymentRequest) -> PaymentResult:
        if request.key == broken.payment.pk:
            raise KeyError("status")
        return void(self, request)

    # Control: without CarefulProvider the KeyError ends the sweep, and both orders stay open.
    with mock.patch(f"{PROVIDER}.void", voided):
        assert expire_holds(now=timezone.now() + timedelta(minutes=16)).finished == 2

    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert make.units(variant) == (2, 0)
    # Of the first one's money nobody knows yet, so it stays open for the sweeper.
    assert Payment.objects.get(pk=broken.payment.pk).is_open
    assert not Payment.objects.get(pk=sound.payment.pk).is_open
    sweep_payments(now=timezone.now() + timedelta(minutes=20))
    assert Payment.objects.get(pk=broken.payment.pk).status == Payment.Status.VOIDED


def test_what_a_provider_should_not_raise_is_an_answer_that_tells_nothing() -> None:
    placed = make.placed((make.variant(on_hand=1), 1))

    with (
        mock.patch(f"{PROVIDER}.pay", side_effect=ZeroDivisionError),
        pytest.raises(ProviderFailed, match="sandbox: ZeroDivisionError"),
    ):
        pay(placed.payment, now=timezone.now())

    assert provider_of("sandbox").code == "sandbox"
    assert Payment.objects.get().is_open
