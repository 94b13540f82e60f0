"""The OpenID Connect provider that people sign in with (authorization code flow; PKCE, RFC 7636).

Its responses are validated as OpenID Connect Core 1.0, section 3.1.3.7, and Discovery 1.0 require.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from application.granting import Person
from domain.errors import EmailInvalid, RollcallError
from domain.identity import Account
from domain.naming import parse_email

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.settings import Oidc

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
METADATA_SECONDS = 3_600.0
CLOCK_SKEW_SECONDS = 60
REAUTHENTICATE = {"prompt": "login", "max_age": "0"}  # OpenID Connect Core 1.0, section 3.1.2.1
REAUTHENTICATED_WITHIN_SECONDS = 600
LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""How an ID token may be signed: with a key that only the provider has, so not `none`, HS256 or similar."""


class SignInRefused(RollcallError):
    """You aren’t signed in: {reason}"""

    code = "sign-in-refused"


class ProviderUnavailable(RollcallError):
    """The identity provider isn’t responding as it should. Try again in a moment."""

    code = "provider-away"


class Metadata(msgspec.Struct, frozen=True):
    """What a provider publishes about itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


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
                if "email" not in claims and metadata.userinfo_endpoint:
                    claims |= await _userinfo(client, metadata.userinfo_endpoint, claims["sub"])
        if pending.again:
            _check_recent(claims.get("auth_time"))
        return _person(claims), _account(claims)

    def _client(self, metadata: Metadata, pending: PendingSignIn) -> AsyncOAuth2Client:
        ways = metadata.token_endpoint_auth_methods_supported
        by_form = "client_secret_basic" not in ways and "client_secret_post" in ways
        secret = self._oidc.client_secret
        way = "none" if secret is None else "client_secret_post" if by_form else "client_secret_basic"
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
            issuer = self._oidc.issuer
            content = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            metadata = msgspec.json.decode(content, type=Metadata)
            if metadata.issuer != issuer:
                raise ValueError(f"the provider at {issuer} says it is {metadata.issuer}")
            self._metadata = (now, metadata)
        return self._metadata[1]

    async def _validated(self, metadata: Metadata, id_token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token; raises JoseError if it isn't valid, the provider's, or for this sign-in."""
        if self._keys is None:
            self._keys = await self._keys_at(metadata.jwks_uri)
        try:
            token = jwt.decode(id_token, self._keys, list(ALGORITHMS))
        except InvalidKeyIdError:
            self._keys = await self._keys_at(metadata.jwks_uri)
            token = jwt.decode(id_token, self._keys, list(ALGORITHMS))
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
        registry.validate(token.claims)
        if token.claims["aud"] not in (ours, [ours]):  # we trust no other audience
            raise SignInRefused(reason="the identity provider’s token isn’t for Rollcall only.")
        return token.claims

    async def _keys_at(self, url: str) -> KeySet:
        keys = msgspec.json.decode(await self._get(url), type=dict[str, list[dict[str, Any]]])
        return KeySet.import_key_set({"keys": [key for key in keys["keys"] if key.get("use") != "enc"]})

    async def _get(self, url: str) -> bytes:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, verify=self._tls) as client:
            answer = await client.get(url, headers={"Accept": "application/json"})
            answer.raise_for_status()
            return answer.content


def _person(claims: dict[str, Any]) -> Person:
    if claims.get("email_verified") is not True:
        raise SignInRefused(
            reason="the identity provider hasn’t verified your e-mail address. Verify it there, then try again."
        )
    try:
        email = parse_email(str(claims.get("email")))
    except EmailInvalid as error:
        raise SignInRefused(reason=str(error)) from error
    name = claims.get("name")
    return Person(email, name if isinstance(name, str) and name.isprintable() else "")


def _check_recent(auth_time: object) -> None:
    """Refuse a sign-in from before this one. A provider that doesn't say when it was is trusted to have asked again."""
    if auth_time is None:
        return
    if (
        not isinstance(auth_time, int | float)
        or auth_time < time() - REAUTHENTICATED_WITHIN_SECONDS - CLOCK_SKEW_SECONDS
    ):
        raise SignInRefused(
            reason="the identity provider didn’t ask you to sign in again. Sign out there, then start again."
        )


def _account(claims: dict[str, Any]) -> Account:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise SignInRefused(reason="the identity provider’s response doesn’t identify your account.")
    return Account(claims["iss"], subject)


async def _userinfo(client: AsyncOAuth2Client, url: str, subject: str) -> dict[str, Any]:
    """Return what the provider says about the person apart from the ID token (section 5.3.2)."""
    answer = await client.get(url)
    answer.raise_for_status()
    claims = msgspec.json.decode(answer.content, type=dict[str, Any])
    if claims.get("sub") != subject:
        raise SignInRefused(reason="the identity provider’s response is about another account.")
    return {name: claims[name] for name in ("email", "email_verified", "name") if name in claims}


@contextmanager
def _provider_errors() -> Iterator[None]:
    """Turn the provider's errors into ours, which say no secrets to people, and write the originals to the log."""
    try:
        yield
    except OAuthError as error:
        log.warning("the identity provider refused a sign-in", error=error.error, description=error.description)
        raise SignInRefused(reason="the identity provider didn’t confirm the sign-in. Start again.") from error
    except JoseError as error:
        log.warning("an ID token is invalid", error=repr(error))
        raise SignInRefused(reason="the identity provider’s response can’t be trusted. Start again.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError, ValueError, KeyError) as error:
        log.error("the identity provider did not respond as it should", error=repr(error))  # noqa: TRY400 - the traceback may contain secrets
        raise ProviderUnavailable from error
