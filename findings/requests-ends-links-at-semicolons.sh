#!/usr/bin/env bash
# requests 2.34.2 and httpx 0.28.1 (PyPI): who pages through a search for "Sales;Support" by response.links gets the pages of another search, without a word.
#
# In a Link header, the address stands between < and >, and is any URI reference (RFC 8288, section 3), whose query may have semicolons and commas (RFC 3986,
# 3.4 and 2.2). Both libraries end the address at its first semicolon. What is left is an address, too, so nothing fails: of "</groups?q=Sales;Support&after=2>;
# rel="next"" they make "/groups?q=Sales", which is the first page of another search, and goes on from there. They split at a comma only before a "<".
# got 14.6.6 (npm) throws in got.paginate at either. aiohttp 3.14.5, and npm's http-link-header 1.1.4 and parse-link-header 2.0.0, read all of it.
# Known to the projects (requests' pull request 5464 has been open since 2020; got's issue 1817 was closed because "; is forbidden"), and so nevertheless.
#
# Seen (four groups, of which two belong to the search, and one is on each page; what each client collects by following rel="next"):
#                    q=Sales;Support    q=Sales%3BSupport     q=Sales,Support
#   requests         1 3 4              1 2                   1 2
#   httpx            1 3 4              1 2                   1 2
#   got.paginate     Error              1 2                   Error
#   aiohttp          1 2                1 2                   1 2
#
# Rollcall percent-encodes semicolons and commas in the addresses of its Link headers (adapters/http/paging.py, adapters/http/requests.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'requests==2.34.2' 'httpx==0.28.1' 'aiohttp==3.14.5' 2>/dev/null
npm install --silent --no-audit --no-fund 'got@14.6.6' >/dev/null 2>&1
cat >pages.mjs <<'JAVASCRIPT'
import got from "got";
try {
  console.log(...(await got.paginate.all(process.argv[2])));
} catch (error) {
  console.log("Error");
}
JAVASCRIPT
venv/bin/python - <<'PYTHON'
import asyncio
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from threading import Thread
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import aiohttp
import httpx
import requests

FOUND = {"Sales;Support": [1, 2], "Sales,Support": [1, 2], "Sales": [3, 4]}


class Handler(BaseHTTPRequestHandler):
    """Pages of one row each, whose links have the query as it was sent."""

    def do_GET(self):
        given = parse_qs(urlsplit(self.path).query, separator="&")
        rows, after = FOUND[given["q"][0]], int(given.get("after", ["0"])[0])
        body = dumps(rows[after : after + 1]).encode()
        self.send_response(200)
        if after + 1 < len(rows):
            self.send_header("Link", f'<{self.path.partition("&")[0]}&after={after + 1}>; rel="next"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def pages(url, get):
    rows = []
    while url:
        answer = get(url)
        rows += answer.json()
        following = answer.links.get("next")
        url = following and urljoin(url, following["url"])
    return " ".join(map(str, rows))


async def by_aiohttp(url):
    rows = []
    async with aiohttp.ClientSession() as session:
        while url:
            async with session.get(url) as answer:
                rows += await answer.json()
                url = answer.links["next"]["url"] if "next" in answer.links else None
    return " ".join(map(str, rows))


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
clients = {
    "requests": lambda url: pages(url, requests.get),
    "httpx": lambda url: pages(url, httpx.get),
    "got.paginate": lambda url: subprocess.run(["node", "pages.mjs", url], capture_output=True, text=True).stdout.strip(),
    "aiohttp": lambda url: asyncio.run(by_aiohttp(url)),
}
seen = {}
for name, client in clients.items():
    seen[name] = [client(f"http://127.0.0.1:{server.server_port}/groups?q={q}") for q in ("Sales;Support", "Sales%3BSupport", "Sales,Support")]
    print(name, *seen[name], sep="\t")
expected = {
    "requests": ["1 3 4", "1 2", "1 2"],
    "httpx": ["1 3 4", "1 2", "1 2"],
    "got.paginate": ["Error", "1 2", "Error"],
    "aiohttp": ["1 2", "1 2", "1 2"],
}
sys.exit(None if seen == expected else "One of the clients behaves otherwise now.")
PYTHON
