"""Kill workers and database connections at random while imports are committed, stopped, continued and undone; count.

`make test-kills ARGS="--minutes 15 --seed 1"`, on an embedded server of its own or on ROLLCALL_TEST_DATABASE_URL. Each
round imports files into two subscriptions, over HTTP, with two worker processes. When they are complete, the log, the
feed of group events, the claims and the view of the groups are compared with what the files say. It prints the figures
and fails if anything was lost or doubled, or if a group was added after a Stop. Some groups are in every file, so
batches also add to groups of other imports that run at the same time. Then one import of each subscription is undone,
with the same kills and Stops, and everything is compared again with what should be left.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import psycopg
from rich.console import Console

from adapters.composition import composed
from application.undoing import changes_of, groups_added
from domain.addition import GroupAdded
from domain.group import GroupCreated, GroupDeleted, GroupEvent, UsersAddedToGroup, UsersRemovedFromGroup
from domain.import_session import CommitCompleted, CommitStarted, CommitStopped
from domain.naming import group_key
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoStarted, UndoStopped, undo_group
from tests.adapters.api.importing import subscribed, whole
from tests.adapters.server.serving import Served, served
from tests.bench.servers import database, postgres
from tests.conftest import settings_for, working
from tests.waiting import Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from adapters.composition import Rollcall
    from application.records import Record

ROOT = Path(__file__).parents[1]
SUBSCRIPTIONS = 2
IMPORTS_AT_ONCE = 2
WORKERS = 2
GROUPS = 1_000
SHARED_GROUPS = 40
USERS = [f"user{number}@example.com" for number in range(60)]
PATIENCE_SECONDS = 300.0
CONSOLE = Console(width=120, highlight=False)


class Figures(Counter[str]):
    """What was done and what was found."""

    def found(self, what: str, seen: Iterable[Hashable], expected: Iterable[Hashable]) -> None:
        """Count what is missing and what is too much, in collections that should be equal."""
        wanted, there = Counter(iter(expected)), Counter(iter(seen))
        lost, doubled = wanted - there, there - wanted
        self.update({"lost": lost.total(), "doubled or added": doubled.total()})
        if lost or doubled:
            CONSOLE.print(f"WRONG: {what}: lost {list(lost)[:5]}, too much {list(doubled)[:5]}")


class Subscription:
    """One subscription: its path, what its groups should be, by key, and what its log has told."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.id = UUID(path.rpartition("/")[2])
        self.expected: defaultdict[str, set[str]] = defaultdict(set)
        self.groups: dict[UUID, tuple[str, list[str]]] = {}
        self.told: list[tuple[str, UUID]] = []


# --- the administrators ---------------------------------------------------------------------------------------------


class Administrator:
    """Imports a file over HTTP, and presses Stop and Continue. Repeats what wasn't answered, as a client should."""

    def __init__(self, server: Served, figures: Figures, random: Random) -> None:
        self._figures = figures
        self._random = random
        self._client = httpx.Client(base_url=server.url, auth=server.auth, timeout=30)

    def import_file(self, subscription: Subscription, content: str) -> UUID:
        """Import a file, and return the import's id once it is complete."""
        key = {"Idempotency-Key": str(uuid4())}
        files = {"file": ("groups.csv", content.encode())}
        answer = self._ask("POST", f"{subscription.path}/imports", files=files, headers=key)
        where = answer.headers["location"]
        version = self._shown(where, "reviewing")["version"]
        self._commit(where, version)
        while (document := self._shown(where, "committing", "completed"))["state"] != "completed":
            Event().wait(self._random.uniform(0.1, 6.0))
            if (stopped := self._stop(where, "stopped", "completed")) is not None:
                self._commit(where, stopped)
        self._client.close()
        return UUID(document["id"])

    def undo(self, subscription: Subscription, import_id: UUID) -> None:
        """Undo an import, and return once that is complete."""
        where = f"{subscription.path}/imports/{import_id}"
        self._undo(where, self._shown(where, "completed")["version"])
        while self._shown(where, "undoing", "undone")["state"] != "undone":
            Event().wait(self._random.uniform(0.1, 2.0))
            if (stopped := self._stop(where, "partly_undone", "undone")) is not None:
                self._undo(where, stopped)
        self._client.close()

    def _commit(self, where: str, version: int) -> None:
        self._ask("POST", f"{where}/commit", headers={"If-Match": f'"{version}"'})

    def _undo(self, where: str, version: int) -> None:
        self._ask("POST", f"{where}/undo", headers={"If-Match": f'"{version}"'})

    def _stop(self, where: str, resting: str, ended: str) -> int | None:
        """Press Stop, make sure that nothing is done afterwards, and return the version; None if it was complete."""
        answer = self._ask("POST", f"{where}/stop")
        version = int(answer.headers["etag"].strip('W/"'))
        stopped = self._shown(where, resting, ended, at=version)
        if stopped["state"] == ended:
            self._figures["Stops too late"] += 1
            return None
        self._figures["Stops"] += 1
        if answer.status_code == httpx.codes.OK and _progress(answer.json()) != _progress(stopped):
            self._figures["answers to Stop that were not true"] += 1
        Event().wait(self._random.uniform(0.0, 0.5))
        later = self._shown(where, resting, at=version)
        self._figures.found("after a Stop", [(later["version"], *_progress(later))], [(version, *_progress(stopped))])
        return version

    def _shown(self, where: str, *states: str, at: int = 0) -> dict[str, Any]:
        """Return the import once it is shown in one of these states, at this version or later."""
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            document: dict[str, Any] = self._ask("GET", where, missing_is_fine=True).json()
            if document.get("state") in states and document["version"] >= at:
                return document
            assert monotonic() < deadline, f"{where} is not {states} but {document}"
            Event().wait(0.1)

    def _ask(self, method: str, path: str, *, missing_is_fine: bool = False, **request: Any) -> httpx.Response:
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.request(method, path, **request)
            except httpx.TransportError:
                self._figures["requests without an answer"] += 1
            else:
                if answer.is_success or (missing_is_fine and answer.status_code == httpx.codes.NOT_FOUND):
                    return answer
                self._figures[f"answers {answer.status_code}"] += 1
                assert answer.status_code in {429, 503} or monotonic() < deadline, f"{method} {path}: {answer.text}"
            assert monotonic() < deadline, f"{method} {path} was not answered"
            Event().wait(0.3)


