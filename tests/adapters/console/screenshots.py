"""Pictures of every page: `python -m tests.adapters.console.screenshots` writes them to screenshots/.

With `--docs` it writes those in docs/images instead.
"""

from __future__ import annotations

import sys
from functools import reduce
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import UUID, uuid4

from adapters.composition import composed
from adapters.console.links import sign_in_link
from adapters.postgres.embedded import embedded_server
from application.records import Origin
from application.undoing import UndoRun
from domain.access import ROLLCALL, AccessGranted, TokenIssued
from tests.adapters.api.importing import if_match, send, subscribed, uploaded
from tests.adapters.console.browsing import UNHURRIED, chromium, granted, run_batches, somebody
from tests.adapters.server.serving import served
from tests.conftest import ANN, settings_for, working
from tests.histories import in_one_append
from tests.waiting import eventually

if TYPE_CHECKING:
    import httpx
    from playwright.sync_api import Browser, Page, Response

    from adapters.composition import Rollcall
    from application.records import Event
    from tests.adapters.server.serving import Served

FOLDER = Path("screenshots")
DOCS = Path("docs/images")
IN_DOCS = {"refused": ("refused", 720), "review-open": ("review", 1100), "progress": ("progress", 560)}
"""The pages in docs/images, with the names and heights of their pictures."""

WIDTHS = (375, 1280, 2560)
SELECT = "tbody input[name=pick]"
CLICKED = {
    "groups-selected": [SELECT],
    "groups-asked": [SELECT, ".picked button"],
    "groups-export": ["[popovertarget=export]"],
    "audit-picking": [".choices summary"],
    "group-selected": [SELECT],
    "users-selected": [SELECT],
    "user-joining": ["[popovertarget=join]"],
}
"""What is clicked on a page before its picture is taken."""
FROM_ANOTHER_SITE = {"cross-site"}
"""Pages that answer a form of another site."""

THEMES = ("light", "dark")
API = "/api/v1"
PEOPLE = ("ann.lee", "ben.ortega", "chloe.martin", "david.okafor", "elena.rossi", "farid.haddad", "grace.kim")

REFUSED = "email,Vorname,LastName,Team\nann@example.com,Ann,Lee,Design\n"
LONG_NAME = "A group whose name goes on and on because somebody thought that all of its description belongs there"
LONG_ADDRESS = f"{'a-long-address-without-a-space' * 2}@{'and-a-domain-as-long' * 2}.of.example.com"
ARABIC = "مجموعة المبيعات والتسويق"
TROUBLED = f"""Groupname,Email,Email,Email
Design,ann.lee@example.com,ben.ortega@example.com,hugo.weber@example.com
Équipe Paris,chloe.martin@example.com,farid.haddad(at)example.com,
"Sales, Europe",elena.rossi@example.com,grace.kim@example.com,grace.kim@example.com
<b>Marketing</b>,chloe.martin@example.com,david.okafor@example.com,
{ARABIC},ann.lee@example.com,temp.agency@example.com,
{LONG_NAME},ben.ortega@example.com,,
Pаypal Admins,ann.lee@example.com,{LONG_ADDRESS},
Nobody here,nobody@example.com,,
,ann.lee@example.com,,
"""
OTHERS = {
    "Équipe Paris": "Équipe Lyon",
    "Sales, Europe": "Sales, Asia",
    "<b>Marketing</b>": "<b>Media</b>",
    ARABIC: f"{ARABIC} 2",
    LONG_NAME: f"{LONG_NAME} 5",
    "Pаypal Admins": "Pаypal Owners",
}
"""Names for other groups, so that a review of the first ones creates them."""

CZECH = """email,FirstName,LastName,Groupname
ann.lee@example.com,Jiří,Dvořák,Účetní oddělení
ben.ortega@example.com,Žofie,Němcová,Právní oddělení
"""


def main() -> None:
    """Take all pictures, or those whose names contain one of the arguments."""
    with TemporaryDirectory(prefix="rollcall-pictures-") as folder:
        Path(folder).chmod(0o755)  # if this runs as root, PostgreSQL's user needs access
        with (
            embedded_server(Path(folder) / "postgres") as conninfo,
            served(conninfo, "--no-worker", environment=UNHURRIED) as server,
            composed(settings_for(conninfo)) as rollcall,
            working(rollcall, commits=False),
            chromium() as browser,
        ):
            pages = made(server, rollcall)
            if "--docs" in sys.argv:
                take_for_docs(browser, server, rollcall, pages)
            else:
                take(browser, server, rollcall, pages, sys.argv[1:])


