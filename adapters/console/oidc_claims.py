"""What the claims of the identity provider prove: who somebody is, which account they have, when they signed in."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from application.granting import Person
from domain.addresses import PrivateDomains, parse_email
from domain.errors import EmailInvalid, RollcallError
from domain.identity import Account

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOCK_SKEW_SECONDS = 60
REAUTHENTICATED_WITHIN_SECONDS = 600
LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2
PERSONAL = ("email", "email_verified", "name")


class SignInRefused(RollcallError):
    """You aren’t signed in: {reason}"""

    code = "sign-in-refused"


def says_too_little(claims: Mapping[str, Any]) -> bool:
    """Return whether an ID token lacks the address, or whether it is verified, so that userinfo has to be asked."""
    return claims.get("email") is None or _verified(claims) is None


def with_userinfo(claims: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims of an ID token and those of userinfo (section 5.3.2), which win; raises SignInRefused."""
    if userinfo.get("sub") != claims["sub"]:
        raise SignInRefused(reason="the identity provider’s response is about another account.")
    told = {name: userinfo[name] for name in PERSONAL if userinfo.get(name) is not None}
    kept = dict(claims)
    if "email" in told and told["email"] != claims.get("email"):
        kept.pop("xms_edov", None)  # it is about the address that the ID token has
    return kept | told


def person_of(claims: Mapping[str, Any], private: PrivateDomains = (), *, trust_email: bool) -> Person:
    """Return the person whose address is verified; raises SignInRefused.

    If the provider doesn't say whether it is, `trust_email` says so. It doesn't overrule a provider that denies it.
    """
    if claims.get("email") is None:
        raise SignInRefused(
            reason="the identity provider didn’t send the claim “email”. Check that your account there has an e-mail "
            "address. If it does, ask your Rollcall operator to have the provider send it."
        )
    verified = _verified(claims)
    if verified is None and not trust_email:
        raise SignInRefused(
            reason="the identity provider didn’t send the claim “email_verified”. Ask your Rollcall operator to have "
            "the provider send it or, if its addresses can be trusted, to set ROLLCALL_OIDC_TRUST_EMAIL."
        )
    if verified is False:
        raise SignInRefused(
            reason="the identity provider hasn’t verified your e-mail address. Verify it there, then try again."
        )
    try:
        email = parse_email(str(claims["email"]), private)
    except EmailInvalid as error:
        raise SignInRefused(reason=str(error)) from error
    name = claims.get("name")
    return Person(email, name if isinstance(name, str) and name.isprintable() else "")


def _verified(claims: Mapping[str, Any]) -> bool | None:
    """Return whether the provider says that it has verified the address, or None if it says nothing.

    Some send the text “true”. Microsoft Entra has a claim of its own, which it sends as true, 1 or text: whether the
    owner of the address's domain has verified it.
    """
    if (verified := claims.get("email_verified")) is not None:
        return verified is True or verified == "true"
    if (verified := claims.get("xms_edov")) is not None:
        return verified in (True, "true", "1")
    return None


def account_of(claims: Mapping[str, Any]) -> Account:
    """Return the account at the provider; raises SignInRefused."""
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise SignInRefused(reason="the identity provider’s response doesn’t identify your account.")
    return Account(claims["iss"], subject)


def check_recent(auth_time: object) -> None:
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
