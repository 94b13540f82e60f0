"""Signing in with a real provider process, which is believed only what it proves."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc.jwk import ECKey
from msgspec import json

from adapters.composition import composed
from adapters.console.oidc_discovery import check_provider
from tests.adapters.cli.terminals import environment, run, run_apart
from tests.adapters.console.browsers import Browser, logged, metric
from tests.adapters.console.provider import Provider, provided
from tests.adapters.server.serving import Served, served
from tests.conftest import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

pytestmark = pytest.mark.database

REFUSED = "You aren’t signed in"
SIGNED_IN = 'rollcall_sign_ins_total{outcome="signed-in",way="oidc"}'


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provided() as running:
        running.knows("ann", email="Ann@Example.com", email_verified=True, name="Ann Low")
        yield running


@pytest.fixture(scope="module")
def signing(module_database: str, provider: Provider) -> Iterator[Served]:
    with served(module_database, environment=settings_of(provider)) as running:
        yield running


def settings_of(provider: Provider) -> dict[str, str]:
    return {
        "ROLLCALL_OIDC_ISSUER": provider.url,
        "ROLLCALL_OIDC_CLIENT_ID": "rollcall",
        "ROLLCALL_OIDC_CLIENT_SECRET": "hunter2",
        "ROLLCALL_LIMIT_SIGN_INS": "10_000",
    }


@pytest.fixture
def browser(signing: Served) -> Iterator[Browser]:
    with Browser(signing.url) as fresh:
        yield fresh


@pytest.fixture(autouse=True)
def _truthful_again(provider: Provider) -> Iterator[None]:
    yield
    provider.tells_the_truth()


def test_a_person_that_the_provider_vouches_for_is_signed_in_and_redirected_back(
    signing: Served, browser: Browser, provider: Provider
) -> None:
    before = metric(signing, SIGNED_IN)
    asked = browser.get("/sign-in?next=/x%3Fy%3D1")
    assert provider.url in asked.text
    assert 'value="/x?y=1"' in asked.text
    answer = browser.sign_in(provider, "ann", wanted="/x?y=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/x?y=1")
    page = browser.get("/")
    assert "Ann Low" in page.text
    assert "ann@example.com" in page.text
    assert metric(signing, SIGNED_IN) == before + 1
    assert logged(signing, "signed in")[-1]["actor"] == "ann@example.com"


def test_the_request_says_what_the_standards_ask_for(signing: Served, browser: Browser) -> None:
    asked = {name: values[0] for name, values in parse_qs(urlsplit(browser.begin()).query).items()}
    assert asked.pop("redirect_uri") == f"{signing.url}/sign-in/oidc/callback"
    assert len(asked.pop("state")) >= 43
    assert len(asked.pop("nonce")) >= 43
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": "rollcall",
        "scope": "openid email profile",
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": ["rollcall", "another"]},
        {"aud": None},
        {"azp": "another"},
        {"iss": "https://another.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\0b"},
        {"sub": "x" * 256},
        {"exp": int(time.time()) - 3_600},
        {"exp": None},
        {"iat": int(time.time()) + 3_600},
        {"nbf": int(time.time()) + 3_600},
        {"alg": "none"},
        {"alg": "HS256"},
        {"key": "stranger"},
        {"key": "sent"},
        {"email_verified": False},
        {"email_verified": "false"},
        {"email_verified": 1},
        {"email_verified": False, "xms_edov": True},
        {"email": "nonsense"},
        {"email": 7},
    ],
    ids="-".join,  # without the values, because times are among them
)
def test_what_is_not_proven_signs_nobody_in(browser: Browser, provider: Provider, lie: dict[str, object]) -> None:
    provider.lies(**lie)  # type: ignore[arg-type] # each is one of its arguments
    answer = browser.sign_in(provider, "ann")
    assert (answer.status_code, browser.session) == (403, None)
    assert REFUSED in answer.text
    assert "Traceback" not in answer.text
    assert browser.get("/").headers["location"] == "/sign-in"


def test_whoever_is_to_sign_in_again_is_asked_by_the_provider(browser: Browser, provider: Provider) -> None:
    def again() -> httpx.Response:
        return browser.get(provider.agrees(browser.begin("/sessions", again="true"), "ann"))

    asked = parse_qs(urlsplit(browser.begin("/sessions", again="true")).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    assert 'name="again" value="true"' in browser.get("/sign-in?next=/sessions&again=true").text
    for auth_time, status in ((int(time.time()), 303), (int(time.time()) - 3_600, 403), ("now", 403), (None, 303)):
        provider.lies(auth_time=auth_time)
        answer = again()
        assert answer.status_code == status, answer.text
        assert status == 303 or "didn’t ask you to sign in again" in answer.text
    provider.lies(auth_time=int(time.time()) - 3_600)
    assert browser.sign_in(provider, "ann").status_code == 303, "the first time, whoever is signed in there is"


def test_sessions_are_ended_by_whoever_the_provider_asked_and_not_by_whoever_is_signed_in_there(
    signing: Served, browser: Browser, provider: Provider
) -> None:
    provider.knows("zoe", email="zoe@example.com", email_verified=True)
    with Browser(signing.url) as another:
        another.sign_in(provider, "zoe")
        browser.sign_in(provider, "zoe")
        answer = browser.submit("/sessions", session="others")
        assert answer.headers["location"] == "/sign-in?next=%2Fsessions&again=true"
        assert another.get("/sessions").status_code == 200
        browser.get(provider.agrees(browser.begin("/sessions", again="true"), "zoe"))
        assert browser.submit("/sessions", session="others").headers["location"] == "/sessions"
        assert another.get("/sessions").status_code == 303


def test_a_new_key_of_the_provider_is_looked_up(browser: Browser, provider: Provider) -> None:
    provider.lies(key="new")
    assert browser.sign_in(provider, "ann").status_code == 303


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "Ed25519"])  # the last one since RFC 9864
def test_a_signature_with_a_key_on_a_curve_is_accepted(
    signing: Served, browser: Browser, provider: Provider, alg: str
) -> None:
    provider.lies(alg=alg)
    answer = browser.sign_in(provider, "ann")
    assert answer.status_code == 303, answer.text
    assert logged(signing, "signed in"), "and no line of the log is anything but JSON"


@pytest.mark.parametrize(
    "unknown",
    [
        {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed1", "x": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        {"kty": ["EC"]},
    ],
    ids=["EC curve", "OKP curve", "point", "number", "kind", "nonsense"],
)
def test_a_key_that_rollcall_cannot_use_spoils_no_other(
    browser: Browser, provider: Provider, unknown: dict[str, object]
) -> None:
    provider.lies(alg="ES256", beside=[{**unknown, "kid": "unknown"}])
    answer = browser.sign_in(provider, "ann")
    assert answer.status_code == 303, answer.text


def test_keys_of_several_types_may_share_an_id(browser: Browser, provider: Provider) -> None:
    """RFC 7517, section 4.5."""
    provider.lies()
    ec = ECKey.generate_key("P-256").as_dict(private=False)
    provider.lies(beside=[{**ec, "kid": key["kid"]} for key in provider.published() if key["kty"] == "RSA"])
    answer = browser.sign_in(provider, "ann")
    assert answer.status_code == 303, answer.text


@pytest.mark.parametrize("header", [{"client_id": "rollcall"}, {"x5c": ["MII" * 600]}], ids=["unknown", "certificate"])
def test_what_else_is_in_the_header_of_a_token_is_passed_over(
    browser: Browser, provider: Provider, header: dict[str, object]
) -> None:
    """RFC 7515, sections 4 and 4.1.6."""
    provider.lies(header=header)
    answer = browser.sign_in(provider, "ann")
    assert answer.status_code == 303, answer.text


def test_a_header_that_must_be_understood_signs_nobody_in(browser: Browser, provider: Provider) -> None:
    """RFC 7515, section 4.1.11."""
    provider.lies(header={"crit": ["client_id"], "client_id": "rollcall"})
    assert browser.sign_in(provider, "ann").status_code == 403


@pytest.mark.parametrize("claims", [{"email": None}, {"email_verified": None}, {"email": None, "email_verified": None}])
def test_what_only_userinfo_says_about_an_address_is_accepted(
    browser: Browser, provider: Provider, claims: dict[str, None]
) -> None:
    provider.lies(**claims)  # type: ignore[arg-type] # each is a claim
    answer = browser.sign_in(provider, "ann")
    assert answer.status_code == 303, answer.text
    assert "ann@example.com" in browser.get("/").text


@pytest.mark.parametrize("seconds", [60, 1])
def test_userinfo_is_asked_however_short_the_token_for_it_is_valid(
    browser: Browser, provider: Provider, seconds: int
) -> None:
    """Keycloak's realm `master` gives tokens for 60 seconds (findings/authlib-calls-new-tokens-expired.sh)."""
    provider.lies(lifetime=seconds, email=None)
    answer = browser.sign_in(provider, "ann")
    assert answer.status_code == 303, answer.text
    assert "ann@example.com" in browser.get("/").text