def take(browser: Browser, server: Served, rollcall: Rollcall, pages: dict[str, str], words: list[str]) -> None:
    """Take the pictures of a server's pages."""
    FOLDER.mkdir(exist_ok=True)
    for theme in THEMES:
        for width in WIDTHS:
            size = {"width": width, "height": 640 if width == WIDTHS[0] else 800}
            with somebody(browser, server, rollcall, pages["groups"], viewport=size, color_scheme=theme) as context:
                page = context.new_page()
                for name, address in pages.items():
                    picture = f"{name}-{width}-{theme}"
                    if not words or any(word in picture for word in words):
                        opened(page, server, name, address)
                        for selector in CLICKED.get(name, ()):
                            page.locator(selector).nth(0).click()
                        page.screenshot(path=FOLDER / f"{picture}.png", full_page=width != WIDTHS[-1])


def opened(page: Page, server: Served, name: str, address: str) -> Response:
    """Open one of the pages, with a form of another site if that is what it answers, and return the response."""
    if name in FROM_ANOTHER_SITE:
        page.goto("about:blank")
        page.set_content(f'<form method="post" action="{server.url}{address}"><button>Send</button></form>')
        with page.expect_navigation() as arriving:
            page.get_by_role("button").click()
        answer: Response | None = arriving.value
    else:
        answer = page.goto(address)
    assert answer
    return answer


def undos(client: httpx.Client, rollcall: Rollcall, where: str) -> tuple[str, str, str, str]:
    """Return imports that are undone, being undone, to be undone, and undone in part; others changed some groups."""
    imports = []
    for number, batches in enumerate((9, 2, 0, 1)):
        names = [f"Wrong team {number}.{each}" for each in range(1, 31)]
        rows = "".join(f"{name},ann.lee@example.com,ben.ortega@example.com\n" for name in names)
        imports.append(uploaded(client, where, f"Groupname,Email,Email\n{rows}", f"wrong-{number}.csv"))
        assert client.post(f"{imports[-1]}/commit", headers=if_match(client, imports[-1])).status_code == 202
        run_batches(rollcall, UUID(imports[-1].rsplit("/", 1)[1]), 9)
        groups = {each["name"]: each["id"] for each in client.get(f"{where}/groups?limit=1000&q=Wrong").json()}
        client.patch(f"{where}/groups/{groups[names[1]]}", json={"name": f"{LONG_NAME} {number}"})
        for address in ("chloe.martin@example.com", "david.okafor@example.com"):
            client.post(f"{where}/groups/{groups[names[2]]}/users", json={"emails": [address]})
        client.delete(f"{where}/groups/{groups[names[3]]}")
        if batches:
            assert client.post(f"{imports[-1]}/undo", headers=if_match(client, imports[-1])).status_code == 202
            undo = UndoRun(rollcall, UUID(imports[-1].rsplit("/", 1)[1]))
            for _ in range(batches):
                undo.run_batch()
    client.post(f"{imports[3]}/stop")
    return imports[0], imports[1], imports[2], imports[3]


def take_for_docs(browser: Browser, server: Served, rollcall: Rollcall, pages: dict[str, str]) -> None:
    """Take the pictures in docs/images. Install fonts-noto-core first, so that they stay alike."""
    for name, (picture, height) in IN_DOCS.items():
        size = {"width": 960, "height": height}
        with somebody(browser, server, rollcall, pages["groups"], viewport=size) as context:
            page = context.new_page()
            page.goto(pages[name])
            page.evaluate("scrollTo(0, 0)")  # a field that has focus may have scrolled the page
            page.screenshot(path=DOCS / f"{picture}.png")


def somebody_forgotten(client: httpx.Client, rollcall: Rollcall) -> str:
    """Forget somebody in a subscription of their own, and return the page that says so."""
    where, former = subscribed(client, "former@example.com"), {"email": "former@example.com"}
    granted(rollcall, UUID(where.rpartition("/")[2]), "administrator")
    person = client.post(f"{where}/persons/forget", json=former).json()["person"]
    eventually(rollcall.erasure.is_finished)
    return f"{where}/persons/forget?forgotten={person}"


