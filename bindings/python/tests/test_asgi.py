"""The routes as an ASGI application: by its messages, and behind uvicorn."""

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.sync.client import connect

import crm_core
from crm_core.asgi import Application

SOON = 20.0
CSV = [(b"content-type", b"text/csv")]
JSON = [(b"content-type", b"application/json")]


@pytest.fixture
def bearer(crm: crm_core.Crm, session: crm_core.Session) -> str:
    named = ("read", "create", "import", "export")
    scopes = ["events:follow", *(f"contacts:{name}" for name in named)]
    return str(session.api_keys.create("test", "admin", scopes).secret)


class Exchange:
    """One request, by its messages; a message that was sent is taken before the next one is."""

    def __init__(
        self,
        app: Application,
        method: str,
        path: str,
        bearer: str = "",
        headers: list[tuple[bytes, bytes]] | None = None,
        **more: Any,
    ) -> None:
        own = [(b"authorization", f"Bearer {bearer}".encode())] if bearer else []
        self.scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": own + (headers or []),
            "client": ("192.0.2.1", 4711),
            **more,
        }
        self.app = app
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)

    def push(self, piece: bytes, more: bool = False) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator["asyncio.Task[None]"]:
        serving = self.app(self.scope, self.incoming.get, self.sent.put)
        task = asyncio.get_running_loop().create_task(serving)
        yield task
        await asyncio.wait_for(task, SOON)

    async def said(self) -> Any:
        return await asyncio.wait_for(self.sent.get(), SOON)

    async def whole(self) -> tuple[int, dict[bytes, bytes], bytes]:
        async with self.under_way():
            start = await self.said()
            body, more = b"", True
            while more:
                message = await self.said()
                body += message["body"]
                more = message.get("more_body", False)
            return start["status"], dict(start["headers"]), body


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def awaited() -> None:
        await main()

    asyncio.run(awaited())


def test_a_request_is_served_below_its_prefix(crm: crm_core.Crm, bearer: str) -> None:
    async def main() -> None:
        app = crm.asgi()
        making = Exchange(app, "POST", "/crm/contacts", bearer, JSON, root_path="/crm")
        making.push(b'{"first_name":', more=True)
        making.push(b'"Ada"}')
        status, head, made = await making.whole()
        assert status == 201, made
        at = head[b"location"].decode()
        assert at == f"/crm/contacts/{json.loads(made)['id']}"
        for path in (at, at.removeprefix("/crm")):
            status, head, read = await Exchange(app, "GET", path, bearer, root_path="/crm").whole()
            assert (status, json.loads(read)) == (200, json.loads(made))
            assert head[b"content-length"] == str(len(read)).encode()

    run(main)


def test_without_a_raw_path_the_path_is_written_as_in_urls(crm: crm_core.Crm, bearer: str) -> None:
    async def main() -> None:
        path = "/né/contacts"
        exchange = Exchange(crm.asgi(), "GET", path, bearer, root_path="/né", raw_path=None)
        for query, status in ((b"limit=1", 200), (b"limit=0", 400)):
            exchange.scope["query_string"] = query
            assert (await exchange.whole())[0] == status

    run(main)


def test_what_is_no_http_is_refused(crm: crm_core.Crm) -> None:
    async def main() -> None:
        bad = Exchange(crm.asgi(), "GET", "/contacts", headers=[(b"bad name", b"1")])
        status, head, _ = await bad.whole()
        assert (status, head[b"content-type"]) == (400, b"application/problem+json")

    run(main)


def test_callers_are_counted_by_their_address(crm: crm_core.Crm) -> None:
    async def main() -> None:
        app = crm.asgi(per_address="1/1h", trusted_proxies=["192.0.2.1"])

        async def status(headers: list[tuple[bytes, bytes]], **more: Any) -> int:
            return (await Exchange(app, "GET", "/contacts", headers=headers, **more).whole())[0]

        assert [await status([]), await status([])] == [401, 429]
        assert await status([(b"x-forwarded-for", b"198.51.100.7")]) == 401
        assert [await status([], client=None), await status([], client=None)] == [401, 401]

    run(main)


@pytest.mark.parametrize(
    "options", [{"colour": 1}, {"per_caller": "often"}, {"cors_origins": ["app.example"]}]
)
def test_an_option_that_is_wrong_is_named(crm: crm_core.Crm, options: dict[str, Any]) -> None:
    with pytest.raises(crm_core.CrmError) as raised:
        crm.asgi(**options)
    assert [field.field for field in raised.value.fields] == list(options)


def test_an_import_is_read_as_it_comes(crm: crm_core.Crm, bearer: str) -> None:
    async def main() -> None:
        importing = Exchange(crm.asgi(body_limit=100), "POST", "/contacts/import", bearer, CSV)
        importing.push(b"first_name,email\n", more=True)
        async with importing.under_way() as task:
            for number in range(300):
                importing.push(f"Ada{number},ada{number}@example.com\n".encode(), more=True)
            while not importing.incoming.empty():
                await asyncio.sleep(0)
            assert not task.done()
            importing.push(b"")
            assert (await importing.said())["status"] == 200
            assert json.loads((await importing.said())["body"])["created"] == 300

    run(main)


