"""The tenant's events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple, Union

from . import _native
from ._surface import FollowedEvent


class Reset(NamedTuple):
    """Events are missing that are no longer kept: what was built from earlier ones is to be read anew."""

    position: str
    """Events after this position follow."""


Delivery = Union[FollowedEvent, Reset]
"""What comes of following the events."""


def _delivered(subscription: _native.Subscription) -> Delivery | None:
    here = subscription.pop()
    return Reset(here) if isinstance(here, str) else here


class Subscription(Iterator[Delivery]):
    """Events in order, each once, without an end."""

    def __init__(self, native: _native.Subscription) -> None:
        self._native = native

    def next(self, timeout: float | None = None) -> Delivery | None:
        """The next event or reset; None where none came in `timeout` seconds."""
        while (here := _delivered(self._native)) is None:
            if not self._native.fill(timeout).wait():
                return None
        return here

    def __next__(self) -> Delivery:
        here = self.next()
        if here is None:
            raise StopIteration
        return here


class AsyncSubscription(AsyncIterator[Delivery]):
    """Events in order, each once, without an end. Cancelling a wait loses none."""

    def __init__(self, native: _native.Subscription) -> None:
        self._native = native

    async def next(self, timeout: float | None = None) -> Delivery | None:
        """The next event or reset; None where none came in `timeout` seconds."""
        while (here := _delivered(self._native)) is None:
            if not await self._native.fill(timeout).start():
                return None
        return here

    async def __anext__(self) -> Delivery:
        here = await self.next()
        if here is None:
            raise StopAsyncIteration
        return here