def made(server: Served, rollcall: Rollcall) -> dict[str, str]:
    """Create a subscription where everything has happened and one where nothing has, and return all pages by name.

    The administrator of the first also administers the second, and is an operator.
    """
    client = server.client
    where = subscribed(client, *(f"{name}@example.com" for name in PEOPLE), seats=12)
    samples = files("adapters").joinpath("samples")
    refused = send(client, where, REFUSED, "people.csv").headers["location"]
    done = uploaded(client, where, samples.joinpath("user-based.csv").read_text(), "user-based.csv")
    guessed = uploaded(client, where, CZECH.encode("windows-1250"), "skupiny.csv")
    review = uploaded(client, where, TROUBLED, "teams-and-offices-2026.csv")
    edited = uploaded(client, where, TROUBLED, "put-right.csv")
    edits = [
        {"edit": "correct", "old": "farid.haddad(at)example.com", "new": "farid.haddad@example.com"},
        {"edit": "add", "group": 2, "email": "grace.kim@example.com"},
        {"edit": "add", "group": 2, "email": LONG_ADDRESS},
        {"edit": "remove", "group": 2, "email": "chloe.martin@example.com"},
        {"edit": "rename", "group": 2, "name": "Paris"},
    ]
    assert client.patch(edited, json={"edits": edits}, headers=if_match(client, edited)).is_success
    everywhere = "".join(f"Office {number},ann.lee@example.com\n" for number in range(1, 3_001))
    running, stopped, closed = (
        uploaded(client, where, f"Groupname,Email\n{everywhere}", f"{name}.csv") for name in "abc"
    )
    faulty = uploaded(
        client, where, reduce(lambda text, pair: text.replace(*pair), OTHERS.items(), TROUBLED), "with-faults.csv"
    )
    for each, batches in ((done, 100), (faulty, 100), (running, 6), (stopped, 5), (closed, 5)):
        assert client.post(f"{each}/commit", headers=if_match(client, each)).status_code == 202
        run_batches(rollcall, UUID(each.rsplit("/", 1)[1]), batches)
    for each in (stopped, closed):
        client.post(f"{each}/stop")
    assert client.post(f"{closed}/close", headers=if_match(client, closed)).is_success
    undone, undoing, to_undo, half = undos(client, rollcall, where)
    fresh = subscribed(client)
    names = {"email": "hugo.weber@example.com", "first_name": "Hugo", "last_name": "Weber"}
    odd = {"email": LONG_ADDRESS, "first_name": "محمد عبد الرحمن", "last_name": "<b>Al</b>-Sayed"}
    assert client.post(f"{where}/licences", json={"users": [names, odd]}).is_success
    everybody = [*(f"{name}@example.com" for name in PEOPLE), names["email"], odd["email"]]
    group, empty = (
        client.post(f"{where}/groups", json={"name": name, "users": users}).headers["location"]
        for name, users in ((f"<b>{LONG_NAME}</b>", everybody), (ARABIC, []))
    )
    for email, role in ((names["email"], "auditor"), (odd["email"], "consumer")):
        assert client.post(f"{where}/access", json={"email": email, "role": role}).is_success
    token = {"name": LONG_NAME, "role": "consumer", "subscription_id": where.rpartition("/")[2]}
    assert client.post(f"{API}/tokens", json=token).is_success
    crowded = UUID(subscribed(client).rpartition("/")[2])
    granted(rollcall, crowded, "administrator")
    people: list[Event] = [
        AccessGranted(f"{number}@{LONG_ADDRESS.partition('@')[2]}", "auditor") for number in range(100, 190)
    ]
    tokens: list[Event] = [
        TokenIssued(f"{number} {LONG_NAME}", "consumer", "0" * 64, None) for number in range(100, 620)
    ]
    in_one_append(rollcall, Origin(crowded, ANN, "test"), *((uuid4(), each) for each in (*people, *tokens)))
    granted(rollcall, UUID(fresh.rpartition("/")[2]), "administrator")
    ended = subscribed(client, *everybody[:2], seats=2)
    granted(rollcall, UUID(ended.rpartition("/")[2]), "administrator")
    assert client.post(f"{ended}/close", json={"reason": "The contract ended."}).is_success
    granted(rollcall, ROLLCALL, "operator", "administrator@example.com")
    rollcall.health.catch_up()
    people_without = (
        f"email,FirstName,LastName\nann.lee@example.com,,\n{LONG_ADDRESS},Ann,Lee\nhugo.weber@,,\nx@example.com,X,\n"
    )
    import_file = samples.joinpath("user-based.csv").read_text().replace("@example.com", "@of.example.com")
    id_ = UUID(where.rpartition("/")[2])
    licences, many = (rollcall.blobs.put(id_, "file", [text.encode()]) for text in (people_without, import_file))
    plan = client.post(f"{where}/groups/delete", params={"plan": True}, json={"q": "office"}).json()
    deleting = f"{where}/groups/delete?query=q%3Doffice&done=5000"
    then = quote(rollcall.now().isoformat())
    [gone, *_] = client.get(f"{undone}/groups-added?only=deleted&limit=1").json()
    discarded = uploaded(client, where, "Groupname,Email\nDiscarded,ann.lee@example.com\n", "discarded.csv")
    assert client.delete(discarded, headers=if_match(client, discarded)).is_success
    addresses = {
        "subscriptions": "/",
        "cross-site": "/sign-out",
        "sessions": "/sessions",
        "sign-in": "/sign-in",
        "sign-in-link": sign_in_link(rollcall, names["email"], served_at=""),
        "sign-in-link-used": "/sign-in/link/x",
        "problem-kind": "/problems/stale",
        "audit": f"{where}/audit?type=&email=ann.lee%40example.com",
        "audit-nothing": f"{where}/audit?actor=nobody",
        "audit-picking": f"{where}/audit?type=group-created&type=users-added",
        "settings": f"{where}/settings",
        "settings-crowded": f"/subscriptions/{crowded}/settings",
        "settings-closed": f"{ended}/settings",
        "import-closed": f"{ended}/import",
        "licences-closed": f"{ended}/licences/file",
        "overview": f"{where}/overview",
        "first-steps": f"{fresh}/overview",
        "import": f"{where}/import",
        "refused": refused,
        "review": review,
        "review-narrowed": f"{review}?only=creates&user=ann",
        "review-open": f"{review}?open=2&edit=3",
        "review-edited": f"{edited}?open=2&fix=u2",
        "problems": f"{review}?show=problems",
        "unlicensed-group": f"{review}?open=5",
        "unlicensed": f"{review}?show=unlicensed",
        "encoding": guessed,
        "progress": running,
        "stopped": stopped,
        "closed": closed,
        "completed": done,
        "completed-with-faults": faulty,
        "result-narrowed": f"{faulty}?show=added&outcome=users_added",
        "result-memberships": f"{faulty}?show=memberships",
        "result-already-there": f"{faulty}?show=memberships&outcome=already_there",
        "result-skipped": f"{faulty}?show=left&outcome=skipped",
        "result-left-out": f"{faulty}?show=unlicensed",
        "result-not-read": f"{faulty}?show=unread",
        "undo-review": f"{to_undo}/undo",
        "undo-progress": undoing,
        "undo-stopped": half,
        "undo-result": undone,
        "undo-added": f"{undone}?show=added",
        "undo-deleted": f"{undone}?show=added&outcome=deleted",
        "undo-removed": f"{undone}?show=memberships&outcome=users_removed",
        "left": f"{stopped}?show=left",
        "discarded": discarded,
        "history": f"{done}/history",
        "history-edited": f"{edited}/history",
        "history-undone": f"{undone}/history",
        "version-corrected": f"{edited}/versions?version=3&open=2",
        "version-renamed": f"{edited}/versions?version=7",
        "version-added": f"{done}/versions?version=5",
        "version-stopped": f"{stopped}/versions",
        "version-undone": f"{undone}/versions?version=40",
        "version-refused": f"{refused}/versions",
        "imports": f"{where}/imports",
        "imports-narrowed": f"{where}/imports?state=completed",
        "no-imports": f"{fresh}/imports",
        "groups": f"{where}/groups",
        "groups-as-of": f"{where}/groups?at={then}",
        "groups-selected": f"{where}/groups?sort=-users",
        "groups-asked": f"{where}/groups?q=wrong",
        "groups-deleting": f"{deleting}&digest={plan['digest']}",
        "groups-deleting-stopped": f"{deleting}&stopped=1",
        "groups-export": f"{where}/groups",
        "groups-narrowed": f"{where}/groups?size=1&sort=created&q=office",
        "groups-none-like-it": f"{where}/groups?q=nothing",
        "no-groups": f"{fresh}/groups",
        "group": group,
        "group-as-of": f"{group}?at={then}",
        "group-history": f"{group}/history",
        "group-history-deleted": f"{where}/groups/{gone['group_id']}/history",
        "group-removing": f"{group}/remove-many?q=example",
        "group-selected": group,
        "group-renamed": f"{group}?edit=1",
        "group-empty": f"{empty}?added=2&there=1",
        "group-gone": f"{where}/groups/{uuid4()}",
        "users": f"{where}/users",
        "users-as-of": f"{where}/users?at={then}",
        "users-revoking": f"{where}/licences/revoke-many?query=q%3Dexample",
        "users-selected": f"{where}/users",
        "users-narrowed": f"{where}/users?only=no_name",
        "no-users": f"{fresh}/users",
        "user": f"{where}/users/ann.lee@example.com",
        "user-as-of": f"{where}/users/ann.lee@example.com?at={then}",
        "user-gone": f"{where}/users/nobody@example.com",
        "user-joining": f"{where}/users/chloe.martin@example.com",
        "user-odd": f"{where}/users/{LONG_ADDRESS}",
        "person": f"{where}/persons/forget?email=ann.lee@example.com",
        "persons": somebody_forgotten(client, rollcall),
        "persons-refused": f"{where}/persons/forget?email=nobody",
        "licences-file": f"{where}/licences/file",
        "licences-review": f"{where}/licences/file/{licences}?name=people.csv&allocated=2",
        "licences-review-few": f"{where}/licences/file/{many}?name=groups-and-people.csv",
        "nowhere": f"{where}/nowhere",
    }
    return {name: address.removeprefix(API) for name, address in addresses.items()}


if __name__ == "__main__":
    main()
