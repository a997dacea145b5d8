"""Why something was not done: one exception for each code of the core."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID


class FieldError(NamedTuple):
    """One value that was refused."""

    field: str
    """The path of the value as it was given, e.g. `emails[1].address`."""
    code: str
    """A stable word for programs, e.g. `invalid_email`."""
    message: str
    """A sentence for people."""


class Cause(Exception):
    """What lies below an error of the CRM, in its own words. For the log, not for users."""


class CrmError(Exception):
    """What an operation could not do, and why. The base of all errors of the CRM."""

    code: str = "internal"
    """The stable code, the same in every language and over HTTP."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        operation: str = "",
        retryable: bool = False,
        fields: tuple[FieldError, ...] = (),
        existing_id: UUID | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """What may be shown to the user."""
        if code is not None:
            self.code = code
        self.operation = operation
        """What failed, e.g. `contacts.create`."""
        self.retryable = retryable
        """Whether the same call can succeed later."""
        self.fields = fields
        """One entry for each refused value."""
        self.existing_id = existing_id
        """The record that holds the value already, of AlreadyExistsError."""
        self.retry_after = retry_after
        """Seconds to wait, of RateLimitedError."""

    def __str__(self) -> str:
        place = f"{self.operation}: " if self.operation else ""
        if len(self.fields) == 1 and self.fields[0].field:
            return f"{place}`{self.fields[0].field}`: {self.message}"
        many = "; ".join(f"`{one.field}`: {one.message}" for one in self.fields)
        return f"{place}{self.message}" + (f" ({many})" if many else "")

    def __reduce__(self) -> tuple[Any, ...]:
        fields = [tuple(one) for one in self.fields]
        parts = (self.code, self.message, self.operation, self.retryable, fields)
        return make, (*parts, self.existing_id, self.retry_after)


class InvalidError(CrmError):
    """A value was refused; `fields` says which."""

    code = "invalid"


class MalformedError(CrmError):
    """Something that cannot be read as what it should be."""

    code = "malformed"


class UnknownParameterError(CrmError):
    """A filter, order or parameter that does not exist."""

    code = "unknown_parameter"


class InvalidCursorError(CrmError):
    """A page cursor that was not made by this list."""

    code = "invalid_cursor"


class UnauthenticatedError(CrmError):
    """Nobody, or nobody known, is signed in."""

    code = "unauthenticated"


class TokenReusedError(CrmError):
    """The refresh token has been used before; all that came from the same sign-in has ended."""

    code = "token_reused"


class SecondFactorRequiredError(CrmError):
    """The password is right; a code of the second factor is missing or wrong."""

    code = "second_factor_required"


class StepUpRequiredError(CrmError):
    """The action needs a fresh proof of who one is."""

    code = "step_up_required"


class ForbiddenError(CrmError):
    """The role does not allow the action."""

    code = "forbidden"


class NotFoundError(CrmError):
    """There is no such thing in this tenant."""

    code = "not_found"


class AlreadyExistsError(CrmError):
    """A live record holds the same unique value; `existing_id` names it."""

    code = "already_exists"


class ConflictError(CrmError):
    """The state of what is asked does not allow the action."""

    code = "conflict"


class VersionConflictError(CrmError):
    """The record has changed since the version that was named."""

    code = "version_conflict"


class IdempotencyKeyReusedError(CrmError):
    """The idempotency key was used before, for another request."""

    code = "idempotency_key_reused"


class IdempotencyInProgressError(CrmError):
    """The first request with the idempotency key still runs."""

    code = "idempotency_in_progress"


class RateLimitedError(CrmError):
    """More than is allowed in a time; `retry_after` says when it is allowed again."""

    code = "rate_limited"


class PayloadTooLargeError(CrmError):
    """More bytes than allowed."""

    code = "payload_too_large"


class UnsupportedMediaTypeError(CrmError):
    """A format that is not read here."""

    code = "unsupported_media_type"


class UnavailableError(CrmError):
    """A storage or provider that cannot be reached or is full at the moment."""

    code = "unavailable"


class InternalError(CrmError):
    """A fault of the CRM or of its storage; `__cause__` says more."""

    code = "internal"


BY_CODE: dict[str, type[CrmError]] = {kind.code: kind for kind in CrmError.__subclasses__()}


def make(
    code: str,
    message: str,
    operation: str,
    retryable: bool,
    fields: Any,
    existing_id: UUID | None,
    retry_after: float | None,
) -> CrmError:
    """The exception of an error of the core."""
    return BY_CODE.get(code, CrmError)(
        message,
        code=code,
        operation=operation,
        retryable=retryable,
        fields=tuple(FieldError(*one) for one in fields),
        existing_id=existing_id,
        retry_after=retry_after,
    )
