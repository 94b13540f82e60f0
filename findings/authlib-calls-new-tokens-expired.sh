#!/usr/bin/env bash
# authlib 1.9.9 over httpx2 2.16.2 (PyPI): a token that is valid for a minute has expired when it arrives, and one that is valid for no time at all hasn't.
#
# `expires_in` is how many seconds an access token lasts from the answer on, any number of them, and a refresh token needn't come with it (RFC 6749, 5.1).
# Keycloak gives tokens of 60 seconds in its realm "master" (ApplianceBootstrap.java). Authlib's clients take a token for expired 60 seconds early, so
# that it is renewed in time, as the documentation of `leeway` says. So a new token of 60 seconds is never sent: the request after fetch_token raises
# InvalidTokenError, whose text ("token_invalid") sounds as if the provider had refused it. With a refresh token, each request is preceded by one for
# another token, which has expired again. And 0, the only lifetime that is over, counts as no limit. requests-oauthlib 2.0.0 sends a token of 60 seconds.
#
# Seen (what a provider was asked when a client fetched a token and asked for userinfo twice):
#   120, or 0           token, userinfo, userinfo
#   60                  token; then InvalidTokenError
#   60, and a refresh   token, refresh, userinfo, refresh, userinfo
#
# Rollcall sends its token without Authlib's check, because it uses it once and at once (adapters/console/oidc.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'authlib==1.9.9' 'httpx2==2.16.2' 'requests-oauthlib==2.0.0' 2>/dev/null
cat >client.py <<'PYTHON'
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from json import dumps
from threading import Thread
from urllib.parse import parse_qs

from authlib.integrations.base_client import InvalidTokenError
from authlib.integrations.httpx_client import OAuth2Client
from requests_oauthlib import OAuth2Session


class Provider(BaseHTTPRequestHandler):
    token, asked = {}, []

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.asked.append("refresh" if form["grant_type"] == ["refresh_token"] else "token")
        self.answer(self.token)

    def do_GET(self):
        self.asked.append("userinfo")
        self.answer({"sub": "ann"})

    def answer(self, document):
        content = dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Provider)
Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_authlib():
    with OAuth2Client("client", "secret", token_endpoint=f"{url}/token", trust_env=False) as client:
        client.fetch_token(grant_type="authorization_code", code="code")
        for _ in range(2):
            client.get(f"{url}/userinfo")


def by_requests_oauthlib():
    client = OAuth2Session("client")
    client.trust_env = False
    client.fetch_token(f"{url}/token", code="code", client_secret="secret")
    for _ in range(2):
        client.get(f"{url}/userinfo")


def outcome(use, seconds, **more):
    Provider.token, Provider.asked = {"access_token": "a", "token_type": "Bearer", "expires_in": seconds, **more}, []
    try:
        use()
    except InvalidTokenError as error:
        return [*Provider.asked, f"InvalidTokenError: {error}"]
    return Provider.asked


seen = {
    "120": outcome(by_authlib, 120),
    "60": outcome(by_authlib, 60),
    "60, and a refresh": outcome(by_authlib, 60, refresh_token="r"),
    "0": outcome(by_authlib, 0),
    "60, requests-oauthlib": outcome(by_requests_oauthlib, 60),
}
for how, asked in seen.items():
    print(f"{how}: {', '.join(asked)}")
answered = ["token", "userinfo", "userinfo"]
expected = {
    "120": answered,
    "60": ["token", "InvalidTokenError: token_invalid: "],
    "60, and a refresh": ["token", "refresh", "userinfo", "refresh", "userinfo"],
    "0": answered,
    "60, requests-oauthlib": answered,
}
sys.exit(0 if seen == expected else "authlib behaves otherwise now")
PYTHON
OAUTHLIB_INSECURE_TRANSPORT=1 venv/bin/python -W ignore client.py
