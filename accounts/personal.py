"""What the tables of accounts hold of people."""

from shop.privacy.registry import DataClass, Erasure, Personal, Table, table_of_changes

_ACCOUNT = "as long as the account"
_SESSION = "a day after the session's end: 31 days at most"


def _address(data_class: DataClass = DataClass.ADDRESS) -> Personal:
    return Personal(data_class, Erasure.DELETE, _ACCOUNT)


TABLES = (
    Table(
        "accounts.User",
        personal={
            "password": Personal(DataClass.SECRET, Erasure.REPLACE, _ACCOUNT),
            "email": Personal(DataClass.CONTACT, Erasure.REPLACE, _ACCOUNT),
            "email_hash": Personal(DataClass.IDENTIFIER, Erasure.REPLACE, _ACCOUNT),
            "full_name": Personal(DataClass.NAME, Erasure.BLANK, _ACCOUNT),
            "phone": Personal(DataClass.CONTACT, Erasure.BLANK, _ACCOUNT),
            "external_ref": Personal(DataClass.IDENTIFIER, Erasure.BLANK, _ACCOUNT),
        },
        subject="pk",
        section="profile",
    ),
    Table(
        "accounts.Address",
        plain="country",
        personal={
            "name": _address(DataClass.NAME),
            "company": _address(),
            "line1": _address(),
            "line2": _address(),
            "city": _address(),
            "region": _address(),
            "postal_code": _address(),
            "phone": _address(DataClass.CONTACT),
        },
        subject="owner",
        section="addresses",
    ),
    Table(
        "accounts.RefreshToken",
        personal={
            "token_hash": Personal(DataClass.SECRET, Erasure.DELETE, _SESSION),
            "sealed_successor": Personal(DataClass.SECRET, Erasure.DELETE, "ten seconds"),
        },
        subject="user",
        section="sessions",
    ),
    Table(
        "accounts.EmailChange",
        personal={
            "old_email": Personal(DataClass.CONTACT, Erasure.DELETE, "a day"),
            "new_email": Personal(DataClass.CONTACT, Erasure.DELETE, "a day"),
        },
        subject="user",
        section="email_changes",
    ),
    Table(
        "otp_totp.TOTPDevice",
        plain="name",
        personal={"key": Personal(DataClass.SECRET, Erasure.DELETE, _ACCOUNT)},
        subject="user",
        section="second_factors",
    ),
    Table("otp_static.StaticDevice", plain="name", subject="user", section="recovery_codes"),
    Table(
        "otp_static.StaticToken",
        personal={"token": Personal(DataClass.SECRET, Erasure.DELETE, _ACCOUNT)},
        subject="device__user",
    ),
    Table("accounts.User_groups", not_about="Which powers staff have."),
    Table("accounts.User_user_permissions", not_about="Which powers staff have."),
    table_of_changes("accounts.UserChange"),
    table_of_changes("accounts.UserGroupChange"),
    table_of_changes("accounts.UserPermissionChange"),
    table_of_changes("accounts.GroupChange", "name"),
    table_of_changes("accounts.GroupPermissionChange"),
    table_of_changes("accounts.SecondFactorChange"),
)
