"""Lists, uploads, pages, edits and commits with the client that openapi-python-client generates."""

from __future__ import annotations

import sys
from io import BytesIO
from time import sleep
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
from generated_client import AuthenticatedClient
from generated_client.api.imports import (
    commit_import,
    list_imports,
    list_reviewed_groups,
    rename_reviewed_group,
    show_import,
    upload_import,
)
from generated_client.models import ImportDocument, ImportDocumentState, NewName, ReviewedGroup, UploadImportBody
from generated_client.types import UNSET, File, Unset


def main(url: str, token: str, subscription: str, file: str) -> None:
    """Do all of it; raises AssertionError where the answers are not as described."""
    client, here = AuthenticatedClient(base_url=url, token=token, timeout=httpx.Timeout(60)), UUID(subscription)
    before = list_imports.sync(here, client=client)
    assert isinstance(before, list)
    body = UploadImportBody(file=File(payload=BytesIO(file.encode()), file_name="groups.csv", mime_type="text/csv"))
    created = upload_import.sync(here, client=client, body=body)
    assert isinstance(created, ImportDocument)
    assert created.state is ImportDocumentState.REVIEWING
    assert (created.counts.groups, created.format_) == (3, "group_based")
    groups = reviewed(client, here, created.id)
    assert [each.name for each in groups] == ["Sales", "Asia", "Africa"]
    renamed = rename_reviewed_group.sync_detailed(
        here, created.id, 1, client=client, body=NewName("Sales Europe"), if_match=f'"{created.version}"'
    )
    assert isinstance(renamed.parsed, ReviewedGroup)
    assert renamed.parsed.name == "Sales Europe"
    committed = commit_import.sync(here, created.id, client=client, if_match=renamed.headers["ETag"])
    assert isinstance(committed, ImportDocument)
    while committed.state is not ImportDocumentState.COMPLETED:
        sleep(0.05)
        shown = show_import.sync(here, created.id, client=client)
        assert isinstance(shown, ImportDocument)
        committed = shown
    assert committed.progress.groups_added == 3
    after = list_imports.sync(here, client=client)
    assert isinstance(after, list)
    assert len(after) == len(before) + 1


def reviewed(client: AuthenticatedClient, subscription: UUID, import_id: UUID) -> list[ReviewedGroup]:
    """Return the groups, page by page."""
    found: list[ReviewedGroup] = []
    after: str | Unset = UNSET
    while True:
        page = list_reviewed_groups.sync_detailed(subscription, import_id, client=client, limit=2, after=after)
        assert isinstance(page.parsed, list)
        found += page.parsed
        if "Link" not in page.headers:
            return found
        link = httpx.Response(200, headers=dict(page.headers)).links["next"]["url"]
        after = parse_qs(urlsplit(link).query)["after"][0]


if __name__ == "__main__":
    main(*sys.argv[1:])