def test_userinfo_may_be_signed(browser: Browser, provider: Provider) -> None:
    """As npm's oidc-provider 9.13.3 answers clients that are registered with `userinfo_signed_response_alg`."""
    provider.lies(email=None)
    provider.signs_userinfo()
    answer = browser.sign_in(provider, "ann")
    assert answer.status_code == 303, answer.text
    assert "ann@example.com" in browser.get("/").text


@pytest.mark.parametrize(
    "changed", [{"key": "stranger"}, {"iss": "https://other.example.com"}, {"aud": "another client"}, {"sub": "eve"}]
)
def test_userinfo_that_is_signed_by_another_or_for_another_signs_nobody_in(
    browser: Browser, provider: Provider, changed: dict[str, str]
) -> None:
    provider.lies(email=None)
    provider.signs_userinfo(**changed)
    assert browser.sign_in(provider, "ann").status_code == 403


def test_an_address_may_be_verified_in_words(browser: Browser, provider: Provider) -> None:
    provider.lies(email_verified="true")
    assert browser.sign_in(provider, "ann").status_code == 303


def test_an_unverified_address_is_refused(browser: Browser, provider: Provider) -> None:
    provider.knows("eve", email="ann@example.com", email_verified=False)
    answer = browser.sign_in(provider, "eve")
    assert answer.status_code == 403
    assert "hasn’t verified your e-mail address" in answer.text


