"""Names of browsers, so that people recognise their sessions."""

from __future__ import annotations

from domain.naming import printable

# Browsers also name the browsers they descend from, so the first match counts.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
LONGEST_PRODUCT = 40


def browser_of(user_agent: str) -> str:
    """Return `Firefox on Linux` for a User-Agent, or its first word if the browser isn't known."""
    browser = next((name for token, name in BROWSERS if token in user_agent), None)
    if browser is None:
        return printable(user_agent.partition(" ")[0], at_most=LONGEST_PRODUCT) or "an unknown browser"
    system = next((name for token, name in SYSTEMS if token in user_agent), None)
    return f"{browser} on {system}" if system else browser
