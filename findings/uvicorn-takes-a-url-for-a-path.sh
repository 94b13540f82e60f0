#!/usr/bin/env bash
# uvicorn 0.54.0 over h11 0.16.0 (PyPI): for "GET http://localhost/lists HTTP/1.1", an application's path is "http://localhost/lists", so no route fits.
#
# A client that takes a server for a proxy, as behind some gateways, sends the whole URL as the target. "A server MUST accept the absolute-form in
# requests" (RFC 9112, 3.2.2), and `path` is the target without the query (ASGI, HTTP connection scope), which for a URL means its path (RFC 9112, 3.3).
# With httptools 0.8.0, which uvicorn takes by itself where it is installed, the same request has the path "/lists". So whether such clients are
# answered depends on a package that nothing asks for. What is printed as `raw_path` is that of the scope, too. uvicorn's pull request 3097 was open.
#
# Seen (implementation, path, raw_path, query_string):
#   h11         http://localhost/lists   http://localhost/lists   limit=1
#   httptools   /lists                   /lists                   limit=1
#
# Rollcall takes the path and the host from such a target (adapters/server/targets.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'uvicorn==0.54.0' 'h11==0.16.0' 'httptools==0.8.0' 2>/dev/null
cat >serve.py <<'PYTHON'
import sys
from http.client import HTTPConnection
from socket import create_server
from threading import Thread

import uvicorn

SEEN = []


async def app(scope, receive, send):
    SEEN.append((scope["path"], scope["raw_path"].decode(), scope["query_string"].decode()))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def seen(implementation):
    listening = create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=implementation, lifespan="off", log_level="error"))
    serving = Thread(target=server.run, kwargs={"sockets": [listening]})
    serving.start()
    client = HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=30)
    client.request("GET", "http://localhost/lists?limit=1", headers={"Host": "localhost"})
    assert client.getresponse().status == 204
    client.close()
    server.should_exit = True
    serving.join()
    return SEEN.pop()


found = [(each, *seen(each)) for each in ("h11", "httptools")]
for row in found:
    print("   ".join(row))
whole = "http://localhost/lists"
sys.exit(found != [("h11", whole, whole, "limit=1"), ("httptools", "/lists", "/lists", "limit=1")])
PYTHON
venv/bin/python serve.py
