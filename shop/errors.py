"""The few kinds of refusal. Apps subclass a kind; nothing here knows HTTP.

A `Refusal` is expected: it is counted, not paged. Any other exception is a bug.
"""

from typing import Any, ClassVar, NamedTuple


class FieldError(NamedTuple):
    """One malformed member of a request.

    `pointer` is an RFC 6901 JSON pointer into the body (`/lines/0/quantity`); for a query
    parameter it is `/name`. `code` is stable, `detail` is for people.
    """

    pointer: str
    code: str
    detail: str

    def as_json(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail}


class Refusal(Exception):
    """The shop says no, in one word (`code`) and one sentence.

    Keyword facts become members of the answer: `raise OutOfStock("…", lines=[…])`.
    The fact `retry_after` (whole seconds) also becomes the header of that name.
    """

    kind: ClassVar[str] = ""
    code: ClassVar[str] = ""
    title: ClassVar[str] = ""
    retryable: ClassVar[bool] = False

    registry: ClassVar[dict[str, type["Refusal"]]] = {}

    def __init__(self, detail: str = "", **facts: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.facts = facts

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__ and cls.code:
            Refusal.registry.setdefault(cls.code, cls)


class Malformed(Refusal):
    """The request cannot be understood. Carries `errors`, one for each wrong member."""

    kind = "malformed"
    code = "malformed_request"
    title = "The request is malformed"

    def __init__(
        self, detail: str = "", *, errors: "list[FieldError] | None" = None, **facts: Any
    ) -> None:
        super().__init__(detail, **facts)
        self.errors = errors or []


class Unauthenticated(Refusal):
    """Nobody is signed in, or the proof offered is not good."""

    kind = "unauthenticated"
    code = "not_authenticated"
    title = "Sign in first"


class Declined(Refusal):
    """Somebody outside the shop refused to pay."""

    kind = "declined"


class Forbidden(Refusal):
    """Known, and not allowed."""

    kind = "forbidden"
    code = "permission_denied"
    title = "Not allowed"


class SecondFactorNotShown(Forbidden):
    """Staff who signed in by password alone: they may do what customers may, and no more."""

    code = "second_factor_not_shown"
    title = "Sign in with a second factor"


class NotFound(Refusal):
    """There is no such thing, or it is somebody else's."""

    kind = "not_found"
    code = "not_found"
    title = "Not found"


class Conflict(Refusal):
    """The present state forbids it; another time it may be fine."""

    kind = "conflict"


class PreconditionFailed(Refusal):
    """The caller acted on an outdated copy."""

    kind = "precondition_failed"


class Invalid(Refusal):
    """Well formed, and against a rule."""

    kind = "invalid"


class TooMany(Refusal):
    """Asked too often."""

    kind = "too_many"
    code = "rate_limited"
    title = "Too many requests"
    retryable = True


class Unavailable(Refusal):
    """Something that the shop needs does not answer now."""

    kind = "unavailable"
    code = "unavailable"
    title = "Try again shortly"
    retryable = True


class Busy(Unavailable):
    """The database did not give a lock, or an answer, in time."""

    code = "busy"
    title = "Too busy at the moment"


class VersionMismatch(PreconditionFailed):
    """`If-Match` names a version that is no longer the current one."""

    code = "version_mismatch"
    title = "It has changed since you read it"
