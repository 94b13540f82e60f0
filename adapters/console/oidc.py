"""The OpenID Connect provider that people sign in with (authorization code flow; PKCE, RFC 7636).

Its responses are validated as OpenID Connect Core 1.0, section 3.1.3.7, and Discovery 1.0 require.
"""

from __future__ import annotations

import warnings
from base64 import b64encode
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import httpx2
import msgspec
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from adapters.console.oidc_claims import (
    CLOCK_SKEW_SECONDS,
    SignInRefused,
    account_of,
    check_recent,
    person_of,
    says_too_little,
    with_userinfo,
)
from adapters.console.oidc_discovery import (
    TIMEOUT_SECONDS,
    IssuerWrong,
    Metadata,
    ProviderUnsuitable,
    keys_of,
    metadata_of,
)
from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from authlib.oauth2.auth import ClientAuth
    from joserfc.jwk import GuestProtocol

    from adapters.settings import Oidc
    from application.granting import Person
    from domain.identity import Account

log = structlog.get_logger(__name__)
# Providers still use the old name, and a warning would be a line of the log that isn't JSON.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)

METADATA_SECONDS = 3_600.0
REAUTHENTICATE = {"prompt": "login", "max_age": "0"}  # OpenID Connect Core 1.0, section 3.1.2.1
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
    *("Ed25519", "EdDSA"),  # RFC 9864 names the curve; before, all had one name
)
"""How an ID token may be signed: with a key that only the provider has, so not `none`, HS256 or similar."""


class TokenHeaders(JWSRegistry):
    """The headers of tokens that are accepted: with members that we don't know (RFC 7515, section 4), and certificates.

    By itself, joserfc refuses a header with an unknown member, or of more than 512 bytes.
    """

    max_header_length = 64 * 1024


HEADERS = TokenHeaders(algorithms=ALGORITHMS, strict_check_header=False)

# The errors of RFC 6749, sections 4.1.2.1 and 5.2, that stay however often somebody starts again, and those that pass.
OUR_REQUEST = (
    *("invalid_request", "invalid_client", "unauthorized_client", "invalid_scope"),
    *("unsupported_response_type", "unsupported_grant_type"),
)
PROVIDER_AWAY = ("server_error", "temporarily_unavailable")
BROKEN = (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError, ValueError, KeyError)


class ProviderUnavailable(RollcallError):
    """The identity provider isn’t responding as it should. Try again in a moment."""

    code = "provider-away"


def refusal(error: str | None, otherwise: str) -> RollcallError:
    """Return what people are told when the provider answers with this error; `otherwise` if it says nothing certain."""
    if error in PROVIDER_AWAY:
        return ProviderUnavailable()
    if error in OUR_REQUEST:
        return SignInRefused(
            reason="the identity provider doesn’t accept Rollcall’s request. Ask your Rollcall operator to compare how "
            "Rollcall is registered there with its settings. Rollcall’s log has what the provider says."
        )
    return SignInRefused(reason=otherwise)


class PendingSignIn(msgspec.Struct, frozen=True):
    """A sign-in that waits for the provider. `wanted` is the path to redirect to afterwards.

    `again` has the provider ask people to sign in even if they already are signed in there.
    """

    redirect_uri: str
    nonce: str
    verifier: str
    wanted: str
    again: bool = False


