"""What must happen when a rule of shipping or tax changes."""

from django.db import transaction

from cart.selectors import forget_rules


def rules_changed() -> None:
    """Have every process read the rules anew, once the caller's transaction commits.

    The caller's process does so at once, the others within `RULES_MEMO_SECONDS`.
    """
    transaction.on_commit(forget_rules)
