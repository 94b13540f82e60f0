"""Who may see which page and submit which form: every role, on its own things, on another's and on missing ones.

PAGES is the table. A page that isn't in it fails the tests, as does one that admits others than it says.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

import pytest
from litestar.routes import HTTPRoute

from adapters.composition import composed
from adapters.console.pages import BUILD
from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from tests.adapters.api.access_matrix import (
    ADMINISTRATOR,
    ALIKE,
    EVERYBODY,
    GRANTER,
    OPERATOR,
    OUT,
    READER,
    SIGNED_IN,
    Caller,
    Named,
    Seeded,
    Where,
    Who,
    file_of,
    known_status,
    seed,
    whole,
)
from tests.adapters.console.browsing import UNHURRIED
from tests.adapters.server.serving import Served, served
from tests.conftest import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

S = "/subscriptions/{subscription_id}"
I = f"{S}/imports/{{import_id}}"  # noqa: E741 - as HTTP_API.md calls it
G = f"{S}/groups/{{group_id}}"

PAGES: dict[str, Who] = {
    "GET /": SIGNED_IN,
    "POST /subscriptions": OPERATOR,
    f"GET {S}": READER | OPERATOR,
    f"GET {S}/overview": READER,
    f"GET {S}/groups": READER,
    f"POST {S}/groups": ADMINISTRATOR,
    f"GET {G}": READER,
    f"POST {G}/rename": ADMINISTRATOR,
    f"POST {G}/add": ADMINISTRATOR,
    f"POST {G}/remove": ADMINISTRATOR,
    f"POST {G}/delete": ADMINISTRATOR,
    f"GET {G}/remove-many": ADMINISTRATOR,
    f"POST {G}/remove-many": ADMINISTRATOR,
    f"GET {S}/groups/delete": ADMINISTRATOR,
    f"POST {S}/groups/delete": ADMINISTRATOR,
    f"GET {S}/licences/revoke-many": ADMINISTRATOR,
    f"GET {G}/history": READER,
    f"POST {S}/licences/revoke-many": ADMINISTRATOR,
    f"GET {S}/users": READER,
    f"GET {S}/users/{{email}}": READER,
    f"POST {S}/users/join": ADMINISTRATOR,
    f"POST {S}/users/leave": ADMINISTRATOR,
    f"GET {S}/persons/forget": ADMINISTRATOR,
    f"POST {S}/persons/forget": ADMINISTRATOR,
    f"POST {S}/licences": ADMINISTRATOR,
    f"POST {S}/licences/revoke": ADMINISTRATOR,
    f"GET {S}/licences/file": ADMINISTRATOR,
    f"POST {S}/licences/file": ADMINISTRATOR,
    f"GET {S}/licences/file/{{sha256}}": ADMINISTRATOR,
    f"POST {S}/licences/file/{{sha256}}": ADMINISTRATOR,
    f"GET {S}/import": ADMINISTRATOR,
    f"POST {S}/import": ADMINISTRATOR,
    f"GET {S}/imports": READER,
    f"GET {S}/running": READER,
    f"GET {I}": READER,
    f"GET {I}/history": READER,
    f"GET {I}/versions": READER,
    f"POST {I}/groups/{{number}}/rename": ADMINISTRATOR,
    f"POST {I}/groups/{{number}}/remove": ADMINISTRATOR,
    f"POST {I}/groups/{{number}}/restore": ADMINISTRATOR,
    f"POST {I}/groups/{{number}}/add": ADMINISTRATOR,
    f"POST {I}/correct": ADMINISTRATOR,
    f"POST {I}/edits/undo": ADMINISTRATOR,
    f"POST {I}/encoding": ADMINISTRATOR,
    f"POST {I}/licences": ADMINISTRATOR,
    f"POST {I}/groups/{{number}}/leave-out": ADMINISTRATOR,
    f"POST {I}/groups/{{number}}/take-in": ADMINISTRATOR,
    f"POST {I}/commit": ADMINISTRATOR,
    f"POST {I}/stop": ADMINISTRATOR,
    f"GET {I}/undo": ADMINISTRATOR,
    f"POST {I}/undo": ADMINISTRATOR,
    f"POST {I}/discard": ADMINISTRATOR,
    f"POST {I}/close": ADMINISTRATOR,
    f"GET {S}/audit": READER,
    f"GET {S}/settings": READER | OPERATOR,
    f"POST {S}/settings": GRANTER,
    f"POST {S}/settings/access": GRANTER,
    f"POST {S}/settings/access/revoke": GRANTER,
    f"POST {S}/settings/tokens": GRANTER,
    f"POST {S}/settings/tokens/revoke": GRANTER,
    f"POST {S}/settings/close": GRANTER,
    f"POST {S}/settings/erase": GRANTER,
    "GET /sessions": SIGNED_IN,
    "POST /sessions": SIGNED_IN,
    "GET /sign-in": EVERYBODY,
    "POST /sign-in/oidc": EVERYBODY,
    "GET /sign-in/oidc/callback": EVERYBODY,
    "GET /sign-in/link/{secret}": EVERYBODY,
    "POST /sign-in/link/{secret}": EVERYBODY,
    "POST /sign-out": EVERYBODY,
}

OF_THE_API = re.compile(r"/(?:api/v1|health|metrics|problems|static)(?:/|$)")
ENDING = {f"POST {G}/delete", f"POST {S}/licences/revoke"}
"""Forms that end what other pages need, so they get something of their own."""

DONE_ALREADY = {f"POST {G}/delete"}
"""Forms that succeed for a missing group of one's own subscription, because there is nothing left to do."""

