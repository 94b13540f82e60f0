"""Who downloads personal data is in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.api.openapi.tables import RESPONSE_HEADERS
from tests.adapters.api.importing import committed, subscribed, uploaded
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from domain.access import Role
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN = "ann@example.com"
ELSEWHERE = {"downloadSample", "downloadEvidence"}
"""Samples are public. Evidence needs a key: see test_evidence.py."""
DOWNLOADS = {
    operation for operation, found in RESPONSE_HEADERS.items() if "Content-Disposition" in found.get("200", ())
} - ELSEWHERE
PATHS = {
    "downloadFile": "{import}/file",
    "downloadReport": "{import}/report.csv",
    "downloadRowsNotAdded": "{import}/rows-not-added.csv",
    "downloadUnlicensed": "{import}/unlicensed.csv",
    "downloadExport": "/export/audit.csv",
    "downloadEverything": "/everything.zip",
    "downloadGroupUsers": "/groups/{group}/users.csv",
}


@pytest.fixture(scope="module")
def home(running: Served) -> tuple[str, dict[str, str]]:
    """Return the path of a subscription with an import, and the paths of what can be downloaded in it."""
    where = subscribed(running.client, ANN)
    imported = uploaded(running.client, where, f"Groupname,Email,Email\nSales,{ANN},ben@example.com\n", "<b>staff.csv")
    committed(running.client, imported)
    group = running.client.get(f"{where}/groups").json()[0]["id"]
    names = {"import": imported.removeprefix(where), "group": group}
    return where, {operation: where + path.format(**names) for operation, path in PATHS.items()}


def recorded(client: httpx.Client, where: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{where}/audit?type=file-downloaded&limit=1000").json()
    return found


def test_each_operation_that_gives_a_file_is_in_these_tests() -> None:
    assert set(PATHS) == DOWNLOADS


@pytest.mark.parametrize("operation", sorted(DOWNLOADS))
def test_each_download_is_recorded_once(running: Served, home: tuple[str, dict[str, str]], operation: str) -> None:
    where, paths = home
    client, before = running.client, len(recorded(running.client, where))
    answer = client.get(paths[operation])
    assert answer.status_code == 200
    eventually(lambda: len(recorded(client, where)) > before)
    assert client.head(paths[operation]).headers["content-disposition"] == answer.headers["content-disposition"]
    assert client.get(paths[operation], params={"nonsense": "1"}).status_code == 400
    change = client.post(f"{where}/groups", json={"name": operation})  # answered once the views show what was before it
    assert change.status_code == 201
    found = recorded(client, where)
    assert len(found) == before + 1
    assert found[0]["request_id"] == answer.headers["x-request-id"]
    assert found[0]["actor"]["id"].startswith("token:")
    name = found[0]["text"].partition("(")[2].removesuffix(")")
    assert name.replace("<b>", "%3Cb%3E") in answer.headers["content-disposition"]
    of_import = str(found[0]["import_id"]) in paths[operation]
    assert of_import == ("/imports/" in paths[operation])
    assert (str(found[0]["group_id"]) in paths[operation]) == ("/groups/" in paths[operation])


def test_what_was_not_sent_was_not_downloaded(
    running: Served, subscription: str, as_: Callable[[Role], httpx.Client]
) -> None:
    imported = uploaded(running.client, subscription, f"Groupname,Email\nSales,{ANN}\n")
    version = running.client.get(imported).headers["etag"]
    assert as_("consumer").get(f"{imported}/report.csv").status_code == 403
    assert as_("auditor").get(f"{imported}/file", params={"x": "1"}).status_code == 400
    assert running.client.get(f"{subscription}/export/nothing.csv").status_code == 404
    assert running.client.get(f"{subscription}/export/users.csv?actor=ann").status_code == 400
    assert as_("auditor").get(f"{imported}/file").status_code == 200
    eventually(lambda: recorded(running.client, subscription))
    (only,) = recorded(running.client, subscription)
    assert only["text"] == "Downloaded the file of an import (groups.csv)"
    assert running.client.get(imported).headers["etag"] == version, "who reads an import doesn't change it"
