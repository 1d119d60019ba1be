"""What staff see of accounts, and how they log in."""

from accounts.admin.people import AddressAdmin, GroupAdmin, RefreshTokenAdmin, UserAdmin

__all__ = ["AddressAdmin", "GroupAdmin", "RefreshTokenAdmin", "UserAdmin"]