def test_a_client_that_goes_away_ends_its_upload(crm: crm_core.Crm, bearer: str) -> None:
    async def main() -> None:
        cut = Exchange(crm.asgi(), "POST", "/contacts/import", bearer, CSV)
        cut.push(b"first_name\nGrace\n", more=True)
        async with cut.under_way() as task:
            while not cut.incoming.empty():
                await asyncio.sleep(0)
            assert not task.done()
            cut.leave()
        assert cut.sent.empty()

    run(main)


def test_events_come_as_they_happen_until_the_client_goes(
    crm: crm_core.Crm, session: crm_core.Session, bearer: str
) -> None:
    async def main() -> None:
        following = Exchange(crm.asgi(), "GET", "/events", bearer)
        async with following.under_way():
            start = await following.said()
            kind = dict(start["headers"])[b"content-type"]
            assert (start["status"], kind) == (200, b"text/event-stream")
            session.contacts.create(first_name="Ada")
            text = b""
            while b"contact.created" not in text:
                text += (await following.said())["body"]
            following.push(b"")
            following.leave()

    run(main)


def test_a_slow_reader_holds_an_export_up(crm: crm_core.Crm, bearer: str) -> None:
    async def main() -> None:
        app = crm.asgi()
        importing = Exchange(app, "POST", "/contacts/import", bearer, CSV)
        rows = (f"Ada{number},{'x' * 200}\n" for number in range(4000))
        importing.push(("first_name,last_name\n" + "".join(rows)).encode())
        status, _, report = await importing.whole()
        assert (status, json.loads(report)["created"]) == (200, 4000), report
        exporting = Exchange(app, "GET", "/contacts/export?format=csv", bearer)
        exporting.scope["query_string"] = b"format=csv"
        async with exporting.under_way() as task:
            assert (await exporting.said())["status"] == 200
            pieces = [await exporting.said()]
            assert pieces[0]["more_body"] and not task.done()
            while pieces[-1].get("more_body"):
                pieces.append(await exporting.said())
        assert b"".join(piece["body"] for piece in pieces).count(b"\n") == 4001
        assert max(len(piece["body"]) for piece in pieces) < 512 * 1024

    run(main)


def test_closing_ends_streams_and_refuses_what_comes(crm: crm_core.Crm, bearer: str) -> None:
    async def main() -> None:
        app = crm.asgi(worker=True)
        following = Exchange(app, "GET", "/events", bearer)
        async with following.under_way():
            await following.said()
            crm.close()
            while (await following.said()).get("more_body"):
                pass
        assert (await Exchange(app, "GET", "/contacts", bearer).whole())[0] == 503

    run(main)


def test_a_server_tells_its_start_and_its_end(crm: crm_core.Crm) -> None:
    async def main() -> None:
        app = crm.asgi()
        lifespan = Exchange(app, "", "/", type="lifespan")
        async with lifespan.under_way():
            for name in ("startup", "shutdown"):
                lifespan.incoming.put_nowait({"type": f"lifespan.{name}"})
                assert (await lifespan.said())["type"] == f"lifespan.{name}.complete"
        assert (await Exchange(app, "GET", "/health/live").whole())[0] == 503
        crm.check()

    run(main)


@contextmanager
def served(app: Any, **options: Any) -> Iterator[str]:
    """The application mounted at `/crm`, by a server whose address this is."""
    listener = socket.create_server(("127.0.0.1", 0))
    mounted = Starlette(routes=[Mount("/crm", app=app)])
    config = uvicorn.Config(mounted, log_level="warning", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(SOON)
        listener.close()
        assert not thread.is_alive()


@pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto"])
def test_a_websocket_is_served_by_uvicorn(
    crm: crm_core.Crm, session: crm_core.Session, bearer: str, ws: str
) -> None:
    with served(crm.asgi(), ws=ws) as address:
        url, headers = f"ws://{address}/crm/ws", {"authorization": f"Bearer {bearer}"}
        with connect(url, additional_headers=headers) as following:
            position = json.loads(following.recv(SOON))["position"]
            following.send(
                json.dumps({"type": "subscribe", "topics": ["tenant"], "after": position})
            )
            session.contacts.create(first_name="Ada")
            while "contact.created" not in str(following.recv(SOON)):
                pass
            following.send(b"bytes are not read")
            with pytest.raises(Exception) as ended:
                while True:
                    following.recv(SOON)
            assert getattr(ended.value, "rcvd").code == 1003
        with connect(url, additional_headers=headers):
            pass
        with pytest.raises(Exception) as refused:
            connect(url)
        response = getattr(refused.value, "response")
        assert response.status_code == 401
        assert json.loads(response.body)["code"] == "unauthenticated"


def test_a_request_is_served_by_uvicorn(crm: crm_core.Crm, bearer: str) -> None:
    with served(crm.asgi()) as address:
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        body = json.dumps({"first_name": "Ada"}).encode()
        request = urllib.request.Request(f"http://{address}/crm/contacts", body, headers)
        with urllib.request.urlopen(request, timeout=SOON) as made:
            at = made.headers["location"]
        assert at.startswith("/crm/contacts/")
        request = urllib.request.Request(f"http://{address}{at}", headers=headers)
        with urllib.request.urlopen(request, timeout=SOON) as read:
            assert json.load(read)["first_name"] == "Ada"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{address}/crm/contacts", timeout=SOON)
        assert refused.value.code == 401
