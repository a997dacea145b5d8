"""What is not given, and ids made fast."""

from enum import Enum
from typing import Final, Literal
from uuid import UUID, SafeUUID


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""A field of a change that is not given stays as it is; None clears it."""

_new = object.__new__
_set = object.__setattr__
_unknown = SafeUUID.unknown


def uuid_of(number: int) -> UUID:
    """The id of this number, which is known to be one: the constructor's checks cost more than a call."""
    made = _new(UUID)
    _set(made, "int", number)
    _set(made, "is_safe", _unknown)
    return made
