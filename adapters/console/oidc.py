"""The OpenID Connect provider by which people sign in (authorization code flow; PKCE, RFC 7636).

What it says is believed only as far as it proves it: OpenID Connect Core 1.0, section 3.1.3.7, and Discovery 1.0.
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
DISCOVERED_FOR_SECONDS = 3_600.0
CLOCKS_APART_SECONDS = 60
AGAIN = {"prompt": "login", "max_age": "0"}  # OpenID Connect Core 1.0, section 3.1.2.1
AGAIN_WITHIN_SECONDS = 600
LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""How an ID token may be signed: by a key that the provider alone has, so neither `none` nor HS256 and its like."""


class SignInRefused(RollcallError):
    """You are not signed in: {reason}"""

    code = "sign-in-refused"


class ProviderAway(RollcallError):
    """The identity provider did not answer as it should. Try again in a moment."""

    code = "provider-away"


class Metadata(msgspec.Struct, frozen=True):
    """What a provider tells about itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Begun(msgspec.Struct, frozen=True):
    """A sign-in that waits for the provider's answer; `wanted` is the path to go to then.

    `again` if the provider is to ask who it is, even whoever is signed in there.
    """

    redirect_uri: str
    nonce: str
    verifier: str
    wanted: str
    again: bool = False


class Provider:
    """One provider. Its description and its keys are kept for a while; unknown keys are looked up anew."""

    def __init__(self, oidc: Oidc) -> None:
        self._oidc = oidc
        self._tls = httpx2.create_ssl_context()  # once: to read the certificates takes a tenth of a second
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: KeySet | None = None

    async def authorization_url(self, begun: Begun, state: str) -> str:
        """Return where to send a browser that wants to sign in; raises ProviderAway."""
        with _told():
            metadata = await self._discovered()
            async with self._client(metadata, begun) as client:
                url, _ = client.create_authorization_url(
                    metadata.authorization_endpoint,
                    state=state,
                    nonce=begun.nonce,
                    code_verifier=begun.verifier,
                    **(AGAIN if begun.again else {}),
                )
        return str(url)

    async def vouched_for(self, begun: Begun, code: str, issuer: str | None) -> tuple[Person, Account]:
        """Return whom the provider vouches for, and by which account; raises SignInRefused and ProviderAway.

        `issuer` is who the browser says has sent it back, so that no other provider can slip in its code (RFC 9207).
        """
        with _told():
            metadata = await self._discovered()
            if issuer != metadata.issuer and (issuer or metadata.authorization_response_iss_parameter_supported):
                raise SignInRefused(reason="the answer came from another identity provider. Begin again.")
            async with self._client(metadata, begun) as client:
                token: dict[str, Any] = await client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=begun.verifier,
                )
                claims = await self._validated(metadata, str(token.get("id_token")), begun.nonce)
                if "email" not in claims and metadata.userinfo_endpoint:
                    claims |= await _userinfo(client, metadata.userinfo_endpoint, claims["sub"])
        if begun.again:
            _check_recent(claims.get("auth_time"))
        return _person(claims), _account(claims)

    def _client(self, metadata: Metadata, begun: Begun) -> AsyncOAuth2Client:
        ways = metadata.token_endpoint_auth_methods_supported
        by_form = "client_secret_basic" not in ways and "client_secret_post" in ways
        secret = self._oidc.client_secret
        way = "none" if secret is None else "client_secret_post" if by_form else "client_secret_basic"
        return AsyncOAuth2Client(
            self._oidc.client_id,
            secret,
            token_endpoint_auth_method=way,
            scope="openid email profile",
            redirect_uri=begun.redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
            verify=self._tls,
        )

    async def _discovered(self) -> Metadata:
        now = monotonic()
        if self._metadata is None or now - self._metadata[0] > DISCOVERED_FOR_SECONDS:
            issuer = self._oidc.issuer
            told = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            metadata = msgspec.json.decode(told, type=Metadata)
            if metadata.issuer != issuer:
                raise ValueError(f"the provider at {issuer} says that it is {metadata.issuer}")
            self._metadata = (now, metadata)
        return self._metadata[1]

    async def _validated(self, metadata: Metadata, id_token: str, nonce: str) -> dict[str, Any]:
        """Return what an ID token claims; raises JoseError unless it is the provider's own, for us, now, for this."""
        if self._keys is None:
            self._keys = await self._keys_at(metadata.jwks_uri)
        try:
            token = jwt.decode(id_token, self._keys, list(ALGORITHMS))
        except InvalidKeyIdError:
            self._keys = await self._keys_at(metadata.jwks_uri)
            token = jwt.decode(id_token, self._keys, list(ALGORITHMS))
        ours = self._oidc.client_id
        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCKS_APART_SECONDS,
            iss={"essential": True, "value": metadata.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": ours},
            azp={"value": ours},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        registry.validate(token.claims)
        if token.claims["aud"] not in (ours, [ours]):  # who else may use it is nobody whom we trust
            raise SignInRefused(reason="the identity provider's answer is not for Rollcall alone.")
        return token.claims

    async def _keys_at(self, url: str) -> KeySet:
        told = msgspec.json.decode(await self._get(url), type=dict[str, list[dict[str, Any]]])
        return KeySet.import_key_set({"keys": [key for key in told["keys"] if key.get("use") != "enc"]})

    async def _get(self, url: str) -> bytes:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, verify=self._tls) as client:
            answer = await client.get(url, headers={"Accept": "application/json"})
            answer.raise_for_status()
            return answer.content


