"""Tasks about orders: each wakes a service. All are safe to run twice."""

from celery import shared_task
from django.utils import timezone

from orders import services
from orders.services.history_jobs import history_import_step
from orders.services.personal_export import personal_export_step
from shop.jobs.services import run_slice
from shop.outbox.listeners import ListenerTask


@shared_task(name="orders.sweep_payments")
def sweep_payments() -> int:
    """Finish payments and refunds that were left open. Every 15 s by beat; at least once."""
    return services.sweep_payments(now=timezone.now()).finished


@shared_task(name="orders.resume_checkouts")
def resume_checkouts() -> int:
    """Answer for the checkouts whose worker was killed. Every 60 s by beat; at least once."""
    return services.resume_checkouts(now=timezone.now()).finished


@shared_task(name="orders.expire_holds")
def expire_holds() -> int:
    """End pending orders whose hold has run out. Every 30 s by beat; at least once."""
    return services.expire_holds(now=timezone.now()).finished


@shared_task(name="orders.reconcile_orders")
def reconcile_orders() -> int | None:
    """Look whether the books of the orders agree. Every 5 minutes by beat; one at a time."""
    seen = services.reconcile_orders(now=timezone.now())
    return seen.run.found if seen is not None else None


@shared_task(name="orders.reconcile_payments")
def reconcile_payments() -> int | None:
    """Look whether we and the providers agree. Every 5 minutes by beat; one at a time."""
    seen = services.reconcile_payments(now=timezone.now())
    return seen.run.found if seen is not None else None


@shared_task(name="orders.send_confirmation", base=ListenerTask)
def send_confirmation(*, message_id: str, payload: dict[str, int]) -> None:
    """Mail the buyer what they bought, and empty the cart if nobody came to that.

    At least once a message. One task for both, as every order wakes it; neither waits for the
    other, and either has it come again.
    """
    try:
        services.send_confirmation(
            message_id=message_id, order_id=payload["order_id"], now=timezone.now()
        )
    finally:
        services.empty_cart_of(order_id=payload["order_id"])


@shared_task(name="orders.send_cancellation", base=ListenerTask)
def send_cancellation(*, message_id: str, payload: dict[str, int]) -> None:
    """Mail the buyer that the order has ended. At least once a message."""
    services.send_cancellation(
        message_id=message_id, order_id=payload["order_id"], now=timezone.now()
    )


@shared_task(name="orders.send_order_link", base=ListenerTask)
def send_order_link(*, message_id: str, payload: dict[str, int | None]) -> None:
    """Mail the buyer a fresh link to the order. At least once a message."""
    services.send_order_link(
        message_id=message_id, order_id=payload["order_id"], now=timezone.now()
    )


@shared_task(name="orders.empty_cart", base=ListenerTask)
def empty_cart(*, message_id: str, payload: dict[str, int]) -> None:
    """Empty the cart that became an order: for messages that an earlier release has relayed."""
    services.empty_cart_of(order_id=payload["order_id"])


@shared_task(name="orders.count_sales", soft_time_limit=1500, time_limit=1600)
def count_sales() -> int | None:
    """Tell the catalogue what sells. Every hour by beat; one at a time, at least once."""
    return services.count_sales(now=timezone.now())


@shared_task(name="orders.run_history_import")
def run_history_import(*, job_id: int, turn: int) -> None:
    """Carry the replay of another system's invoices on for some seconds. At least once a turn."""
    run_slice(job_id=job_id, turn=turn, step=history_import_step, clock=timezone.now)


@shared_task(name="orders.run_personal_export")
def run_personal_export(*, job_id: int, turn: int) -> None:
    """Write down all that we hold of a person, for some seconds. At least once a turn."""
    run_slice(job_id=job_id, turn=turn, step=personal_export_step, clock=timezone.now)


@shared_task(name="orders.run_erasure", base=ListenerTask)
def run_erasure(*, message_id: str, payload: dict[str, int]) -> None:
    """Forget a person who asked for it. At least once a message; the sweep does what is left."""
    services.carry_out_erasure(user_id=payload["user_id"], now=timezone.now())


@shared_task(name="orders.sweep_erasures")
def sweep_erasures() -> int:
    """Go on with erasures that are not finished. Every 5 minutes by beat; at least once."""
    return services.sweep_erasures(now=timezone.now())


@shared_task(name="orders.purge_retained_invoice_data")
def purge_retained_invoice_data() -> int:
    """Delete what was kept for the law, its day having come. Hourly by beat; at least once."""
    return services.purge_retained_invoice_data(now=timezone.now())
