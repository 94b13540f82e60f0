"""What an identity provider publishes: its metadata (OpenID Connect Discovery 1.0) and its keys (RFC 7517)."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from domain.errors import RollcallError

if TYPE_CHECKING:
    from ssl import SSLContext

    from joserfc.jwk import Key

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
START_SECONDS = 5.0
NOBODY_THERE = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)  # 400 is Entra's for an unknown tenant


class ProviderUnsuitable(RollcallError):
    """The identity provider at {issuer} requires pushed authorization requests (RFC 9126), which Rollcall doesn't send.

    Turn that requirement off at the provider.
    """

    code = "provider-unsuitable"


class IssuerWrong(RollcallError):
    """The identity provider at {issuer} says it is {actual}.

    Set ROLLCALL_OIDC_ISSUER to the issuer exactly as the provider states it. With Microsoft Entra, use your tenant's.
    """

    code = "issuer-wrong"


class NoProvider(IssuerWrong):
    """There is no identity provider at {issuer} ({status}). Check ROLLCALL_OIDC_ISSUER."""


class ProxyUnusable(RollcallError):
    """The identity provider can't be reached through a SOCKS proxy, which the environment names (such as ALL_PROXY).

    Name an HTTP proxy instead (HTTPS_PROXY), unset the variable, or install the Python package “socksio” where Rollcall
    is.
    """

    code = "proxy-unusable"


class Metadata(msgspec.Struct, frozen=True):
    """What a provider publishes about itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    require_pushed_authorization_requests: bool = False


class Published(msgspec.Struct, frozen=True):
    """The keys that a provider publishes, each as a JSON Web Key."""

    keys: list[dict[str, Any]]


async def metadata_of(issuer: str, tls: SSLContext) -> Metadata:
    """Return a provider's metadata.

    Raises IssuerWrong and ProviderUnsuitable if nobody will ever sign in with it; and httpx2.HTTPError,
    httpx2.InvalidURL and MsgspecError if it doesn't respond as it should.
    """
    try:
        content = await _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", tls)
    except httpx2.HTTPStatusError as error:
        if (status := error.response.status_code) in NOBODY_THERE:
            raise NoProvider(issuer=issuer, status=status) from error
        raise
    metadata = msgspec.json.decode(content, type=Metadata)
    if metadata.issuer != issuer:
        raise IssuerWrong(issuer=issuer, actual=metadata.issuer)
    if metadata.require_pushed_authorization_requests:
        raise ProviderUnsuitable(issuer=issuer)
    return metadata


async def keys_of(metadata: Metadata, tls: SSLContext) -> KeySet:
    """Return the keys that a provider signs with; raises as `metadata_of` does."""
    published = msgspec.json.decode(await _get(metadata.jwks_uri, tls), type=Published)
    signing = [key for key in published.keys if key.get("use") != "enc"]
    return KeySet([key for each in signing if (key := _imported(each))])


def _imported(published: dict[str, Any]) -> Key | None:
    """Return a key, or None if we can't use it: nothing that it signs will be accepted (RFC 7517, section 5)."""
    try:
        return JWKRegistry.import_key(published)
    except (JoseError, KeyError, TypeError, ValueError) as error:
        log.info("a key of the identity provider can't be used", kid=published.get("kid"), error=repr(error))
        return None


def check_provider(issuer: str) -> None:
    """Refuse a provider that nobody will ever sign in with; raises IssuerWrong, ProviderUnsuitable and ProxyUnusable.

    One that doesn't respond may do so later. Until then, the server does everything else.
    """

    async def look() -> None:
        async with asyncio.timeout(START_SECONDS):
            await metadata_of(issuer, httpx2.create_ssl_context())

    try:
        asyncio.run(look())
    except ImportError as error:  # httpx2 makes the transports of all proxies at once, so NO_PROXY doesn't help
        raise ProxyUnusable from error
    except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError, TimeoutError, ValueError) as error:
        log.warning(
            "the identity provider can't be used yet",
            issuer=issuer,
            error=repr(error),
        )


async def _get(url: str, tls: SSLContext) -> bytes:
    async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, verify=tls) as client:
        answer = await client.get(url, headers={"Accept": "application/json"})
        answer.raise_for_status()
        return answer.content
