"""Who listens: the tasks that each topic wakes, by name.

A task gets `message_id: str` and `payload: dict`, at least once. A test checks that each name is
a registered task.
"""

SUBSCRIBERS: dict[str, tuple[str, ...]] = {
    "accounts.email_change_requested": ("accounts.send_email_change_link",),
    "accounts.email_changed": ("accounts.send_email_changed",),
    "accounts.password_changed": ("accounts.send_password_changed",),
    "accounts.password_reset_requested": ("accounts.send_password_reset",),
    "accounts.registered": ("accounts.send_verification",),
    "accounts.registration_repeated": ("accounts.send_registration_notice",),
    "accounts.second_factor_changed": ("accounts.send_second_factor_changed",),
    "accounts.session_reused": ("accounts.send_session_ended",),
    "inventory.back_in_stock": ("inventory.send_back_in_stock",),
    "inventory.availability_changed": ("inventory.record_availability",),
    "inventory.low_stock": ("inventory.send_low_stock",),
    "catalog.pictures_added": ("catalog.render_product",),
    "catalog.type_changed": ("catalog.relist_type",),
    "catalog.collection_changed": ("catalog.invalidate_collection",),
    "catalog.product_changed": ("catalog.invalidate_product",),
    "order.confirmed": ("orders.send_confirmation",),
    "order.cancelled": ("orders.send_cancellation",),
    "order.erasure_requested": ("orders.run_erasure",),
    "order.link_requested": ("orders.send_order_link",),
}
