"""The CRM's routes as an ASGI 3 application: mounted in the host's own, or served as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from . import _native

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BODILESS = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))
_PATIENCE = 0.05
"""Seconds that a reply is waited for before it is worth it to look whether the client is still there."""


class _Gone(Exception):
    """The client has gone away."""


class Application:
    """Every route of the CRM; made by `Crm.asgi` and `AsyncCrm.asgi`.

    `http`, `websocket` and `lifespan` are served. What runs behind (the relay of events, and the worker where
    it was asked for) runs from when the application is made until the CRM is closed or the server tells the
    application itself to shut down: an application that another one mounts is told nothing by the server.
    After that requests are refused with 503.

    A server that waits for its connections before it ends (as uvicorn does) waits for clients that follow
    events, too: give it a limit (`timeout_graceful_shutdown`), or call `close` before.
    """

    def __init__(self, native: _native.Mount) -> None:
        self._native = native

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI 3 has it."""
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise NotImplementedError(f"the CRM serves no scope of type {kind!r}")

    def close(self) -> None:
        """Ends the streams of events, the WebSockets and what runs behind; the CRM stays open."""
        self._native.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in _BODILESS:
            reply = self._native.call(scope, None)
            if isinstance(reply, tuple) and reply[3] is None:
                await _answer(send, "http.response", reply)
                return
            client = _Client(receive, None)
        else:
            body = _native.Incoming()
            reply = self._native.call(scope, body)
            client = _Client(receive, body)
            client.listen()
        try:
            answer = reply if isinstance(reply, tuple) else await client.awaiting(reply)
            await _answer(send, "http.response", answer, client)
        except _Gone:
            pass
        finally:
            client.leave()

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        socket = await self._native.open(scope)
        if isinstance(socket, tuple):
            await _refuse(scope, send, socket)
            return
        subprotocol, headers = socket.head()
        await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})
        client = asyncio.create_task(_hear(receive, socket))
        try:
            while True:
                said = await socket.recv()
                if client.done():
                    return
                if isinstance(said, str):
                    await send({"type": "websocket.send", "text": said})
                elif isinstance(said, bytes):
                    await send({"type": "websocket.send", "bytes": said})
                else:
                    code, reason = said
                    # No frame can say that there was none, or that the connection just ended.
                    code = {1005: 1000, 1006: 1011}.get(code, code)
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                    return
        except OSError:
            # The client has gone away meanwhile.
            return
        finally:
            client.cancel()


class _Client:
    """What a client sends: its body for the CRM, and its end, which ends what is awaited for it."""

    def __init__(self, receive: Receive, body: _native.Incoming | None) -> None:
        self._receive = receive
        self._body = body
        self._awaited: asyncio.Future[Any] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._gone = False

    def listen(self) -> None:
        """Begins to read what it sends."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())

    def leave(self) -> None:
        """Reads no more."""
        if self._listening is not None:
            self._listening.cancel()

    async def awaiting(self, future: asyncio.Future[Any]) -> Any:
        """What comes of it; `_Gone` where the client has gone away before."""
        if self._gone:
            future.cancel()
            raise _Gone
        self._awaited = future
        late = None
        if self._listening is None:
            late = asyncio.get_running_loop().call_later(_PATIENCE, self.listen)
        try:
            return await future
        except asyncio.CancelledError:
            if self._gone:
                raise _Gone from None
            raise
        finally:
            self._awaited = None
            if late is not None:
                late.cancel()

    async def _listen(self) -> None:
        body = self._body
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    break
                if body is None:
                    continue
                taken = body.push(message.get("body", b""))
                if taken is not None:
                    await taken
                if not message.get("more_body", False):
                    body.end(True)
                    body = None
        except OSError:
            pass
        self._gone = True
        if body is not None:
            body.end(False)
        if self._awaited is not None:
            self._awaited.cancel()


async def _answer(
    send: Send, kind: str, reply: _native.Reply, client: _Client | None = None
) -> None:
    status, headers, body, rest = reply
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    if rest is None:
        await send({"type": f"{kind}.body", "body": body})
        return
    if client is not None:
        client.listen()
    if body:
        await send({"type": f"{kind}.body", "body": body, "more_body": True})
    while True:
        piece = await (rest.next() if client is None else client.awaiting(rest.next()))
        if piece is None:
            break
        try:
            await send({"type": f"{kind}.body", "body": piece, "more_body": True})
        except OSError:
            raise _Gone from None
    await send({"type": f"{kind}.body", "body": b""})


async def _refuse(scope: Scope, send: Send, reply: _native.Reply) -> None:
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _answer(send, "websocket.http.response", reply)
    else:
        # Servers answer with 403.
        await send({"type": "websocket.close"})


async def _hear(receive: Receive, socket: _native.Socket) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await socket.close(message.get("code") or 1005, message.get("reason") or "")
            return
        text = message.get("text")
        await socket.send(message.get("bytes") or b"" if text is None else text)
