"""From licences to groups that everybody sees, over HTTP, and what others notice of it."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from functools import partial
from statistics import median
from threading import Event
from typing import TYPE_CHECKING

from msgspec import json

from tests.bench import limits, sizes
from tests.bench.servers import INSIDE, THIS, beside, environment, p99, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.servers import Server, Subscription
    from tests.bench.sizes import Sizes

PAGES = 20
PAGE = 100


def journey(server: Server, size: Sizes) -> dict[str, float]:
    """Measure each step of a large import, one after the other."""
    home, other = server.subscribe("Contoso", size.licences), server.subscribe("Fabrikam", 10)
    found = allocate(server, home, size)
    content = sizes.group_based("Group", size.groups, size.licences)
    where = ""

    def upload() -> None:
        nonlocal where
        where = server.upload(home, content)

    found["upload"] = timed(upload)
    found["review"] = found["upload"] + timed(lambda: server.until_reviewable(home, where))
    server.until(server.is_caught_up)
    found |= {
        "get_import": server.answers_a_second(where, home.token, size.seconds),
        "get_groups": server.answers_a_second(f"{where}/groups", home.token, size.seconds),
        **(limits.routes(server.conninfo, size.seconds) if server.build == THIS else {}),
        **pages(home, where),
    }
    with beside(lambda: other.client.get(f"{other.path}/groups").raise_for_status()) as idle:
        Event().wait(size.seconds)
    found["other_p99.limit"] = p99(idle)
    head = limits.head(server.conninfo) if server.build == THIS else 0
    return found | commit(server, home, other, where, size) | reached(server, head, size)


def allocate(server: Server, home: Subscription, size: Sizes) -> dict[str, float]:
    """Allocate all licences in one request, while events are appended one by one to another subscription."""
    content = sizes.licences(size.licences)
    with appending(server) as latencies:
        taken = timed(lambda: server.allocate(home, content))
    server.until(server.is_caught_up)
    return {"allocate": taken, "append_beside_p99": latencies[0]}


@contextmanager
def appending(server: Server) -> Iterator[list[float]]:
    """Append single events beside the block; the list has their 99th percentile when it has ended."""
    latencies: list[float] = []
    with subprocess.Popen(  # noqa: S603 - it is ours
        [str(server.build.root / ".venv/bin/python"), str(INSIDE), "appends"],
        cwd=server.build.root,
        env=environment(server.conninfo),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield latencies
        process.stdin.close()
        latencies.append(json.decode(process.stdout.read(), type=dict[str, float])["p99"])


def commit(server: Server, home: Subscription, other: Subscription, where: str, size: Sizes) -> dict[str, float]:
    """Add the groups, while another tenant reads theirs and a probe asks whether the server is ready."""
    not_ready = 0

    def probe() -> None:
        nonlocal not_ready
        not_ready += server.operator.get("/health/ready").status_code != 200

    with (
        beside(lambda: other.client.get(f"{other.path}/groups").raise_for_status()) as latencies,
        beside(probe, 0.5),
    ):
        taken = timed(lambda: server.add_groups(home, where))
    memberships = size.groups * sizes.USERS_A_GROUP / taken
    return {"commit": taken, "memberships": memberships, "other_p99": p99(latencies), "not_ready": float(not_ready)}


def reached(server: Server, head: int, size: Sizes) -> dict[str, float]:
    """Measure what a commit of the same events could take, and rebuilding the views."""
    found = {"commit.limit": limits.commit(server.conninfo, head, size.groups)} if head else {}
    return found | server.build.inside("rebuild", conninfo=server.conninfo)


def pages(home: Subscription, where: str) -> dict[str, float]:
    """Measure the first page of the review, and the hundredth or the last."""
    first = hundredth = f"{where}/groups?limit={PAGE}"
    for _ in range(99):
        links = home.client.get(hundredth).raise_for_status().links
        if "next" not in links:
            break
        hundredth = links["next"]["url"]
    taken: dict[str, list[float]] = {"hundredth_page.limit": [], "hundredth_page": []}
    for _ in range(PAGES):
        for key, page in zip(taken, (first, hundredth), strict=True):
            taken[key].append(timed(partial(home.client.get, page)) * 1_000)
    return {key: median(values) for key, values in taken.items()}


def stops(server: Server, size: Sizes) -> dict[str, float]:
    """Press Stop and Continue again and again while groups of 1,000 users are added."""
    users = sizes.USERS_A_LARGE_GROUP * 2
    home = server.subscribe("Contoso", users)
    server.allocate(home, sizes.licences(users))
    where = server.upload(home, sizes.group_based("Large", size.large_groups, users, sizes.USERS_A_LARGE_GROUP))
    server.until_reviewable(home, where)
    taken: list[float] = []
    while (found := server.state(home, where))["state"] != "completed":
        before = found["progress"]["groups_added"]
        server.press(home, where)
        server.until(partial(moved, server, home, where, before))
        taken.append(timed(lambda: home.client.post(f"{where}/stop")) * 1_000)
        server.until(lambda: server.state(home, where)["state"] in {"stopped", "completed"})
    return {"stop_p99": p99(taken)} if taken else {}


def moved(server: Server, home: Subscription, where: str, before: int) -> bool:
    """Return whether more groups were added, or all of them."""
    found = server.state(home, where)
    return bool(found["progress"]["groups_added"] > before or found["state"] == "completed")


def growth(server: Server, size: Sizes) -> dict[str, float]:
    """Measure how long commits of different sizes take."""
    home = server.subscribe("Contoso", size.licences)
    server.allocate(home, sizes.licences(size.licences))
    found = {}
    for memberships in size.growth:
        content = sizes.group_based(f"Of {memberships}", memberships // sizes.USERS_A_GROUP, size.licences)
        where = server.upload(home, content)
        server.until_reviewable(home, where)
        server.until(server.is_caught_up)
        found[f"growth {memberships}"] = timed(partial(server.add_groups, home, where))
    return found