class Provider:
    """A provider. Its metadata and keys are cached; if a token has an unknown key, the keys are fetched again."""

    def __init__(self, oidc: Oidc) -> None:
        self._oidc = oidc
        self._tls = httpx2.create_ssl_context()  # reading the certificates takes a tenth of a second
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: KeySet | None = None

    async def authorization_url(self, pending: PendingSignIn, state: str) -> str:
        """Return the address that starts a sign-in at the provider; raises ProviderUnavailable."""
        with _provider_errors():
            metadata = await self._discovered()
            async with self._client(metadata, pending) as client:
                url, _ = client.create_authorization_url(
                    metadata.authorization_endpoint,
                    state=state,
                    nonce=pending.nonce,
                    code_verifier=pending.verifier,
                    **(REAUTHENTICATE if pending.again else {}),
                )
        return str(url)

    async def identify(self, pending: PendingSignIn, code: str, issuer: str | None) -> tuple[Person, Account]:
        """Return the person that the provider vouches for, and their account there.

        `issuer` is the provider that the browser was redirected from, so that no other provider can inject its code
        (RFC 9207). Raises SignInRefused and ProviderUnavailable.
        """
        with _provider_errors():
            metadata = await self._discovered()
            if issuer != metadata.issuer and (issuer or metadata.authorization_response_iss_parameter_supported):
                raise SignInRefused(reason="the response came from another identity provider. Start again.")
            async with self._client(metadata, pending) as client:
                token: dict[str, Any] = await client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=pending.verifier,
                )
                claims = await self._validated(metadata, str(token.get("id_token")), pending.nonce)
                if says_too_little(claims) and metadata.userinfo_endpoint:
                    userinfo = await self._userinfo(client, metadata, metadata.userinfo_endpoint)
                    claims = with_userinfo(claims, userinfo)
        if pending.again:
            check_recent(claims.get("auth_time"))
        return person_of(claims, self._oidc.private_domains, trust_email=self._oidc.trust_email), account_of(claims)

    def _client(self, metadata: Metadata, pending: PendingSignIn) -> AsyncOAuth2Client:
        ways = metadata.token_endpoint_auth_methods_supported
        by_form = "client_secret_basic" not in ways and "client_secret_post" in ways
        secret = self._oidc.client_secret
        way = "none" if secret is None else "client_secret_post" if by_form else _form_encoded_basic
        return AsyncOAuth2Client(
            self._oidc.client_id,
            secret,
            token_endpoint_auth_method=way,
            scope="openid email profile",
            redirect_uri=pending.redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
            verify=self._tls,
        )

    async def _discovered(self) -> Metadata:
        now = monotonic()
        if self._metadata is None or now - self._metadata[0] > METADATA_SECONDS:
            self._metadata = (now, await metadata_of(self._oidc.issuer, self._tls))
        return self._metadata[1]

    async def _validated(self, metadata: Metadata, id_token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token; raises JoseError if it isn't valid, the provider's, or for this sign-in."""
        claims = await self._signed(metadata, id_token)
        ours = self._oidc.client_id
        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": metadata.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": ours},
            azp={"value": ours},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        registry.validate(claims)
        if claims["aud"] not in (ours, [ours]):  # we trust no other audience
            raise SignInRefused(reason="the identity provider’s token isn’t for Rollcall only.")
        return claims

    async def _userinfo(self, client: AsyncOAuth2Client, metadata: Metadata, url: str) -> dict[str, Any]:
        """Return what the provider says about the person apart from the ID token, as JSON or signed (section 5.3.2).

        Raises JoseError if a signature isn't the provider's, or what is signed is for somebody else.
        """
        answer = await client.get(url, auth=client.token_auth)  # or Authlib refuses a token that lasts a minute or less
        answer.raise_for_status()
        if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/jwt":
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        claims = await self._signed(metadata, answer.text)
        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCK_SKEW_SECONDS, iss={"value": metadata.issuer}, aud={"value": self._oidc.client_id}
        )
        registry.validate(claims)
        return claims

    async def _signed(self, metadata: Metadata, token: str) -> dict[str, Any]:
        """Return the claims that the provider has signed; raises JoseError if it hasn't."""
        if self._keys is None:
            self._keys = await keys_of(metadata, self._tls)
        try:
            return _decoded(token, self._keys)
        except InvalidKeyIdError:
            self._keys = await keys_of(metadata, self._tls)
            return _decoded(token, self._keys)


def _decoded(token: str, keys: KeySet) -> dict[str, Any]:
    """Return the claims of a token that is signed with one of these keys.

    Keys of several types may share an id (RFC 7517, section 4.5), and joserfc would try the first one only.
    """

    def of_its_type(signed: GuestProtocol) -> KeySet:
        types = KeySet.algorithm_keys[signed.headers()["alg"]]
        return KeySet([key for key in keys if key.key_type in types])

    return jwt.decode(token, of_its_type, registry=HEADERS).claims


def _form_encoded_basic(
    client: ClientAuth, _: str, url: str, headers: MutableMapping[str, str], body: bytes
) -> tuple[str, MutableMapping[str, str], bytes]:
    """Authenticate as RFC 6749 has it (section 2.3.1). Authlib sends a secret with `+` or `%` as it is."""
    encoded = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {b64encode(encoded.encode()).decode()}"
    return url, headers, body


@contextmanager
def _provider_errors() -> Iterator[None]:
    """Turn the provider's errors into ours, which say no secrets to people, and write the originals to the log."""
    try:
        yield
    except OAuthError as error:
        log.warning("the identity provider refused a sign-in", error=error.error, description=error.description)
        raise refusal(error.error, "the identity provider didn’t confirm the sign-in. Start again.") from error
    except JoseError as error:
        log.warning("a token of the identity provider is invalid", error=repr(error))
        raise SignInRefused(reason="the identity provider’s response can’t be trusted. Start again.") from error
    except (*BROKEN, IssuerWrong, ProviderUnsuitable) as error:
        log.error("the identity provider did not respond as it should", error=repr(error))  # noqa: TRY400 - the traceback may contain secrets
        raise ProviderUnavailable from error
