"""What accounts may refuse."""

from shop import errors


class InvalidCredentials(errors.Unauthenticated):
    code = "invalid_credentials"
    title = "Wrong e-mail or password"


class TokenNotValid(errors.Unauthenticated):
    """An access or refresh token that is unknown, over, or revoked."""

    code = "token_not_valid"
    title = "The token is not valid"


class TokenReused(errors.Unauthenticated):
    """A refresh token came back after it was spent: its whole session is over."""

    code = "token_reused"
    title = "The token was used before"


class LinkNotValid(errors.Malformed):
    """The token of a mailed link is forged, too old, or was used already."""

    code = "invalid_token"
    title = "The link is no longer good"


class PasswordRefused(errors.Malformed):
    """The new password is too short, too long, or one that everybody uses."""

    code = "malformed_request"
    title = "Choose another password"


class WrongPassword(errors.Forbidden):
    """Signed in, but the present password given as proof is not right."""

    code = "wrong_password"
    title = "That is not the present password"


class TooManyAttempts(errors.TooMany):
    """Too many failed log-ins from this address or on this account."""

    code = "rate_limited"
    title = "Too many requests"


class AddressNotFound(errors.NotFound):
    code = "address_not_found"
    title = "No such address"


class AddressBookFull(errors.Conflict):
    code = "address_book_full"
    title = "The address book is full"
