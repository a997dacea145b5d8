"""Serves the CRM mounted at `/crm`, as crm-http/tests/http/host.rs asks a host to."""

import json
import os
import socket
import sys
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

import crm_core


def main() -> None:
    options = json.loads(sys.argv[1])
    http = options.pop("http")
    with crm_core.Crm.open(**options) as crm:
        app = Starlette(routes=[Mount("/crm", app=crm.asgi(**http))])
        server = uvicorn.Server(
            uvicorn.Config(
                app, log_level="warning", proxy_headers=False, timeout_graceful_shutdown=1
            )
        )

        def end() -> None:
            sys.stdin.buffer.read()
            server.should_exit = True

        threading.Thread(target=end, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(f"http://127.0.0.1:{listener.getsockname()[1]}/crm", flush=True)
            server.run(sockets=[listener])


if __name__ == "__main__":
    main()
    # A host that was told to end does not wait for its readers of standard input.
    sys.stdout.flush()
    os._exit(0)
