"""Every way in which people, their addresses and their sessions change."""

from accounts.services.access_tokens import AccessClaims, public_keys, read_access_token
from accounts.services.addresses import (
    AddressChanges,
    add_address,
    change_address,
    remove_address,
)
from accounts.services.emails import (
    confirm_email_change,
    prune_email_changes,
    request_email_change,
)
from accounts.services.erasing import erase_account
from accounts.services.factors import KINDS
from accounts.services.mails import (
    send_email_change_link,
    send_email_changed,
    send_password_changed,
    send_password_reset,
    send_registration_notice,
    send_second_factor_changed,
    send_session_ended,
    send_verification,
)
from accounts.services.passwords import (
    change_password,
    prove_password,
    replace_password,
    request_password_reset,
    reset_password,
)
from accounts.services.people import (
    ProfileChanges,
    change_profile,
    confirm_email,
    customer_for_history,
    customers_for_history,
    ensure_staff,
    phone_in_e164,
    register_customer,
)
from accounts.services.rehashing import rehash_people
from accounts.services.second_factors import (
    begin_first_totp,
    begin_totp,
    confirm_totp,
    remove_second_factor,
    renew_recovery_codes,
    reset_second_factor,
    show_second_factor,
)
from accounts.services.sessions import (
    SessionTokens,
    end_all_sessions,
    end_session,
    log_in,
    log_in_with_second_factor,
    prove_fresh_session,
    prune_sessions,
    refresh_session,
)

__all__ = [
    "KINDS",
    "AccessClaims",
    "AddressChanges",
    "ProfileChanges",
    "SessionTokens",
    "add_address",
    "begin_first_totp",
    "begin_totp",
    "change_address",
    "change_password",
    "change_profile",
    "confirm_email",
    "confirm_email_change",
    "confirm_totp",
    "customer_for_history",
    "customers_for_history",
    "end_all_sessions",
    "end_session",
    "ensure_staff",
    "erase_account",
    "log_in",
    "log_in_with_second_factor",
    "phone_in_e164",
    "prove_fresh_session",
    "prove_password",
    "prune_email_changes",
    "prune_sessions",
    "public_keys",
    "read_access_token",
    "refresh_session",
    "register_customer",
    "rehash_people",
    "remove_address",
    "remove_second_factor",
    "renew_recovery_codes",
    "replace_password",
    "request_email_change",
    "request_password_reset",
    "reset_password",
    "reset_second_factor",
    "send_email_change_link",
    "send_email_changed",
    "send_password_changed",
    "send_password_reset",
    "send_registration_notice",
    "send_second_factor_changed",
    "send_session_ended",
    "send_verification",
    "show_second_factor",
]
