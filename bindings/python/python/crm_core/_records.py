"""What the CRM answers with: frozen objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from . import _native

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """Tells type checkers alone that records are frozen."""
        return lambda kind: kind


T = TypeVar("T")


@dataclass_transform(frozen_default=True)
class Record(_native.Record):
    """A reply of the CRM. Frozen: what changes is changed by a call, which gives a new one."""

    def to_dict(self) -> dict[str, Any]:
        """The values as JSON has them: text, numbers, lists, dicts, with the core's names."""
        return {_key(name): _plain(value) for name, value in self._values().items()}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values().items())
        return f"{type(self).__name__}({values})"

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *self._values()})

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._values())


class Page(Record, Generic[T]):
    """A page of a list."""

    items: tuple[T, ...]
    next_cursor: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def _again(kind: type[Record], values: dict[str, Any]) -> Record:
    return kind._of_values(values)


def _key(name: str) -> str:
    return name[:-1] if name.endswith("_") else name


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value
