"""The API's reference in a real Chromium: what *Try it out* sends."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.adapters.console.browsing import subscription_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("operation", "path", "query"),
    [("listChanges", "audit", {"limit": "100"}), ("createGroup", "groups", {})],
)
def test_the_reference_sends_no_examples_of_what_may_be_left_out(
    console: Console, browser: Browser, operation: str, path: str, query: dict[str, str]
) -> None:
    subscription = console.subscription("ann@example.com")
    with console.browsed(browser, subscription) as context:
        page = context.new_page()
        page.goto("/api/v1/docs")
        shown = page.locator(f"[id$='-{operation}']")
        shown.locator(".opblock-summary").click()
        shown.get_by_role("button", name="Try it out").click()
        shown.locator('tr[data-param-name="subscription_id"] input').fill(str(subscription_of(subscription)))
        with page.expect_request(f"**{subscription}/{path}*") as sent:
            shown.get_by_role("button", name="Execute").click()
        assert dict(parse_qsl(urlsplit(sent.value.url).query)) == query
        assert "idempotency-key" not in sent.value.headers
