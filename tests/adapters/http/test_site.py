from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.http.site import Site, own_path

PUBLIC = "https://rollcall.example"


@given(
    st.text(st.sampled_from("/\\.:@?#%a\t\n\r \x00é"), max_size=12) | st.text(max_size=40) | st.from_regex(r"/[!-~]*")
)
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("https://evil.example")
@example("javascript:alert(1)")
@example("/%2f/evil.example")
@example("")
def test_a_path_to_another_site_is_replaced(wanted: str) -> None:
    path = own_path(wanted)
    as_browsers_read_it = "".join(each for each in path if each not in "\t\n\r").replace("\\", "/")
    for read in (path, as_browsers_read_it):
        there = urlsplit(urljoin(f"{PUBLIC}/sign-in", read))
        assert (there.scheme, there.netloc) == ("https", "rollcall.example")
        assert path.isprintable()


@pytest.mark.parametrize("path", ["/", "/x", "/x/y?z=1&a=%20#b", "/sign-in?next=/x"])
def test_one_of_our_paths_is_kept(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "host",
    [
        "rollcall.example",
        "ROLLCALL.example",
        "localhost",
        "localhost:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
        "10.1.2.3:8000",
        "[2001:db8::1]",
    ],
)
def test_our_names_and_plain_addresses_are_answered(host: str) -> None:
    assert Site(PUBLIC).answers_to(host)


@pytest.mark.parametrize(
    "host",
    [
        "rollcall.example:8000",
        "evil.example",
        "rollcall.example.evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "localhost/",
        "localhost:",
        "",
        "::1",
        "[nonsense]",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not Site(PUBLIC).answers_to(host)


def test_without_a_public_url_only_loopback_names_are_answered() -> None:
    assert not Site(None).answers_to("rollcall.example")
    assert Site(None).answers_to("localhost:8000")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (PUBLIC, "rollcall.example"),
        (PUBLIC, "10.1.2.3:8000"),
        ("http://localhost:8000", "localhost:8000"),
    ],
)
def test_an_origin_that_is_ours(origin: str, host: str) -> None:
    assert Site(PUBLIC).is_own(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:9000", "localhost:8000"),
        ("https://localhost:8000", "localhost:8000"),
        ("http://rollcall.example", "rollcall.example"),
        ("https://evil.example", "rollcall.example"),
        ("null", "rollcall.example"),
        ("", "rollcall.example"),
    ],
)
def test_an_origin_that_is_not(origin: str, host: str) -> None:
    assert not Site(PUBLIC).is_own(origin, host)


def test_cookies_are_hidden_from_other_hosts_and_from_scripts() -> None:
    secure = Site(PUBLIC).cookie("session", "x").to_header(header="")
    assert secure.startswith("__Host-rollcall=x;")
    assert all(each in secure for each in ("HttpOnly", "Path=/", "SameSite=lax", "Secure"))
    assert "Domain" not in secure
    plain = Site(None).cookie("session", "x").to_header(header="")
    assert plain.startswith("rollcall=x;")
    assert "Secure" not in plain
    assert "Max-Age=0" in Site(None).cookie("session", None).to_header(header="")


def test_links_go_to_the_public_url_or_to_the_host_in_the_request() -> None:
    assert Site(PUBLIC).url("/x", "localhost:8000") == "https://rollcall.example/x"
    assert Site(None).url("/x", "localhost:8000") == "http://localhost:8000/x"
