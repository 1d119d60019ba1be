"""What accounts may refuse."""

from shop import errors


class InvalidCredentials(errors.Unauthenticated):
    """No account has this e-mail and password together."""

    code = "invalid_credentials"
    title = "Wrong e-mail or password"


class AccessTokenNotValid(errors.Unauthenticated):
    """The access token is forged, over, or of a session that has ended."""

    code = "access_token_not_valid"
    title = "The access token is not valid"


class RefreshTokenNotValid(errors.Unauthenticated):
    """The refresh token is unknown, over, or of a session that has ended."""

    code = "invalid_refresh_token"
    title = "The refresh token is not valid"


class TokenReused(errors.Unauthenticated):
    """A refresh token came back after it was spent: its whole session is over."""

    code = "token_reused"
    title = "The refresh token was used before"


class LinkNotValid(errors.Malformed):
    """The token of a mailed link is forged, too old, or was used already."""

    code = "invalid_link"
    title = "The link is no longer good"


class WrongPassword(errors.Invalid):
    """Signed in, but the present password that was given as proof is not right."""

    code = "wrong_password"
    title = "That is not the present password"


class AddressNotFound(errors.NotFound):
    """There is no such address in this address book."""

    code = "address_not_found"
    title = "No such address"


class AddressBookFull(errors.Conflict):
    """The address book holds as many addresses as it may."""

    code = "address_book_full"
    title = "The address book is full"


class SecondFactorRequired(errors.Unauthenticated):
    """The password is right, and the account has a second factor: show it with the `challenge`."""

    code = "second_factor_required"
    title = "A second factor is needed"


class ChallengeNotValid(errors.Unauthenticated):
    """The challenge is forged, older than five minutes, or its password was changed."""

    code = "invalid_challenge"
    title = "The log-in took too long"


class InvalidCode(errors.Unauthenticated):
    """The code is wrong, over, or was used before: nobody is signed in."""

    code = "invalid_code"
    title = "Wrong code"


class WrongCode(errors.Invalid):
    """Signed in, but the code that was given as proof is wrong, over, or was used before."""

    code = "wrong_code"
    title = "That code is not right"


class SecondFactorNotBegun(errors.Conflict):
    """There is nothing to confirm: setting up was not begun, or is done."""

    code = "second_factor_not_begun"
    title = "No second factor is being set up"


class NoSecondFactor(errors.Conflict):
    """The account has no second factor."""

    code = "no_second_factor"
    title = "There is no second factor"


class SecondFactorMandatory(errors.Conflict):
    """Who works here keeps a second factor: set up another, which takes the place of this one."""

    code = "second_factor_mandatory"
    title = "Staff need a second factor"
