"""The version in If-Match, also as a compressing proxy has left the ETag that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.api.importing import subscribed, uploaded
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN = "ann@example.com"
ROUTES = ("rename", "remove", "discard", "commit")
BEHIND_PROXIES = [
    # the client's bytes for an import whose ETag is "2"
    'W/"2"',  # nginx 1.22 with gzip
    '"2-gzip"',  # Apache 2.4 with mod_deflate
    '"2-br"',  # Apache 2.4 with mod_brotli
    '"2-zstd"',
    '"2-deflate"',
    'W/"2-gzip"',  # nginx before Apache
    '"1", "2"',
    'W/"1",W/"2-gzip" ,\t"9"',
    '"2", "1"',
]


def reviewed(client: httpx.Client) -> str:
    """Return the path of an import at version 2."""
    return uploaded(client, subscribed(client, ANN), f"Groupname,Email\nSales,{ANN}\n")


@pytest.fixture(scope="module")
def import_(running: Served) -> str:
    """Return the path of an import at version 2 that is never changed."""
    return reviewed(running.client)


@pytest.fixture(params=ROUTES)
def change(request: pytest.FixtureRequest, running: Served) -> Callable[[str, str], httpx.Response]:
    """Return what changes an import as seen at a version, for each route that needs one."""

    def do(import_: str, version: str) -> httpx.Response:
        client, headers = running.client, {"If-Match": version}
        match request.param:
            case "rename":
                return client.patch(f"{import_}/groups/1", json={"name": "Europe"}, headers=headers)
            case "remove":
                return client.delete(f"{import_}/groups/1/users/{ANN}", headers=headers)
            case "discard":
                return client.delete(import_, headers=headers)
            case _:
                return client.post(f"{import_}/commit", headers=headers)

    return do


@pytest.mark.parametrize("version", BEHIND_PROXIES)
def test_a_version_is_current_however_a_proxy_has_left_it(
    running: Served, change: Callable[[str, str], httpx.Response], version: str
) -> None:
    answer = change(reviewed(running.client), version)
    assert answer.is_success, answer.text
    assert answer.headers["ETag"].strip('"').isdecimal()


@pytest.mark.parametrize("version", ['W/"1"', '"1-gzip"', '"1", "9"', 'W/"22"'])
def test_a_version_that_is_not_current_is_stale_however_a_proxy_has_left_it(
    import_: str, change: Callable[[str, str], httpx.Response], version: str
) -> None:
    assert_problem(change(import_, version), 412, "stale")


def test_any_version_is_refused_with_why(import_: str, change: Callable[[str, str], httpx.Response]) -> None:
    answer = change(import_, "*")
    assert_problem(answer, 400, "invalid", "If-Match")
    assert "matches any version" in answer.json()["detail"]


@pytest.mark.parametrize(
    "version",
    ['w/"2"', 'W/2"', '"2-GZIP"', '"2-"', '"2-gzip-gzip"', '"2"-gzip', '"2",', ',"2"', '"2" "2"', '"2", *', '"x", "2"'],
)
def test_anything_else_is_refused(running: Served, import_: str, version: str) -> None:
    answer = running.client.post(f"{import_}/commit", headers={"If-Match": version})
    assert_problem(answer, 400, "invalid", "If-Match")


def test_a_list_has_ten_versions_at_most(running: Served, import_: str) -> None:
    def discard(versions: int) -> httpx.Response:
        listed = ", ".join(f'"{number}"' for number in range(100, 100 + versions))
        return running.client.delete(import_, headers={"If-Match": listed})

    assert_problem(discard(10), 412, "stale")
    assert_problem(discard(11), 400, "invalid", "If-Match")
