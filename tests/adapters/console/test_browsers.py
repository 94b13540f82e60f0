from __future__ import annotations

import pytest

from adapters.console.browser_names import browser_of

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "told"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (f"{WINDOWS} {CHROME} Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS} {CHROME} Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"{WINDOWS} {CHROME} Safari/537.36 OPR/120.0", "Opera on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 CriOS/142.0 Mobile Safari/604.1",
            "Chrome on iPhone",
        ),
        ("Firefox/1", "Firefox"),
        ("python-httpx/0.28.1", "python-httpx/0.28.1"),
        ("curl/8.0 (something)", "curl/8.0"),
        ("x" * 1_000, "x" * 40 + "…"),
        ("a\x00\x1b[2Jb", "a\\x00\\x1b[2Jb"),
        ("", "an unknown browser"),
        (" ", "an unknown browser"),
    ],
)
def test_a_browser_is_called_as_people_call_it(user_agent: str, told: str) -> None:
    assert browser_of(user_agent) == told
