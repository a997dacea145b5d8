"""What the namespaces of a session are made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from . import _native
from ._files import AsyncCallsBase as AsyncCallsBase
from ._files import AsyncContactsBase as AsyncContactsBase
from ._files import AsyncNamespace as AsyncNamespace
from ._files import CallsBase as CallsBase
from ._files import ContactsBase as ContactsBase
from ._files import Namespace as Namespace


def all_pages(
    call: Callable[[_native.Operation, dict[str, Any]], Any],
    operation: _native.Operation,
    given: dict[str, Any],
) -> Iterator[Any]:
    """The items of all pages."""
    while True:
        page = call(operation, given)
        yield from page.items
        if page.next_cursor is None:
            return
        given = {**given, "cursor": page.next_cursor}


async def all_pages_async(
    start: Callable[[_native.Operation, dict[str, Any]], Awaitable[Any]],
    operation: _native.Operation,
    given: dict[str, Any],
) -> AsyncIterator[Any]:
    """The items of all pages."""
    while True:
        page = await start(operation, given)
        for item in page.items:
            yield item
        if page.next_cursor is None:
            return
        given = {**given, "cursor": page.next_cursor}