@pytest.mark.parametrize(
    ("knows", "missing", "there"),
    [({"email": "fay@example.com"}, "email_verified", "email"), ({"email_verified": True}, "email", "email_verified")],
)
def test_the_claim_that_is_missing_is_named(
    browser: Browser, provider: Provider, knows: dict[str, object], missing: str, there: str
) -> None:
    provider.knows("fay", **knows)
    answer = browser.sign_in(provider, "fay")
    assert answer.status_code == 403
    assert f"didn’t send the claim “{missing}”" in answer.text
    assert f"“{there}”" not in answer.text
    assert ("ROLLCALL_OIDC_TRUST_EMAIL" in answer.text) == (missing == "email_verified")


class TestMicrosoftEntra:
    """It never sends `email_verified`, but `xms_edov` where an app asks for it."""

    @pytest.mark.parametrize("verified", [True, "true", 1, "1"])
    def test_says_in_a_claim_of_its_own_that_an_address_is_verified(
        self, browser: Browser, provider: Provider, verified: object
    ) -> None:
        provider.knows("gil", email="gil@example.com")
        provider.lies(xms_edov=verified)
        answer = browser.sign_in(provider, "gil")
        assert answer.status_code == 303, answer.text

    @pytest.mark.parametrize("verified", [False, "false", 0, "0", ""])
    def test_says_so_of_addresses_that_are_not_verified_too(
        self, browser: Browser, provider: Provider, verified: object
    ) -> None:
        provider.knows("gil", email="gil@example.com")
        provider.lies(xms_edov=verified)
        answer = browser.sign_in(provider, "gil")
        assert (answer.status_code, browser.session) == (403, None)
        assert "hasn’t verified your e-mail address" in answer.text

    def test_vouches_for_no_other_address_than_that_of_the_id_token(self, browser: Browser, provider: Provider) -> None:
        provider.knows("gil", email="ann@example.com")
        provider.lies(email=None, xms_edov=True)
        assert (browser.sign_in(provider, "gil").status_code, browser.session) == (403, None)


