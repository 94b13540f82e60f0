"""Every page as a picture, to be looked at: `python -m tests.adapters.web.screenshots` writes them to screenshots/."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import UUID

from adapters.composition import composed
from adapters.postgres.embedded import embedded_server
from tests.adapters.http.importing import committed, lines, reaching, send, subscribed, uploaded
from tests.adapters.http.serving import served
from tests.adapters.http.tokens import token
from tests.adapters.web.browsing import chromium, somebody
from tests.conftest import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.adapters.http.serving import Served

FOLDER = Path("screenshots")
WIDTHS = (320, 1280, 2560)
THEMES = ("light", "dark")
API = "/api/v1"
PEOPLE = ("ann.lee", "ben.ortega", "chloe.martin", "david.okafor", "elena.rossi", "farid.haddad", "grace.kim")

TROUBLED = """Groupname,Email,Email,Email
Design,ann.lee@example.com,ben.ortega@example.com,hugo.weber@example.com
Équipe Paris,chloe.martin@example.com,farid.haddad(at)example.com,
"Sales, Europe",elena.rossi@example.com,grace.kim@example.com,grace.kim@example.com
<b>Marketing</b>,chloe.martin@example.com,david.okafor@example.com,
مجموعة المبيعات والتسويق,ann.lee@example.com,temp.agency@example.com,
A group whose name goes on and on because somebody thought that the name is where the whole description belongs,ben.ortega@example.com,,
Pаypal Admins,ann.lee@example.com,averyveryverylongaddresswithoutanybreaksinit.butstillvalid@subdomain.of.a.rather.long.domain.example.com,
Nobody here,nobody@example.com,,
,ann.lee@example.com,,
"""


def main() -> None:
    """Make all pictures; words as arguments choose those whose name has one of them."""
    with TemporaryDirectory(prefix="rollcall-pictures-") as folder:
        Path(folder).chmod(0o755)  # the server's own user must get in, where this runs as root
        with embedded_server(Path(folder) / "postgres") as conninfo, served(conninfo) as server, chromium() as browser:
            take(browser, server, conninfo, sys.argv[1:])


def take(browser: Browser, server: Served, conninfo: str, words: list[str]) -> None:
    """Make the pictures of a server's pages."""
    FOLDER.mkdir(exist_ok=True)
    with _pages(server) as (subscription, pages), composed(settings_for(conninfo)) as rollcall:
        administrator = token(rollcall, "administrator", UUID(subscription.rsplit("/", 1)[1]))
        for theme in THEMES:
            for width in WIDTHS:
                size = {"width": width, "height": 800 if width > 320 else 640}
                with somebody(browser, server, administrator, viewport=size, color_scheme=theme) as context:
                    page = context.new_page()
                    for name, address in pages.items():
                        if not words or any(word in f"{name}-{width}-{theme}" for word in words):
                            page.goto(address)
                            page.screenshot(path=FOLDER / f"{name}-{width}-{theme}.png", full_page=width < 2560)


@contextmanager
def _pages(server: Served) -> Iterator[tuple[str, dict[str, str]]]:
    client = server.client
    where = subscribed(client, *(f"{name}@example.com" for name in PEOPLE), seats=12)
    subscription = where.removeprefix(API)
    samples = files("adapters").joinpath("samples")
    refused = send(client, where, "email,Vorname,LastName,Team\nann@example.com,Ann,Lee,Design\n", "people.csv")
    done = uploaded(client, where, samples.joinpath("user-based.csv").read_text(), "user-based.csv")
    committed(client, done)
    review = uploaded(client, where, TROUBLED, "teams-and-offices-2026.csv")
    shown = {
        "subscription": subscription,
        "import": f"{subscription}/import",
        "refused": str(refused.headers["location"]).removeprefix(API),
        "review": review.removeprefix(API),
        "review-open": f"{review.removeprefix(API)}?open=2&edit=3",
        "problems": f"{review.removeprefix(API)}?show=problems",
        "completed": done.removeprefix(API),
        "left": f"{done.removeprefix(API)}?show=left",
        "history": f"{done.removeprefix(API)}/history",
        "imports": f"{subscription}/imports",
        "nowhere": "/nowhere",
    }
    many = subscribed(client, "ann@example.com")
    running = uploaded(client, many, lines(60_000), "everything.csv")
    client.post(f"{running}/commit", headers={"If-Match": client.get(running).headers["etag"]})
    client.post(f"{running}/stop")
    reaching(client, running, "stopped")
    yield subscription, shown


if __name__ == "__main__":
    main()
