"""The CRM and sessions in it, blocking and for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from types import TracebackType
from typing import Any
from uuid import UUID

from . import _native, ports
from ._events import AsyncSubscription, Subscription
from ._surface import (
    AsyncCrmNamespaces,
    AsyncSessionNamespaces,
    CrmNamespaces,
    FollowedEvent,
    SessionNamespaces,
)
from ._webhook import Headers, WebhookReply
from .asgi import Application

DRAIN = 30.0
"""Seconds that jobs which run have to come to their end when their worker is stopped."""


class Batch:
    """Events for a group. Until it is done, they come again."""

    def __init__(self, native: _native.Batch) -> None:
        self._native = native
        self.events: tuple[FollowedEvent, ...] = native.events
        """The events, oldest first."""
        self.incomplete: bool = native.incomplete
        """Whether events before these are no longer kept."""

    def session(self) -> Session:
        """A session whose first write moves the group past this batch in the same commit."""
        return Session(self._native.session())

    def done(self) -> None:
        """Moves the group past the batch. `conflict` where another reader has moved it."""
        self._native.done().wait()


class AsyncBatch:
    """Events for a group. Until it is done, they come again."""

    def __init__(self, native: _native.Batch) -> None:
        self._native = native
        self.events: tuple[FollowedEvent, ...] = native.events
        """The events, oldest first."""
        self.incomplete: bool = native.incomplete
        """Whether events before these are no longer kept."""

    def session(self) -> AsyncSession:
        """A session whose first write moves the group past this batch in the same commit."""
        return AsyncSession(self._native.session())

    async def done(self) -> None:
        """Moves the group past the batch. `conflict` where another reader has moved it."""
        await self._native.done().start()


class EventGroup(Iterator[Batch]):
    """Batches of events, each at least once, without an end."""

    def __init__(self, native: _native.Group) -> None:
        self._native = native

    def next(self, timeout: float | None = None) -> Batch | None:
        """The next batch; None where none came in `timeout` seconds."""
        native = self._native.next(timeout).wait()
        return None if native is None else Batch(native)

    def __next__(self) -> Batch:
        batch = self.next()
        if batch is None:
            raise StopIteration
        return batch


class AsyncEventGroup(AsyncIterator[AsyncBatch]):
    """Batches of events, each at least once, without an end."""

    def __init__(self, native: _native.Group) -> None:
        self._native = native

    async def next(self, timeout: float | None = None) -> AsyncBatch | None:
        """The next batch; None where none came in `timeout` seconds."""
        native = await self._native.next(timeout).start()
        return None if native is None else AsyncBatch(native)

    async def __anext__(self) -> AsyncBatch:
        batch = await self.next()
        if batch is None:
            raise StopAsyncIteration
        return batch


class Events:
    """The tenant's events."""

    def __init__(self, native: _native.Session) -> None:
        self._native = native

    def subscribe(self, after: str = "now") -> Subscription:
        """Follow the events after `now`, the `start` of what is kept, or an event's position."""
        return Subscription(_native.subscribe(self._native, after).wait())

    def group(self, name: str, after: str = "now") -> EventGroup:
        """Follow the events in a group whose position is stored; a new one begins `after`."""
        return EventGroup(_native.group(self._native, name, after).wait())


class AsyncEvents:
    """The tenant's events."""

    def __init__(self, native: _native.Session) -> None:
        self._native = native

    async def subscribe(self, after: str = "now") -> AsyncSubscription:
        """Follow the events after `now`, the `start` of what is kept, or an event's position."""
        return AsyncSubscription(await _native.subscribe(self._native, after).start())

    async def group(self, name: str, after: str = "now") -> AsyncEventGroup:
        """Follow the events in a group whose position is stored; a new one begins `after`."""
        return AsyncEventGroup(await _native.group(self._native, name, after).start())