def test_an_operator_may_vouch_for_addresses_of_which_the_provider_says_nothing(
    database: str, provider: Provider
) -> None:
    vouching = settings_of(provider) | {"ROLLCALL_OIDC_TRUST_EMAIL": "true"}
    provider.knows("hal", email="hal@example.com")
    provider.knows("ida", email="ida@example.com", email_verified=False)
    with served(database, environment=vouching) as signing:
        for lie, subject, status in (
            ({}, "hal", 303),
            ({}, "ida", 403),
            ({"email_verified": None}, "ida", 403),  # userinfo denies it still
            ({"xms_edov": False}, "hal", 403),
        ):
            with Browser(signing.url) as browser:
                provider.lies(**lie)
                assert browser.sign_in(provider, subject).status_code == status, (lie, subject)


def test_a_client_secret_is_sent_as_the_standard_encodes_it(database: str, provider: Provider) -> None:
    secret = "a+b%2Fc d:ü~"  # noqa: S105 - nobody's
    configured = settings_of(provider) | {"ROLLCALL_OIDC_CLIENT_SECRET": secret}
    provider.insists_on(secret)
    with served(database, environment=configured) as signing, Browser(signing.url) as browser:
        answer = browser.sign_in(provider, "ann")
        assert answer.status_code == 303, answer.text


def test_a_client_secret_that_is_no_longer_valid_is_explained(
    signing: Served, browser: Browser, provider: Provider
) -> None:
    """Providers let secrets expire. Then starting again doesn't help, however often."""
    provider.insists_on("another")
    answer = browser.sign_in(provider, "ann")
    assert (answer.status_code, browser.session) == (403, None)
    assert "doesn’t accept Rollcall’s request" in answer.text
    assert logged(signing, "the identity provider refused a sign-in")[-1]["error"] == "invalid_client"


def test_an_address_stays_with_the_account_that_signed_in_with_it_first(
    signing: Served, browser: Browser, provider: Provider
) -> None:
    for subject in ("cem", "namesake"):
        provider.knows(subject, email="cem@example.com", email_verified=True)
    refused = 'rollcall_sign_ins_total{outcome="identity-taken",way="oidc"}'
    before = metric(signing, refused)
    assert browser.sign_in(provider, "cem").status_code == 303
    with Browser(signing.url) as another:
        answer = another.sign_in(provider, "namesake")
        assert (answer.status_code, another.session) == (403, None)
        assert "is linked to another account" in answer.text
        assert "rollcall identity release cem@example.com" in answer.text
        assert "namesake" not in answer.text
    assert metric(signing, refused) == before + 1
    assert browser.sign_in(provider, "cem").status_code == 303
    (told,) = signing.client.get("/api/v1/audit?email=cem@example.com").json()
    assert told["text"] == f"Linked cem@example.com to account “cem” at {provider.url}"
    assert told["actor"] == {"kind": "system", "id": "sign-in", "name": "Sign-in"}


def test_a_released_address_goes_to_the_next_account(
    signing: Served, browser: Browser, provider: Provider, module_database: str
) -> None:
    for subject in ("dan", "dan2"):
        provider.knows(subject, email="dan@example.com", email_verified=True)
    assert browser.sign_in(provider, "dan").status_code == 303
    assert run(environment(module_database), "identity", "release", "dan@example.com").returncode == 0
    for subject, status in (("dan2", 303), ("dan", 403)):
        with Browser(signing.url) as another:
            assert another.sign_in(provider, subject).status_code == status