def _person(claims: dict[str, Any]) -> Person:
    if claims.get("email_verified") is not True:
        raise SignInRefused(reason="the identity provider has not verified your e-mail address. Verify it there.")
    try:
        email = parse_email(str(claims.get("email")))
    except EmailInvalid as error:
        raise SignInRefused(reason=str(error)) from error
    name = claims.get("name")
    return Person(email, name if isinstance(name, str) and name.isprintable() else "")


def _check_recent(auth_time: object) -> None:
    """Refuse a sign-in that is older than ours; who does not say when it was is believed to have done as asked."""
    if auth_time is None:
        return
    if not isinstance(auth_time, int | float) or auth_time < time() - AGAIN_WITHIN_SECONDS - CLOCKS_APART_SECONDS:
        raise SignInRefused(reason="the identity provider did not ask who you are. Sign out there, then begin again.")


def _account(claims: dict[str, Any]) -> Account:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise SignInRefused(reason="the identity provider's answer does not tell which account is yours.")
    return Account(claims["iss"], subject)


async def _userinfo(client: AsyncOAuth2Client, url: str, subject: str) -> dict[str, Any]:
    """Return what the provider tells of whoever signed in beside the ID token (section 5.3.2)."""
    answer = await client.get(url)
    answer.raise_for_status()
    told = msgspec.json.decode(answer.content, type=dict[str, Any])
    if told.get("sub") != subject:
        raise SignInRefused(reason="the identity provider told of somebody else.")
    return {name: told[name] for name in ("email", "email_verified", "name") if name in told}


@contextmanager
def _told() -> Iterator[None]:
    """Say what went wrong in our words to people, and in the provider's to the log."""
    try:
        yield
    except OAuthError as error:
        log.warning("the identity provider refused a sign-in", error=error.error, description=error.description)
        raise SignInRefused(reason="the identity provider did not confirm it. Begin again.") from error
    except JoseError as error:
        log.warning("an ID token is not to be trusted", error=repr(error))
        raise SignInRefused(reason="the identity provider's answer cannot be trusted. Begin again.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError, ValueError, KeyError) as error:
        log.error("the identity provider did not answer as it should", error=repr(error))  # noqa: TRY400 - its trace may tell secrets
        raise ProviderAway from error
