import pytest
from celery import current_app


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("orders.send_confirmation", "mail"),
        ("accounts.send_verification", "mail"),
        ("inventory.send_low_stock", "mail"),
        ("orders.sweep_payments", "critical"),
        ("orders.reconcile_payments", "default"),
        ("inventory.reconcile", "default"),
        ("inventory.record_availability", "critical"),
        ("catalog.refresh_due", "default"),
        ("catalog.render_product", "pictures"),
    ],
)
def test_a_mail_stands_neither_before_money_nor_behind_copies(task: str, queue: str) -> None:
    routed = current_app.amqp.router.route({}, task)

    assert routed["queue"].name == queue