def test_another_provider_gives_nobodys_address_away(
    signing: Served, browser: Browser, provider: Provider, module_database: str
) -> None:
    assert browser.sign_in(provider, "ann").status_code == 303
    with provided() as other:
        other.knows("ann", email="ann@example.com", email_verified=True)
        with served(module_database, environment=settings_of(other)) as elsewhere, Browser(elsewhere.url) as another:
            answer = another.sign_in(other, "ann")
            assert (answer.status_code, another.session) == (403, None)
            assert "is linked to another account" in answer.text


def with_query(url: str, **changed: str | None) -> str:
    parts = urlsplit(url)
    query: dict[str, str | None] = {name: values[0] for name, values in parse_qs(parts.query).items()}
    kept = {name: value for name, value in (query | changed).items() if value is not None}
    return parts._replace(query=urlencode(kept)).geturl()


@pytest.mark.parametrize(
    "changed",
    [{"state": "another"}, {"state": None}, {"code": "another"}, {"code": None}, {"iss": "https://x.example"}],
)
def test_an_answer_that_does_not_fit_the_request_signs_nobody_in(
    browser: Browser, provider: Provider, changed: dict[str, str | None]
) -> None:
    back = provider.agrees(browser.begin(), "ann")
    answer = browser.get(with_query(back, **changed))
    assert (answer.status_code, browser.session) == (403, None)
    assert REFUSED in answer.text


def test_a_response_that_names_its_issuer_is_accepted(browser: Browser, provider: Provider) -> None:
    back = provider.agrees(browser.begin(), "ann")
    assert browser.get(with_query(back, iss=provider.url, session_state="x")).status_code == 303


def test_another_browser_cannot_use_the_answer_and_does_not_use_it_up(
    signing: Served, browser: Browser, provider: Provider
) -> None:
    back = provider.agrees(browser.begin(), "ann")
    with Browser(signing.url) as another:
        assert another.get(back).status_code == 403
        another.begin()
        assert another.get(back).status_code == 403
    assert browser.get(back).status_code == 303


def test_neither_an_answer_nor_a_code_works_twice(signing: Served, browser: Browser, provider: Provider) -> None:
    back = provider.agrees(browser.begin(), "ann")
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403
    (code,) = parse_qs(urlsplit(back).query)["code"]
    with Browser(signing.url) as another:
        again = with_query(provider.agrees(another.begin(), "ann"), code=code)
        assert (another.get(again).status_code, another.session) == (403, None)


def test_a_sign_in_that_is_cancelled_at_the_provider_is_explained(browser: Browser, provider: Provider) -> None:
    begun = browser.begin()
    (state,) = parse_qs(urlsplit(begun).query)["state"]
    answer = browser.get(with_query(provider.denies(begun), state=state))
    assert answer.status_code == 403
    assert "you or the identity provider cancelled the sign-in" in answer.text


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        ("invalid_request", 403, "doesn’t accept Rollcall’s request"),
        ("unauthorized_client", 403, "doesn’t accept Rollcall’s request"),
        ("invalid_scope", 403, "doesn’t accept Rollcall’s request"),
        ("server_error", 503, "isn’t responding as it should"),
        ("temporarily_unavailable", 503, "isn’t responding as it should"),
    ],
)
def test_what_nobody_cancelled_is_explained_and_logged(
    signing: Served, browser: Browser, provider: Provider, error: str, status: int, said: str
) -> None:
    """The npm package oidc-provider 9.13.3 says invalid_request if only this client has to push its requests."""
    (state,) = parse_qs(urlsplit(begun := browser.begin()).query)["state"]
    denied = provider.denies(begun).partition("?")[0]
    answer = browser.get(with_query(denied, state=state, error=error, error_description="Why."))
    assert (answer.status_code, browser.session) == (status, None)
    assert said in answer.text
    told = logged(signing, "the provider sent no code")[-1]
    assert (told["level"], told["error"], told["description"]) == ("warning", error, "Why.")


