"""What runs a host's objects: its asyncio loop, or one of our own for code that blocks."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine
from typing import Any, Final

ENDED: Final = object()
"""What the step of an iterator answers that has ended."""

INTERRUPTED = (asyncio.TimeoutError, asyncio.CancelledError, concurrent.futures.CancelledError)


def has_method(of: object, name: str) -> bool:
    """Whether there is such a method; what a class inherits from a protocol of ours is none."""
    method = getattr(of, name, None)
    return callable(method) and getattr(method, "__module__", None) != "crm_core.ports"


class _OwnLoop:
    """A loop in a thread, begun when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                run = self._loop.run_forever
                threading.Thread(target=run, name="crm-core-ports", daemon=True).start()
            return self._loop

    def stop(self) -> None:
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)


_own = _OwnLoop()
# Imported before the runtime's own end is registered, and so run after it.
atexit.register(lambda: _own.stop())


def _after_fork() -> None:
    global _own
    _own = _OwnLoop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def begin(
    awaitable: Awaitable[Any],
    loop: asyncio.AbstractEventLoop | None,
    tell: Callable[[concurrent.futures.Future[Any]], None],
) -> concurrent.futures.Future[Any]:
    """Runs it in the loop and calls `tell` when it is done."""
    running: Coroutine[Any, Any, Any]
    running = awaitable if asyncio.iscoroutine(awaitable) else _await(awaitable)
    try:
        loop = loop or _own.get()
        if loop.is_closed():
            raise ConnectionError("the event loop in which the CRM was opened is closed")
        future = asyncio.run_coroutine_threadsafe(running, loop)
    except BaseException:
        running.close()
        raise
    future.add_done_callback(tell)
    return future


class Pull:
    """An asynchronous iterator, step by step."""

    def __init__(self, iterable: AsyncIterable[Any]) -> None:
        self._steps = aiter(iterable)
        self._lock = asyncio.Lock()

    async def next(self) -> Any:
        """The next piece, or ENDED."""
        async with self._lock:
            try:
                return await self._steps.__anext__()
            except StopAsyncIteration:
                return ENDED

    async def close(self) -> None:
        """Ends it, once a step that was cancelled is over."""
        async with self._lock:
            close = getattr(self._steps, "aclose", None)
            if close is not None:
                await close()