OWN_FILE = sha256(file_of("Sales").encode()).hexdigest()
"""The file that one's own subscription has stored."""

FORM = {
    "version": "99",
    "name": "Everybody",
    "was": "Sales",
    "seats": "1,000",
    "was_name": "",
    "was_seats": "",
    "key": "the same",
    "query": "",
    "old": "ann@example.com",
    "new": "ben@example.com",
    "since": "2",
    "role": "consumer",
    "days": "30",
    "users": "ann@example.com",
    "emails": "ann@example.com",
    "first_name": "",
    "last_name": "",
    "group": "00000000-0000-4000-8000-000000000000",
    "pick": "00000000-0000-4000-8000-000000000000",
    "all": "",
    "digest": "",
    "confirm": "",
    "confirmed": "Not its name",
    "reason": "",
}
"""Every field of every form."""


@pytest.fixture(scope="module")
def console(module_database: str) -> Iterator[Served]:
    with served(module_database, environment=UNHURRIED) as server:
        yield server


@pytest.fixture(scope="module")
def seeded(console: Served, module_database: str) -> Seeded:
    assert console
    with composed(settings_for(module_database)) as rollcall:
        return seed(rollcall)


def test_each_page_is_in_the_table(rollcall: Rollcall) -> None:
    app: Any = create_app(rollcall, Bell(rollcall.wakeups), Metrics(rollcall))
    found = {
        f"{method} {re.sub(':[a-z]+}', '}', route.path)}"
        for route in app._app._app._app.routes  # noqa: SLF001 - what ByPath, RequestLog and SecurityHeaders wrap
        if isinstance(route, HTTPRoute) and not OF_THE_API.match(route.path)
        for method in route.methods - {"OPTIONS"}
    }
    assert found == set(PAGES)


def test_the_static_files_are_for_everybody(console: Served) -> None:
    assert console.client.get(f"/static/{BUILD}/rollcall.css", auth=None).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_each_may_see_what_the_table_says_and_nothing_else(console: Served, seeded: Seeded, page: str) -> None:
    """And foreign things get the same answer as missing ones, byte for byte."""
    scoped = "{subscription_id}" in page
    every = list(get_args(Where))[: 1 if not scoped else 3 if page.count("_id}") < 2 else 5]
    for caller in get_args(Caller):
        told: dict[Where, object] = {}
        for where in every:
            answer = ask(console.client, page, seeded.names[where], seeded.tokens.get(caller))
            assert_answered(answer, page, caller, where, scoped=scoped)
            told[where] = answer.status_code not in {401, 403, 404} or whole(answer, seeded.names[where])
        for foreign, missing in ALIKE:
            if told.get(foreign) is not True:
                assert told.get(foreign) == told.get(missing), caller


def ask(client: httpx.Client, page: str, named: Named, bearer: str | None) -> httpx.Response:
    method, path = page.split()
    ends = page in ENDING
    email = "leaver@example.com" if ends else "ann@example.com"
    values = {"number": 1, "secret": "x", "email": email, "sha256": OWN_FILE, **named._asdict()}
    if ends:
        values["group_id"] = named.doomed_id
    headers = {"Accept": "text/html"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    else:  # a browser says where a form comes from
        headers["Sec-Fetch-Site"] = "same-origin"
    form = {**FORM, "email": email, "token": str(named.token_id), "key": f"{uuid4()}"} if method == "POST" else None
    client.cookies.clear()  # so that each of them comes without what another one was answered
    return client.request(method, path.format(**values), headers=headers, data=form, auth=None)


def assert_answered(answer: httpx.Response, page: str, caller: Caller, where: Where, *, scoped: bool) -> None:
    who, got = PAGES[page], answer.status_code
    context = (page, caller, where, got, answer.text)
    assert got < 500, context
    if who == EVERYBODY:
        return
    if caller in OUT:
        assert (got, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), context
        return
    wanted = known_status(who, caller, where, scoped=scoped)
    if page in DONE_ALREADY and wanted == 404 and caller == "administrator" and "inside" in where:
        wanted = None
    assert got not in {401, 403, 404} if wanted is None else got == wanted, context
    if got >= 400:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