def test_a_provider_that_does_not_respond_is_explained_on_a_page(database: str) -> None:
    environment = {"ROLLCALL_OIDC_ISSUER": "http://127.0.0.1:9", "ROLLCALL_OIDC_CLIENT_ID": "rollcall"}
    with served(database, environment=environment) as signing, Browser(signing.url) as browser:
        answer = browser.submit("/sign-in/oidc")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "rollcall sign-in-link EMAIL" in answer.text
        assert "127.0.0.1:9" not in answer.text
        assert logged(signing, "the identity provider did not respond as it should")
        assert metric(signing, 'rollcall_sign_ins_total{outcome="provider-away",way="oidc"}') == 1


def test_the_tokens_of_the_provider_stay_where_they_are_needed(
    signing: Served, browser: Browser, provider: Provider, module_database: str
) -> None:
    answer = browser.sign_in(provider, "ann")
    tokens = [provider.told_last()[name] for name in ("id_token", "access_token")]
    with composed(settings_for(module_database)) as rollcall, rollcall.views() as cursor:
        cursor.execute("SELECT sessions::text AS told FROM sessions UNION ALL SELECT tickets::text FROM tickets")
        stored = [str(row["told"]) for row in cursor]
    shown = [str(answer.headers), browser.get("/").text, str(dict(browser.cookies))]
    log = signing.stderr.read_text(encoding="utf-8")
    assert all(len(token) > 20 and token not in told for token in tokens for told in (*shown, *stored, log))


@pytest.mark.parametrize(
    ("path", "metadata", "code", "said"),
    [
        ("/", {}, "issuer-wrong", "The identity provider at {url}/ says it is {url}."),
        ("", {"issuer": "https://x.example"}, "issuer-wrong", "at {url} says it is https://x.example."),
        ("/elsewhere", {}, "issuer-wrong", "There is no identity provider at {url}/elsewhere (404)."),
        ("", {"require_pushed_authorization_requests": True}, "provider-unsuitable", "pushed authorization requests"),
    ],
    ids=["slash", "another", "path", "PAR"],
)
def test_a_provider_that_nobody_can_sign_in_with_keeps_the_server_from_starting(
    database: str, provider: Provider, path: str, metadata: dict[str, object], code: str, said: str
) -> None:
    provider.publishes(**metadata)  # type: ignore[arg-type] # none is the status
    environ = environment(database, **settings_of(Provider(f"{provider.url}{path}")))
    done = run_apart(environ, "serve", "--port", "0", "--json")
    error = json.decode(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (1, code)
    assert said.format(url=provider.url) in error["message"]


def test_a_proxy_that_cannot_be_used_keeps_the_server_from_starting(database: str, provider: Provider) -> None:
    environ = environment(database, **settings_of(provider)) | {"ALL_PROXY": "socks5://127.0.0.1:1"}
    done = run_apart(environ, "serve", "--port", "0", "--json")
    error = json.decode(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (1, "proxy-unusable")
    assert "“socksio”" in error["message"]


def test_a_provider_that_is_away_at_the_start_may_come_later_but_not_as_another(
    database: str, provider: Provider
) -> None:
    provider.publishes(status=503)
    with served(database, environment=settings_of(provider)) as signing, Browser(signing.url) as browser:
        (warned,) = logged(signing, "the identity provider can't be used yet")
        assert (warned["level"], warned["issuer"]) == ("warning", provider.url)
        provider.publishes(issuer="https://x.example")
        assert browser.submit("/sign-in/oidc").status_code == 503
        (told,) = logged(signing, "the identity provider did not respond as it should")
        assert "says it is https://x.example" in told["error"]
        provider.tells_the_truth()
        assert browser.sign_in(provider, "ann").status_code == 303


def test_a_provider_that_never_answers_holds_the_start_up_only_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.console.oidc_discovery.START_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        check_provider(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - began < 5


def test_no_secret_is_in_the_log(signing: Served, browser: Browser, provider: Provider) -> None:
    browser.sign_in(provider, "ann")
    log = signing.stderr.read_text(encoding="utf-8")
    assert "hunter2" not in log
    assert browser.session
    assert browser.session not in log
