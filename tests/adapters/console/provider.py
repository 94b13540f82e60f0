"""A real identity provider (`oidc-provider-mock`) in a process of its own, which can be told to lie.

Run as a program it is that provider: `python -m tests.adapters.console.provider` prints where it listens. Beside what
the package does, it insists on PKCE, and signs what a test has it claim.
"""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, extract_compact
from joserfc.registry import HeaderParameter
from msgspec import json
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from joserfc.jwk import Key

ROOT = Path(__file__).parents[3]
HEADERS = JWSRegistry(
    {"client_id": HeaderParameter("A member of this provider's own", "str")},
    algorithms=["RS256", "ES256", "EdDSA", "Ed25519"],
)


@dataclass(frozen=True)
class Provider:
    """A provider that runs: where it is, and how it is told what to do."""

    url: str

    def knows(self, subject: str, **claims: object) -> None:
        """Have it know somebody."""
        httpx.put(f"{self.url}/users/{subject}", json=claims).raise_for_status()

    def lies(
        self,
        *,
        key: str = "new",
        alg: str = "RS256",
        beside: Sequence[object] = (),
        header: Mapping[str, object] | None = None,
        lifetime: int = 3_600,
        **claims: object,
    ) -> None:
        """Have it change the claims of each ID token (None leaves one out), and sign it with another key and header.

        The access token beside it says that it expires after `lifetime` seconds.

        A `new` key is published, a `stranger`'s is not; one that is `sent` along is in the token's own header. Keys on
        curves are made anew each time. What is `beside` them stands before them in the published key set.
        """
        signing = {"key": key, "alg": alg, "beside": beside, "header": header or {}}
        lie = {**signing, "lifetime": lifetime, "claims": claims}
        httpx.put(f"{self.url}/lie", json=lie).raise_for_status()

    def published(self) -> list[dict[str, str]]:
        """Return the keys that it publishes."""
        keys: list[dict[str, str]] = httpx.get(f"{self.url}/jwks").json()["keys"]
        return keys

    def signs_userinfo(self, key: str = "new", **claims: object) -> None:
        """Have it answer at the userinfo endpoint with a signed JWT (section 5.3.2), with these claims changed.

        The key is one of those of `lies`, which has to be called before.
        """
        httpx.put(f"{self.url}/signed-userinfo", json={"key": key, "claims": claims}).raise_for_status()

    def publishes(self, status: int = 200, **metadata: object) -> None:
        """Have it answer with this status when it is asked about itself, and change what it says there."""
        httpx.put(f"{self.url}/about", json={"status": status, "metadata": metadata}).raise_for_status()

    def insists_on(self, secret: str) -> None:
        """Have it refuse clients that don't send this secret in the `Authorization` header (RFC 6749, 2.3.1)."""
        httpx.put(f"{self.url}/secret", json=secret).raise_for_status()

    def tells_the_truth(self) -> None:
        """Have it be what it is."""
        httpx.put(f"{self.url}/lie", json={}).raise_for_status()
        httpx.put(f"{self.url}/signed-userinfo", json={}).raise_for_status()
        httpx.put(f"{self.url}/about", json={"status": 200, "metadata": {}}).raise_for_status()
        httpx.put(f"{self.url}/secret", json="").raise_for_status()

    def told_last(self) -> dict[str, str]:
        """Return the tokens that it gave out last."""
        told: dict[str, str] = httpx.get(f"{self.url}/told").json()
        return told

    def agrees(self, url: str, subject: str) -> str:
        """Log somebody in there who came from an address of ours, and return where it sends them back to."""
        answer = httpx.post(url, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def denies(self, url: str) -> str:
        """Press “Deny” there, and return where it sends people back to."""
        return str(httpx.post(url, data={"action": "deny"}).headers["location"])


@contextmanager
def provided() -> Iterator[Provider]:
    """Run a provider while the block runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.console.provider"],
        cwd=ROOT,
        env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield Provider(process.stdout.readline().strip())
        finally:
            process.terminate()
            process.wait(GENEROUS_SECONDS)


class Lying:
    """The provider, and what comes between it and who asks it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lie: dict[str, Any] = {}
        self._signed_userinfo: dict[str, Any] = {}
        self._about: dict[str, Any] = {"status": 200, "metadata": {}}
        self._secret = ""
        self._challenge = ""
        self._told: dict[str, Any] = {}
        self._new, self._stranger = (RSAKey.generate_key(2048, auto_kid=True) for _ in range(2))
        self._on_curves: dict[str, Key] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        match urlsplit(request.path).path:
            case "/lie":
                self._lie = json.decode(request.get_data())
                edwards = OKPKey.generate_key("Ed25519", auto_kid=True)
                ec = ECKey.generate_key("P-256", auto_kid=True)
                self._on_curves = {"ES256": ec, "EdDSA": edwards, "Ed25519": edwards}
                return Response(status=204)(environ, start_response)
            case "/signed-userinfo":
                self._signed_userinfo = json.decode(request.get_data())
                return Response(status=204)(environ, start_response)
            case "/userinfo" if self._signed_userinfo:
                return self._userinfo(request)(environ, start_response)
            case "/about":
                self._about = json.decode(request.get_data())
                return Response(status=204)(environ, start_response)
            case "/secret":
                self._secret = json.decode(request.get_data())
                return Response(status=204)(environ, start_response)
            case "/.well-known/openid-configuration":
                told = json.decode(Response.from_app(self._app, environ).get_data()) | self._about["metadata"]
                return Response(json.encode(told), status=self._about["status"])(environ, start_response)
            case "/told":
                return Response(json.encode(self._told))(environ, start_response)
            case "/oauth2/authorize":
                self._challenge = request.args["code_challenge"]
                assert request.args["code_challenge_method"] == "S256"
            case "/jwks":
                told = json.decode(Response.from_app(self._app, environ).get_data())
                if self._lie:
                    published = [self._new, *self._on_curves.values()]
                    told["keys"] = [
                        *self._lie["beside"],
                        *told["keys"],
                        *(key.as_dict(private=False) for key in published),
                    ]
                return Response(json.encode(told))(environ, start_response)
            case "/oauth2/token":
                return self._token(request)(environ, start_response)
        found: Iterable[bytes] = self._app(environ, start_response)
        return found

    def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.get_data(cache=True).decode()).items()}
        if _s256(form.get("code_verifier", "")) != self._challenge:
            return Response(json.encode({"error": "invalid_grant"}), status=400)
        if self._secret and (request.authorization is None or self._secret != _decoded(request.authorization.password)):
            return Response(json.encode({"error": "invalid_client"}), status=401)
        client = httpx.WSGITransport(self._app)
        with httpx.Client(transport=client, base_url=request.host_url) as inner:
            answer = inner.post(
                "/oauth2/token", content=request.get_data(), headers=dict(request.headers), timeout=GENEROUS_SECONDS
            )
        told = answer.json()
        if self._lie and "id_token" in told:
            told |= {"id_token": self._signed(told["id_token"]), "expires_in": self._lie["lifetime"]}
        self._told = told
        return Response(json.encode(told), status=answer.status_code)

    def _userinfo(self, request: Request) -> Response:
        told = json.decode(Response.from_app(self._app, request.environ).get_data())
        claims = {"iss": request.host_url.rstrip("/"), "aud": "rollcall"} | told | self._signed_userinfo["claims"]
        key = self._new if self._signed_userinfo["key"] == "new" else self._stranger
        signed = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
        return Response(signed, content_type="application/jwt; charset=utf-8")

    def _signed(self, id_token: str) -> str:
        claims = json.decode(extract_compact(id_token.encode()).payload) | self._lie["claims"]
        claims = {name: value for name, value in claims.items() if value is not None}
        alg = self._lie["alg"]
        key = self._on_curves.get(alg, self._new) if self._lie["key"] == "new" else self._stranger
        header = {"alg": alg, "kid": key.kid} | self._lie["header"]
        if self._lie["key"] == "sent":
            header["jwk"] = key.as_dict(private=False)
        signed = f"{_base64(json.encode(header))}.{_base64(json.encode(claims))}"
        match header["alg"]:
            case "none":
                return f"{signed}."
            case "HS256":  # by what everybody knows: the public key
                return f"{signed}.{_base64(digest(self._new.as_pem(private=False), signed.encode(), 'sha256'))}"
            case _:
                return jwt.encode(header, claims, key, registry=HEADERS)


def _decoded(secret: str | None) -> str:
    return unquote_plus(secret or "")


def _s256(verifier: str) -> str:
    return _base64(sha256(verifier.encode()).digest())


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def main() -> None:
    """Provide until SIGTERM."""
    from oidc_provider_mock import app  # it warns of its own doing when it is loaded

    server = make_server("127.0.0.1", 0, Lying(app(issue_refresh_token=False)), threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - read
    server.serve_forever()


if __name__ == "__main__":
    main()
