from __future__ import annotations

from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import RequestFactory
from msgspec import json

from adapters.http import paging
from adapters.http.paging import decode_after, list_response, next_link

REQUEST = RequestFactory().get("/rows")


@given(st.lists(st.integers(1, 400), max_size=30), st.integers(1, 10))
def test_pages_are_bounded_by_bytes_and_together_have_every_row(sizes: list[int], limit: int) -> None:
    rows = [(number, "x" * size) for number, size in enumerate(sizes)]
    found, after = list[tuple[int, str]](), -1
    with patch.object(paging, "PAGE_BYTES", 500):
        while True:
            following = rows[after + 1 :][: limit + 1]
            page = list_response(REQUEST, following, limit, lambda row: row[0])
            assert len(page.content) <= limit
            assert len(json.encode(page.content)) <= 550 or len(page.content) == 1
            found += page.content
            if "Link" not in page.headers:
                break
            link = page.headers["Link"].partition(">")[0].removeprefix("<")
            decoded = decode_after(parse_qs(urlsplit(link).query)["after"][0], int)
            assert decoded is not None
            assert decoded > after
            after = decoded
    assert found == rows


def test_a_link_has_no_semicolon_or_comma_at_which_clients_would_end_it() -> None:
    """As requests and httpx do (findings/requests-ends-links-at-semicolons.sh)."""
    request = RequestFactory().get("/of;a,b", query_params={"q": "Sales; Support, Europe"})
    address, _, parameters = next_link(request, "2").removeprefix("<").partition(">")
    assert not set(address) & set(";,")
    assert unquote(urlsplit(address).path) == "/of;a,b"
    assert parse_qs(urlsplit(address).query) == {"q": ["Sales; Support, Europe"], "after": ["2"]}
    assert parameters == '; rel="next"'