def _progress(document: dict[str, Any]) -> tuple[str, int, int, int]:
    progress = document["progress"]
    return document["state"], progress["groups_added"], progress["users_added"], progress["groups_undone"]


# --- who is killed --------------------------------------------------------------------------------------------------


class Workers:
    """Worker processes that are killed and replaced, and the database's processes, of which some are ended."""

    def __init__(self, conninfo: str, figures: Figures, random: Random) -> None:
        self._conninfo = conninfo
        self._figures = figures
        self._random = random
        self._processes = [self._started() for _ in range(WORKERS)]

    def close(self) -> None:
        """End all workers."""
        for each in self._processes:
            each.kill()
            each.wait()

    @contextmanager
    def being_killed(self) -> Iterator[None]:
        """Kill workers and database connections at random while the block runs."""
        ending = Event()
        killing = [Running(partial(self._again, kill, ending)) for kill in (self._kill_worker, self._end_connections)]
        try:
            yield
        finally:
            ending.set()
            for each in killing:
                each.result()

    def _again(self, kill: Callable[[], None], ending: Event) -> None:
        while not ending.wait(self._random.uniform(0.5, 8.0)):
            kill()

    def _kill_worker(self) -> None:
        which = self._random.randrange(WORKERS)
        self._processes[which].send_signal(signal.SIGKILL)
        self._processes[which].wait()
        self._processes[which] = self._started()
        self._figures["workers killed"] += 1

    def _end_connections(self) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            for (pid,) in self._random.sample(found, min(len(found), self._random.choice((1, 2, 3, 1_000)))):
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
                self._figures["connections ended"] += 1

    def _started(self) -> subprocess.Popen[bytes]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
        return subprocess.Popen(
            [sys.executable, "-c", "from adapters.cli.main import main; main()", "worker"],
            cwd=ROOT,
            env={**own, "ROLLCALL_DATABASE_URL": self._conninfo},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


# --- what must hold -------------------------------------------------------------------------------------------------


def check_import(figures: Figures, rollcall: Rollcall, import_id: UUID) -> None:
    """Compare an import's events with its file: each group once, in order, and none behind a Stop."""
    events = [record.event for record in rollcall.events.history(import_id)]
    added = [event.group for event in events if isinstance(event, GroupAdded)]
    figures.found("the groups of an import", added, range(1, GROUPS + 1))
    assert added == sorted(added), "the groups are not in order"
    assert sum(isinstance(event, CommitCompleted) for event in events) == 1
    runs = False
    for event in events:
        assert runs or not isinstance(event, GroupAdded), "a group was added after a Stop"
        runs = isinstance(event, CommitStarted) or (runs and not isinstance(event, CommitStopped))
    figures["groups imported"] += len(added)


def expected_of_undo(rollcall: Rollcall, subscription: Subscription, import_id: UUID) -> list[GroupUndone | GroupKept]:
    """Return what should become of each group of an import, and note in the subscription what should be left."""
    added = [event for _, event in groups_added(rollcall.events, import_id)]
    histories = rollcall.events.histories({each.group_id for each in added})
    reversals = [undo_group(each, import_id, changes_of(histories[each.group_id])) for each in added]
    for reversal in reversals:
        key = group_key(reversal.event.name)
        for event in reversal.group_events:
            if isinstance(event, UsersRemovedFromGroup):
                subscription.expected[key].difference_update(event.users)
            else:
                del subscription.expected[key]
    return [each.event for each in reversals]


def check_undo(figures: Figures, rollcall: Rollcall, import_id: UUID, expected: list[GroupUndone | GroupKept]) -> None:
    """Compare the events of an undo with what should become of each group: once, in order, and none behind a Stop."""
    events = [record.event for record in rollcall.events.history(import_id)]
    undone = [event for event in events if isinstance(event, GroupUndone | GroupKept)]
    figures.found("the groups of an undo", undone, expected)
    assert [each.group for each in undone] == [each.group for each in expected], "the groups are not in order"
    assert sum(isinstance(event, UndoCompleted) for event in events) == 1
    runs = False
    for event in events:
        assert runs or not isinstance(event, GroupUndone | GroupKept), "a group was undone after a Stop"
        runs = isinstance(event, UndoStarted) or (runs and not isinstance(event, UndoStopped))
    kept = sum(isinstance(each, GroupKept) for each in undone)
    figures.update({"groups undone": len(undone) - kept, "groups kept": kept, "undos": 1})


def take_log(subscriptions: dict[UUID, Subscription], records: list[Record], figures: Figures) -> None:
    """Fold the groups' events; a group that is created twice, or a user who is added twice, counts as doubled."""
    for record in records:
        subscription = subscriptions.get(record.origin.subscription_id)
        if subscription is None or not isinstance(record.event, GroupEvent):
            continue
        group_id, event = record.originator_id, record.event
        match event:
            case GroupCreated(name, users):
                figures.found("groups created", [group_id] * (group_id in subscription.groups), [])
                subscription.groups[group_id] = (name, list(users))
                subscription.told.append(("group.created", group_id))
            case UsersAddedToGroup(users):
                subscription.groups[group_id][1].extend(users)
                subscription.told.append(("group.users_added", group_id))
            case UsersRemovedFromGroup(users):
                there = subscription.groups[group_id][1]
                figures.found("users removed", [user for user in users if user not in there], [])
                there[:] = [user for user in there if user not in users]
                subscription.told.append(("group.users_removed", group_id))
            case GroupDeleted():
                figures.found("groups deleted", [group_id] * (group_id not in subscription.groups), [])
                subscription.groups.pop(group_id, None)
                subscription.told.append(("group.deleted", group_id))


def check_subscription(figures: Figures, rollcall: Rollcall, client: httpx.Client, subscription: Subscription) -> None:
    """Compare the log, the feed, the claims and the view of the groups with the files."""
    memberships = [(group_key(name), user) for name, users in subscription.groups.values() for user in users]
    expected = [(key, user) for key, users in subscription.expected.items() for user in users]
    figures.found("memberships in the log", memberships, expected)
    names = [group_key(name) for name, _ in subscription.groups.values()]
    figures.found("groups in the log", names, subscription.expected)
    figures["memberships checked"] = len(expected) + figures["memberships checked"]
    feed = [
        (each["type"].removeprefix("com.rollcall.").removesuffix(".v1"), UUID(each["subject"].removeprefix("groups/")))
        for each in whole(client, f"{subscription.path}/events?limit=1000")
    ]
    figures.found("events in the feed", feed, subscription.told)
    assert feed == subscription.told, "the feed has another order than the log"
    with rollcall.datastore.transaction() as cursor:
        cursor.execute("SELECT kind, key, stream_id FROM claims WHERE subscription_id = %s", (subscription.id,))
        claims = [(row["kind"], row["key"], row["stream_id"]) for row in cursor]
    held = [("group-name", group_key(name), group_id) for group_id, (name, _) in subscription.groups.items()]
    figures.found("claims of names", [each for each in claims if each[0] == "group-name"], held)
    figures.found("claims of licences", [key for kind, key, _ in claims if kind == "licence"], USERS)
    shown = [(group_key(row["name"]), row["users"]) for row in whole(client, f"{subscription.path}/groups?limit=1000")]
    figures.found("groups shown", shown, [(key, len(users)) for key, users in subscription.expected.items()])


def attack(conninfo: str, seconds: float, seed: int, figures: Figures) -> None:
    """Run rounds until the time is over; at least one."""
    until, position, rounds = monotonic() + seconds, 0, 0
    with ExitStack() as stack:
        server = stack.enter_context(served(conninfo, "--no-worker"))
        with composed(settings_for(conninfo)) as rollcall, working(rollcall, commits=False):
            subscriptions = [Subscription(subscribed(server.client, *USERS)) for _ in range(SUBSCRIPTIONS)]
        workers = Workers(conninfo, figures, Random(f"{seed} kills"))  # noqa: S311 - to repeat it
        stack.callback(workers.close)
        while not rounds or monotonic() < until:
            rounds += 1
            jobs = []
            for number, subscription in enumerate(subscriptions * IMPORTS_AT_ONCE):
                random = Random(f"{seed} {rounds} {number}")  # noqa: S311 - to repeat it
                content = _file(subscription, f"Round {rounds}.{number}", random)
                administrator = Administrator(server, figures, random)
                jobs.append(partial(administrator.import_file, subscription, content))
            with workers.being_killed():
                imports = [running.result(PATIENCE_SECONDS * 4) for running in [Running(job) for job in jobs]]
            with composed(settings_for(conninfo)) as rollcall:
                for import_id in imports:
                    check_import(figures, rollcall, import_id)
                position = check_round(figures, rollcall, server.client, subscriptions, position)
            one_each = dict(zip(imports, subscriptions, strict=False))  # the first imports are of one subscription each
            undo_one_each(conninfo, server, workers, figures, one_each, f"{seed} {rounds} undo")
            with composed(settings_for(conninfo)) as rollcall:
                position = check_round(figures, rollcall, server.client, subscriptions, position)
            figures.update({"rounds": 1, "imports": len(imports)})
            CONSOLE.print(f"{monotonic() - until + seconds:.0f} s:", dict(figures))


def undo_one_each(
    conninfo: str, server: Served, workers: Workers, figures: Figures, imports: dict[UUID, Subscription], seed: str
) -> None:
    """Undo imports of different subscriptions, which nobody else changes meanwhile."""
    with composed(settings_for(conninfo)) as rollcall:
        expected = {import_id: expected_of_undo(rollcall, each, import_id) for import_id, each in imports.items()}
    jobs = []
    for number, (import_id, subscription) in enumerate(imports.items()):
        administrator = Administrator(server, figures, Random(f"{seed} {number}"))  # noqa: S311 - to repeat it
        jobs.append(partial(administrator.undo, subscription, import_id))
    with workers.being_killed():
        for running in [Running(job) for job in jobs]:
            running.result(PATIENCE_SECONDS * 4)
    with composed(settings_for(conninfo)) as rollcall:
        for import_id, events in expected.items():
            check_undo(figures, rollcall, import_id, events)


def check_round(
    figures: Figures,
    rollcall: Rollcall,
    client: httpx.Client,
    subscriptions: list[Subscription],
    position: int,
) -> int:
    """Compare everything with the files, and return the position of the last event."""
    eventually(rollcall.health.catch_up)
    by_id = {each.id: each for each in subscriptions}
    while records := rollcall.events.read_log(position, 5_000):
        take_log(by_id, records, figures)
        position = records[-1].position
    for subscription in subscriptions:
        check_subscription(figures, rollcall, client, subscription)
    return position


def _file(subscription: Subscription, name: str, random: Random) -> str:
    """Return a group-based file, and note in the subscription what it adds."""
    shared = {f"Shared {number}" for number in range(SHARED_GROUPS)}
    own = [f"{name} group {number}" for number in range(GROUPS - SHARED_GROUPS)]
    rows = []
    for group in random.sample(own + sorted(shared), GROUPS):
        users = random.sample(USERS, random.randint(1, 4))
        subscription.expected[group_key(group)].update(users)
        rows.append(",".join((group, *users)))
    return "\n".join(("Groupname,Email,Email,Email,Email", *rows, ""))


def main() -> None:
    """Attack for some minutes and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    figures = Figures({"lost": 0, "doubled or added": 0})
    logging.getLogger("adapters").setLevel(logging.CRITICAL)  # lost connections are what it is about
    with postgres() as server, database(server) as conninfo:
        attack(conninfo, chosen.minutes * 60, chosen.seed, figures)
    for what, number in figures.items():
        CONSOLE.print(f"{number:>12,}  {what}")
    sys.exit(bool(figures["lost"] or figures["doubled or added"]))


if __name__ == "__main__":
    main()