class Session(SessionNamespaces):
    """Somebody at work in a tenant. Cheap, and for any thread; made for one request or one job."""

    def __init__(self, native: _native.Session) -> None:
        self._native = native
        self._put_namespaces(native)
        self.events = Events(native)
        """The tenant's events."""

    def lagging(self) -> Session:
        """The same, content with data that may be a little old; nothing can be changed in it."""
        return Session(self._native.lagging())

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Does an operation by its name, e.g. `contacts.get`, for programs that are driven by data.

        Arguments are as JSON has them: None is null. LookupError where there is no such operation.
        """
        return self._native.call(_native.operation(operation, patch=True), dict(arguments))


class AsyncSession(AsyncSessionNamespaces):
    """Somebody at work in a tenant. Cheap; made for one request or one job."""

    def __init__(self, native: _native.Session) -> None:
        self._native = native
        self._put_namespaces(native)
        self.events = AsyncEvents(native)
        """The tenant's events."""

    def lagging(self) -> AsyncSession:
        """The same, content with data that may be a little old; nothing can be changed in it."""
        return AsyncSession(self._native.lagging())

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Does an operation by its name, e.g. `contacts.get`, for programs that are driven by data.

        Arguments are as JSON has them: None is null. LookupError where there is no such operation.
        """
        return await self._native.start(_native.operation(operation, patch=True), dict(arguments))


class Worker:
    """Jobs that are run in the background until it is stopped."""

    def __init__(self, native: _native.Worker) -> None:
        self._native = native

    def stop(self, timeout: float = DRAIN) -> bool:
        """Takes up no more jobs and waits for those that run; whether they ended in time."""
        in_time: bool = self._native.stop(timeout).wait()
        return in_time

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class AsyncWorker:
    """Jobs that are run in the background until it is stopped."""

    def __init__(self, native: _native.Worker) -> None:
        self._native = native

    async def stop(self, timeout: float = DRAIN) -> bool:
        """Takes up no more jobs and waits for those that run; whether they ended in time."""
        in_time: bool = await self._native.stop(timeout).start()
        return in_time

    async def __aenter__(self) -> AsyncWorker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


def _plain_dict(given: object) -> object:
    return dict(given) if isinstance(given, Mapping) else given


class Crm(CrmNamespaces):
    """A CRM in this process, for code that blocks. Safe for threads; not for a child after a fork."""

    def __init__(self, native: _native.Crm) -> None:
        self._native = native
        self._put_namespaces(native)

    @classmethod
    def open(
        cls,
        database: str,
        *,
        telephony: Mapping[str, ports.Telephony] | None = None,
        event_bus: ports.EventBus | None = None,
        blobs: ports.Blobs | None = None,
        clock: ports.Clock | None = None,
        channels: Mapping[str, ports.NotificationChannel] | None = None,
        port_timeout: float | None = None,
        **options: Any,
    ) -> Crm:
        """Opens a CRM.

        Args:
            database: `sqlite://PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/NAME`.
            telephony: Carriers of your own, by the names of their providers.
            event_bus: A bus of your own between processes.
            blobs: A place of your own for recordings.
            clock: A clock of your own.
            channels: Channels of your own for notifications, by their names.
            port_timeout: For how many seconds a call of these may last; 30 where nothing is said.
            options: What else it works with beside the database.
        """
        objects = {
            "loop": None,
            "telephony": _plain_dict(telephony),
            "event_bus": event_bus,
            "blobs": blobs,
            "clock": clock,
            "channels": _plain_dict(channels),
            "port_timeout": port_timeout,
        }
        return cls(_native.open({"database": database, **options}, objects).wait())

    def session(self, tenant_id: UUID | str, user_id: UUID | str) -> Session:
        """A session of a user, whom the host knows. `unauthenticated` where they may not work."""
        return Session(self._native.session({"tenant_id": tenant_id, "user_id": user_id}).wait())

    def operator(self, tenant_id: UUID | str) -> Session:
        """A session with every right in a tenant; what it does is recorded as done by `system`."""
        return Session(self._native.operator({"tenant_id": tenant_id}).wait())

    def authenticate(self, bearer: str) -> Session:
        """A session of who presents an access token or an API key. `unauthenticated`."""
        return Session(self._native.authenticate(bearer).wait())

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Does an operation by its name, e.g. `contacts.get`, for programs that are driven by data.

        Arguments are as JSON has them: None is null. LookupError where there is no such operation.
        """
        return self._native.call(_native.operation(operation, patch=True), dict(arguments))

    def start_worker(self) -> Worker:
        """Begins to run jobs in the background."""
        return Worker(self._native.worker())

    def asgi(self, *, worker: bool = False, **options: Any) -> Application:
        """Every route of the HTTP API as an ASGI application, e.g. for `app.mount("/crm", crm.asgi())`.

        Args:
            worker: Whether it also runs jobs, as `start_worker` does.
            options: `cors_origins`, `body_limit`, `import_limit`, `time_limit_seconds`, `per_caller` and
                `per_address` (`"600/10s"`, or None for any number of requests), `trusted_proxies`,
                `proxy_header`, `heartbeat_seconds`, `realtime_connections`.
        """
        return Application(_native.mount(self._native, options, worker))

    def webhook(
        self, provider: str, *, url: str, headers: Headers, body: bytes | bytearray | memoryview
    ) -> WebhookReply:
        """Hands in a request that a carrier has sent, and gives what to answer it.

        It is verified and read by the provider's carrier, and what it says of a call is kept, once, whatever the
        order in which requests come and however often. `not_found` for a provider that is none, `forbidden` where
        the carrier has not sent it, `malformed`; after `unavailable` and `internal` let the carrier send it again.

        Args:
            provider: Whose it is: `twilio`, or the name under which `open` was given the carrier.
            url: The address that was called, with its query, as the public knows it: `public_url` and what follows.
            headers: The headers by their names, or pairs of a name and a value; text, or bytes as ASGI has them.
            body: The body as it came, byte by byte.
        """
        native = _native.webhook(self._native, provider, url, headers, body)
        return WebhookReply(*native.wait())

    def check(self) -> None:
        """Whether the database answers: an error where it does not."""
        self._native.check().wait()

    def close(self) -> None:
        """Closes it, once its sessions are dropped."""
        self._native.close()

    def __enter__(self) -> Crm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncCrm(AsyncCrmNamespaces):
    """A CRM in this process, for asyncio. Not for a child after a fork."""

    def __init__(self, native: _native.Crm) -> None:
        self._native = native
        self._put_namespaces(native)

    @classmethod
    async def open(
        cls,
        database: str,
        *,
        telephony: Mapping[str, ports.Telephony] | None = None,
        event_bus: ports.EventBus | None = None,
        blobs: ports.Blobs | None = None,
        clock: ports.Clock | None = None,
        channels: Mapping[str, ports.NotificationChannel] | None = None,
        port_timeout: float | None = None,
        **options: Any,
    ) -> AsyncCrm:
        """Opens a CRM.

        Args:
            database: `sqlite://PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/NAME`.
            telephony: Carriers of your own, by the names of their providers.
            event_bus: A bus of your own between processes.
            blobs: A place of your own for recordings.
            clock: A clock of your own.
            channels: Channels of your own for notifications, by their names.
            port_timeout: For how many seconds a call of these may last; 30 where nothing is said.
            options: What else it works with beside the database.
        """
        objects = {
            "loop": asyncio.get_running_loop(),
            "telephony": _plain_dict(telephony),
            "event_bus": event_bus,
            "blobs": blobs,
            "clock": clock,
            "channels": _plain_dict(channels),
            "port_timeout": port_timeout,
        }
        return cls(await _native.open({"database": database, **options}, objects).start())

    async def session(self, tenant_id: UUID | str, user_id: UUID | str) -> AsyncSession:
        """A session of a user, whom the host knows. `unauthenticated` where they may not work."""
        given = {"tenant_id": tenant_id, "user_id": user_id}
        return AsyncSession(await self._native.session(given).start())

    async def operator(self, tenant_id: UUID | str) -> AsyncSession:
        """A session with every right in a tenant; what it does is recorded as done by `system`."""
        return AsyncSession(await self._native.operator({"tenant_id": tenant_id}).start())

    async def authenticate(self, bearer: str) -> AsyncSession:
        """A session of who presents an access token or an API key. `unauthenticated`."""
        return AsyncSession(await self._native.authenticate(bearer).start())

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Does an operation by its name, e.g. `contacts.get`, for programs that are driven by data.

        Arguments are as JSON has them: None is null. LookupError where there is no such operation.
        """
        return await self._native.start(_native.operation(operation, patch=True), dict(arguments))

    def start_worker(self) -> AsyncWorker:
        """Begins to run jobs in the background."""
        return AsyncWorker(self._native.worker())

    def asgi(self, *, worker: bool = False, **options: Any) -> Application:
        """Every route of the HTTP API as an ASGI application, e.g. for `app.mount("/crm", crm.asgi())`.

        Args:
            worker: Whether it also runs jobs, as `start_worker` does.
            options: `cors_origins`, `body_limit`, `import_limit`, `time_limit_seconds`, `per_caller` and
                `per_address` (`"600/10s"`, or None for any number of requests), `trusted_proxies`,
                `proxy_header`, `heartbeat_seconds`, `realtime_connections`.
        """
        return Application(_native.mount(self._native, options, worker))

    async def webhook(
        self, provider: str, *, url: str, headers: Headers, body: bytes | bytearray | memoryview
    ) -> WebhookReply:
        """Hands in a request that a carrier has sent, and gives what to answer it.

        It is verified and read by the provider's carrier, and what it says of a call is kept, once, whatever the
        order in which requests come and however often. `not_found` for a provider that is none, `forbidden` where
        the carrier has not sent it, `malformed`; after `unavailable` and `internal` let the carrier send it again.

        Args:
            provider: Whose it is: `twilio`, or the name under which `open` was given the carrier.
            url: The address that was called, with its query, as the public knows it: `public_url` and what follows.
            headers: The headers by their names, or pairs of a name and a value; text, or bytes as ASGI has them.
            body: The body as it came, byte by byte.
        """
        native = _native.webhook(self._native, provider, url, headers, body)
        return WebhookReply(*await native.start())

    async def check(self) -> None:
        """Whether the database answers: an error where it does not."""
        await self._native.check().start()

    async def close(self) -> None:
        """Closes it, once its sessions are dropped."""
        self._native.close()

    async def __aenter__(self) -> AsyncCrm:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
