"""Two administrators do whatever they like in one subscription, over the real API, while a real worker commits.

Each rule sends one request, says what the model expects to come of it, and compares what is answered and what the log
got. Whenever somebody looks, everything that the API shows is compared as well.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from domain.downloads import FileDownloaded
from tests.adapters.api.importing import subscribed, whole
from tests.adapters.api.tokens import id_of, scope_of, token
from tests.adapters.machine.files import NAMES, PEOPLE, UploadedFile, files
from tests.adapters.machine.model import BY_WORKER, GROUP_EVENTS, Import, Model, clean, key, replayed
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from application.records import Record
    from tests.adapters.server.serving import Served

SEATS, LICENSED = 6, 4
LOOKS = 50  # at most, until nothing moves

DONE, ALREADY = "done", "already"
"""What a request comes to, besides a refusal, which goes by its code: it changes something, or it need not."""

ADMINISTRATORS = st.sampled_from((0, 1))
SOME_PEOPLE = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4, unique=True)
KEYS = st.sampled_from(("keyed", None))
ANY = st.integers(0, 1_000)
EDITS = st.lists(st.tuples(ANY, st.one_of(st.none(), st.sampled_from(NAMES))), max_size=3)
VERSIONS_AGO = st.sampled_from((0, 0, 0, 1, 2))


@dataclass(frozen=True)
class Sent:
    """A request with a key that has done something, and the group or import that it created or changed."""

    who: int
    path: str
    request: dict[str, Any]
    about: UUID | None


class SubscriptionMachine(RuleBasedStateMachine):
    """A subscription with two administrators."""

    served: ClassVar[Served]
    beside: ClassVar[Rollcall]
    outcomes: ClassVar[Counter[str]] = Counter()

    @initialize()
    def subscribe(self) -> None:
        self.where = subscribed(self.served.client, *PEOPLE[:LICENSED], seats=SEATS)
        self.scope = scope_of(self.where)
        tokens = [token(self.beside.events, "administrator", self.scope) for _ in range(2)]
        self.actors = [f"token:{id_of(text)}" for text in tokens]
        self.clients = [
            httpx.Client(
                base_url=self.served.url, timeout=GENEROUS_SECONDS, headers={"Authorization": f"Bearer {text}"}
            )
            for text in tokens
        ]
        self.model = Model(SEATS)
        self.position = 0
        self.news: list[Record] = []  # since the last request was sent, and what that request did
        self.mine: list[Record] = []
        self.feed: list[tuple[str, str, dict[str, object]]] = []
        self.last_event: dict[str, str] = {}
        self.sent: list[Sent] = []
        self.seen = 0  # the version that the last request with If-Match named
        self.created: list[UUID] = []
        self.imports: list[UUID] = []
        self.sync()

    # --- how requests are sent, and compared with the model ---

    def sync(self) -> list[Record]:
        """Let the model follow the log, and return what is new in it."""
        found: list[Record] = []
        while some := self.beside.events.read_log(self.position, 1_000):
            self.position = some[-1].position
            found += [record for record in some if record.origin.subscription_id == self.scope]
        self.model.follow(found)
        return found

    def send(self, who: int, method: str, path: str, expected: Callable[[], str], **request: Any) -> httpx.Response:
        """Send a request, and check that it comes to what the model expects.

        What a worker does meanwhile may come before the request or after it, so either is right then.
        """
        self.sync()
        before = expected()
        answer = self.clients[who].request(method, f"{self.where}{path}", **request)
        news = self.sync()
        mine = [record for record in news if self._was_made_by(record, answer)]
        self.news, self.mine = news, mine
        got = _outcome(answer, changed=bool(mine))
        context = (method, path, request, f"{got=}", f"{before=}", answer.status_code, answer.text[:500])
        assert {record.origin.actor.id for record in mine} <= {self.actors[who]}, context
        assert got == before or (len(news) > len(mine) and got in {DONE, expected()}), context
        route = re.sub("[0-9a-f-]{36}|[a-z]+@example.com|[0-9]+", "…", path)
        self.outcomes[f"{method} {route}: {got}"] += 1
        return answer

    def _was_made_by(self, record: Record, answer: httpx.Response) -> bool:
        of_a_commit = isinstance(record.event, GROUP_EVENTS) and record.origin.import_id is not None
        by_worker = of_a_commit or isinstance(record.event, BY_WORKER)  # under the id of the request that started it
        return record.origin.request_id == answer.headers["X-Request-Id"] and not by_worker

    def post(
        self, who: int, path: str, expected: Callable[[], str], keyed: str | None, **request: Any
    ) -> httpx.Response:
        """Send a POST, with a key or without, and keep it to be repeated."""
        headers = {"Idempotency-Key": str(uuid4())} if keyed else {}
        answer = self.send(who, "POST", path, expected, headers=headers, **request)
        about = re.search("/(?:groups|imports)/([0-9a-f-]{36})", answer.headers.get("Location", path))
        if keyed and (answer.is_success or _code(answer) == "file-refused"):
            self.sent.append(Sent(who, path, {"headers": headers, **request}, UUID(about[1]) if about else None))
        return answer

    # --- licences and seats ---

    @rule(who=ADMINISTRATORS, emails=SOME_PEOPLE, keyed=KEYS)
    def allocate(self, who: int, emails: list[str], keyed: str | None) -> None:
        new = set(emails) - self.model.licences

        def expected() -> str:
            too_many = len(new) > self.model.seats - len(self.model.licences)
            return "seats-exceeded" if too_many else DONE if new else ALREADY

        answer = self.post(who, "/licences", expected, keyed, json={"users": [{"email": e.title()} for e in emails]})
        if answer.is_success:
            told = answer.json()
            assert (told["allocated"], told["already_allocated"]) == (len(new), len(emails) - len(new))

    @rule(who=ADMINISTRATORS, email=st.sampled_from(PEOPLE))
    def revoke(self, who: int, email: str) -> None:
        self.send(who, "DELETE", f"/licences/{email}", lambda: DONE if email in self.model.licences else ALREADY)

    @rule(who=ADMINISTRATORS, seats=st.integers(0, 9))
    def change_seats(self, who: int, seats: int) -> None:
        def expected() -> str:
            too_few = seats < len(self.model.licences)
            return ALREADY if seats == self.model.seats else "seats-in-use" if too_few else DONE

        self.send(who, "PATCH", "", expected, json={"seats": seats})

    # --- groups by hand ---

    @rule(who=ADMINISTRATORS, name=st.sampled_from(NAMES), emails=st.one_of(st.just([]), SOME_PEOPLE), keyed=KEYS)
    def create_group(self, who: int, name: str, emails: list[str], keyed: str | None) -> None:
        def expected() -> str:
            if self.model.named(name):
                return "group-name-taken"
            return DONE if self.model.licences.issuperset(emails) else "not-licensed"

        answer = self.post(who, "/groups", expected, keyed, json={"name": name, "users": emails})
        if answer.is_success:
            self.created.append(UUID(answer.headers["Location"].rpartition("/")[2]))

    def a_group(self, which: int) -> UUID:
        """Return a group that exists, or one that was deleted."""
        every = list(dict.fromkeys([*self.model.groups, *self.created]))
        return every[which % len(every)] if every else uuid4()

    @rule(who=ADMINISTRATORS, which=ANY, name=st.sampled_from(NAMES))
    def rename_group(self, who: int, which: int, name: str) -> None:
        group = self.a_group(which)

        def expected() -> str:
            if group not in self.model.groups:
                return "not-found"
            if self.model.groups[group].name == clean(name):
                return ALREADY
            return DONE if self.model.named(name) in {None, group} else "group-name-taken"

        self.send(who, "PATCH", f"/groups/{group}", expected, json={"name": name})

    @rule(who=ADMINISTRATORS, which=ANY)
    def delete_group(self, who: int, which: int) -> None:
        group = self.a_group(which)

        def expected() -> str:
            if group in self.model.groups:
                return DONE
            return ALREADY if group in self.created else "not-found"

        self.send(who, "DELETE", f"/groups/{group}", expected)

    @rule(who=ADMINISTRATORS, which=ANY, emails=SOME_PEOPLE, keyed=KEYS)
    def add_users(self, who: int, which: int, emails: list[str], keyed: str | None) -> None:
        group = self.a_group(which)

        def expected() -> str:
            if group not in self.model.groups:
                return "not-found"
            new = set(emails) - self.model.groups[group].users
            return "not-licensed" if not new <= self.model.licences else DONE if new else ALREADY

        answer = self.post(who, f"/groups/{group}/users", expected, keyed, json={"emails": emails})
        if answer.is_success:
            assert Counter(answer.json()["added"] + answer.json()["already_there"]) == Counter(emails)

    @rule(who=ADMINISTRATORS, which=ANY, user=ANY)
    def remove_user(self, who: int, which: int, user: int) -> None:
        """Remove a user from a group, or somebody who isn't in it."""
        group = self.a_group(which)
        users = sorted(self.model.groups[group].users) if group in self.model.groups else []
        email = [*users, PEOPLE[user % len(PEOPLE)]][user % (len(users) + 1)]

        def expected() -> str:
            if group not in self.model.groups:
                return "not-found"
            return DONE if email in self.model.groups[group].users else ALREADY

        self.send(who, "DELETE", f"/groups/{group}/users/{email}", expected)

    @rule(who=ADMINISTRATORS, other=ADMINISTRATORS, name=st.sampled_from(NAMES), emails=SOME_PEOPLE, user=ANY)
    def gather_and_part(self, who: int, other: int, name: str, emails: list[str], user: int) -> None:
        """Create a group of licensed users; then one is removed from it, and another loses the licence."""
        self.change_seats(who, 9)
        self.allocate(who, emails, None)
        self.create_group(who, name, emails, None)
        self.remove_user(other, len(self.model.groups) - 1, user)
        self.revoke(other, emails[-1])

    # --- imports ---

    @rule(who=ADMINISTRATORS, file=files, keyed=KEYS)
    def upload(self, who: int, file: UploadedFile, keyed: str | None) -> None:
        name = f"{uuid4()}.csv"
        self.model.files[name] = file.imported()
        outcome = DONE if file.file else "file-refused"
        answer = self.post(who, "/imports", lambda: outcome, keyed, files={"file": (name, file.content)})
        self.imports.append(UUID(answer.headers["Location"].rpartition("/")[2]))

    @rule(who=ADMINISTRATORS, other=ADMINISTRATORS, file=files, edits=EDITS, presses=st.integers(1, 4))
    def import_file(
        self, who: int, other: int, file: UploadedFile, edits: list[tuple[int, str | None]], presses: int
    ) -> None:
        """Upload a file, edit it, and press Add Groups, Stop, Continue and Stop: one or more, as fast as one can."""
        self.upload(who, file, None)
        for number, name in edits:
            if name is None:
                self.remove_in_import(other, 0, number, number, 0)
            else:
                self.rename_in_import(who, 0, number, name, 0)
        for press in range(presses):
            if press % 2:
                self.stop(other, 0)
            else:
                self.start(other, 0, 0)

    def an_import(self, which: int) -> tuple[UUID, Import]:
        import_id = self.imports[-1 - which % min(3, len(self.imports))]
        return import_id, self.model.imports[import_id]

    def edit(self, who: int, method: str, path: str, ago: int, decide: Callable[[Import], str], **request: Any) -> None:
        """Send a request with If-Match, for the version as it is or an older one, about the import in the path."""
        import_ = self.model.imports[UUID(path.split("/")[2])]
        self.sync()
        seen = self.seen = max(import_.version - ago, 0)

        def expected() -> str:
            decided = decide(import_)
            return decided if decided == ALREADY or seen == import_.version else "stale"

        answer = self.send(who, method, path, expected, headers={"If-Match": f'"{seen}"'}, **request)
        if answer.is_success and (self.mine or not self.news):  # else a worker may have gone on since the answer
            version = self.mine[-1].originator_version if self.mine else import_.version
            assert answer.headers["ETag"] == f'"{version}"'

    @precondition(lambda self: self.imports)
    @rule(who=ADMINISTRATORS, which=ANY, number=ANY, name=st.sampled_from(NAMES), ago=VERSIONS_AGO)
    def rename_in_import(self, who: int, which: int, number: int, name: str, ago: int) -> None:
        import_id, import_ = self.an_import(which)
        number = number % max(len(import_.file), 1) + 1

        def decide(import_: Import) -> str:
            plan = import_.state in {"reviewing", "committing", "stopped"}
            if plan and import_.name(number) == clean(name):
                return ALREADY
            return DONE if import_.state == "reviewing" else "wrong-state"

        self.edit(who, "PATCH", f"/imports/{import_id}/groups/{number}", ago, decide, json={"name": name})

    @precondition(lambda self: self.imports)
    @rule(who=ADMINISTRATORS, which=ANY, number=ANY, user=ANY, ago=VERSIONS_AGO)
    def remove_in_import(self, who: int, which: int, number: int, user: int, ago: int) -> None:
        """Remove a user from a group of a file, or somebody who isn't in it."""
        import_id, import_ = self.an_import(which)
        number = number % max(len(import_.file), 1) + 1
        emails = [*(import_.file[number - 1].users if import_.file else []), "stranger@example.com"]
        email = emails[user % len(emails)]

        def decide(import_: Import) -> str:
            plan = import_.state in {"reviewing", "committing", "stopped"}
            if plan and (number, email) in import_.removed:
                return ALREADY
            if plan and email not in import_.file[number - 1].users:
                return "not-found"
            return DONE if import_.state == "reviewing" else "wrong-state"

        self.edit(who, "DELETE", f"/imports/{import_id}/groups/{number}/users/{email}", ago, decide)

    @precondition(lambda self: self.imports)
    @rule(who=ADMINISTRATORS, which=ANY, ago=VERSIONS_AGO)
    def discard(self, who: int, which: int, ago: int) -> None:
        def decide(import_: Import) -> str:
            match import_.state:
                case "discarded":
                    return ALREADY
                case "reviewing" | "stopped":
                    return "something-added" if import_.added else DONE
                case _:
                    return "wrong-state"

        self.edit(who, "DELETE", f"/imports/{self.an_import(which)[0]}", ago, decide)

    @precondition(lambda self: self.imports)
    @rule(who=ADMINISTRATORS, which=ANY, ago=VERSIONS_AGO)
    def start(self, who: int, which: int, ago: int) -> None:
        import_id, _ = self.an_import(which)

        def decide(import_: Import) -> str:
            match import_.state:
                case "committing" | "completed" if import_.reviewed == self.seen:
                    return ALREADY
                case "reviewing" | "stopped":
                    anybody = any(self.model.licences & set(import_.users(number)) for number in import_.left())
                    return DONE if anybody else "nothing-to-add"
                case _:
                    return "wrong-state"

        self.edit(who, "POST", f"/imports/{import_id}/commit", ago, decide)

    @rule(who=ADMINISTRATORS)
    def start_again(self, who: int) -> None:
        """Press Add Groups a second time, from the same page.

        No rule may depend on how far a worker is, or Hypothesis would find that it doesn't do the same when repeated.
        """
        if not self.model.committing():
            return
        import_id = self.model.committing()[-1]
        import_ = self.model.imports[import_id]
        seen = {"If-Match": f'"{import_.reviewed}"'}
        self.send(who, "POST", f"/imports/{import_id}/commit", lambda: ALREADY, headers=seen)

    @precondition(lambda self: self.imports)
    @rule(who=ADMINISTRATORS, which=ANY)
    def stop(self, who: int, which: int) -> None:
        import_id, import_ = self.an_import(which)

        def expected() -> str:
            match import_.state:
                case "committing":
                    return DONE
                case "stopped" | "completed":
                    return ALREADY
                case _:
                    return "wrong-state"

        answer = self.send(who, "POST", f"/imports/{import_id}/stop", expected)
        if answer.is_success:
            assert answer.json()["state"] == import_.state != "committing"
            assert answer.json()["progress"]["groups_added"] == import_.added
            assert answer.headers["ETag"] == f'"{answer.json()["version"]}"' == f'"{import_.version}"'

    @rule()
    def wait(self) -> None:
        eventually(lambda: self.sync() is not None and not self.model.committing())

    # --- the same again ---

    @rule(which=ANY)
    def repeat(self, which: int) -> None:
        """Send a request with a key again: it is answered, and nothing happens."""
        if not self.sent:
            return
        sent = self.sent[which % len(self.sent)]

        def expected() -> str:
            if sent.path == "/imports":
                return "file-refused" if self.model.imports[sent.about or UUID(int=0)].state == "rejected" else ALREADY
            return "not-found" if sent.about and sent.about not in self.model.groups else ALREADY

        answer = self.send(sent.who, "POST", sent.path, expected, **sent.request)
        if answer.is_success and sent.path in {"/groups", "/imports"}:
            assert answer.json()["id"] == str(sent.about)

    @rule(which=ANY)
    def repeat_with_another_body(self, which: int) -> None:
        keyed = [sent for sent in self.sent if "json" in sent.request]
        if not keyed:
            return
        sent = keyed[which % len(keyed)]
        other = {
            "/licences": {"users": [{"email": "other@example.com"}]},
            "/groups": {"name": "Another", "users": []},
        }.get(sent.path, {"emails": ["other@example.com"]})

        def expected() -> str:
            gone = sent.path.endswith("/users") and sent.about not in self.model.groups
            return "not-found" if gone else "key-reused"

        self.send(sent.who, "POST", sent.path, expected, **{**sent.request, "json": other})

    # --- what everybody sees ---

    @rule(who=ADMINISTRATORS)
    def look(self, who: int) -> None:
        """Compare everything that the API shows with the model, while nothing moves."""
        for _ in range(LOOKS):
            self.sync()
            assert self.beside.health.catch_up()
            shown = self._shown(self.clients[who])
            if all(isinstance(record.event, FileDownloaded) for record in self.sync()):  # which looking at a report is
                break
        else:
            raise AssertionError("it never came to rest")
        for what, (found, wanted) in shown.items():
            assert found == wanted, what

    def _shown(self, client: httpx.Client) -> dict[str, tuple[object, object]]:
        """Return what the API shows beside what the model says, by what it is about."""
        model, where = self.model, self.where
        subscription = client.get(where).json()
        groups = {UUID(row["id"]): row for row in whole(client, f"{where}/groups?limit=3")}
        members = {each: [row["email"] for row in whole(client, f"{where}/groups/{each}/users")] for each in groups}
        self._read_feed(client)
        shown: dict[str, tuple[object, object]] = {
            "seats": (
                [subscription[each] for each in ("seats", "seats_taken", "seats_free")],
                [model.seats, len(model.licences), model.seats - len(model.licences)],
            ),
            "licences": ([row["email"] for row in whole(client, f"{where}/licences?limit=2")], sorted(model.licences)),
            "groups": (
                {each: (row["name"], row["users"]) for each, row in groups.items()},
                {each: (group.name, len(group.users)) for each, group in model.groups.items()},
            ),
            "each name once": (max(Counter(key(row["name"]) for row in groups.values()).values(), default=1), 1),
            "members": (members, {each: sorted(group.users) for each, group in model.groups.items()}),
            "feed": (self.feed, model.feed),
            "groups of the feed": (
                {subject: (group.name, group.users) for subject, group in replayed(self.feed).items()},
                {f"groups/{each}": (group.name, group.users) for each, group in model.groups.items()},
            ),
            "imports": ({UUID(row["id"]) for row in whole(client, f"{where}/imports?limit=2")}, set(model.imports)),
        }
        for import_id, import_ in model.imports.items():
            shown |= _shown_of_import(client, f"{where}/imports/{import_id}", import_, model)
        return shown

    def _read_feed(self, client: httpx.Client) -> None:
        """Read what is new in the feed, as a consumer does."""
        while found := client.get(f"{self.where}/events", params={"limit": 5, **self.last_event}).json():
            for event in found:
                kind = re.search(r"group\.([a-z_]+)", event["type"])
                assert kind
                self.feed.append((kind[1], event["subject"], event["data"]))
            self.last_event = {"after": found[-1]["id"]}

    def teardown(self) -> None:
        """Let all commits end, and look a last time, unless something is wrong already."""
        if sys.exc_info()[0] is None:
            eventually(lambda: self.sync() is not None and not self.model.committing())
            self.look(0)
        for client in self.clients:
            client.close()


def _outcome(answer: httpx.Response, *, changed: bool) -> str:
    if answer.is_success:
        return DONE if changed else ALREADY
    assert not changed or _code(answer) == "file-refused", f"refused, and yet something happened: {answer.text}"
    return _code(answer)


def _code(answer: httpx.Response) -> str:
    return "" if answer.is_success else str(answer.json()["type"]).removeprefix("/problems/")


# --- an import ------------------------------------------------------------------------------------------------------

FOLDED = {
    "FormatDetected": "reviewing",
    "FormatRejected": "rejected",
    "CommitStarted": "committing",
    "CommitStopped": "stopped",
    "CommitCompleted": "completed",
    "ImportDiscarded": "discarded",
}


def _shown_of_import(
    client: httpx.Client, where: str, import_: Import, model: Model
) -> dict[str, tuple[object, object]]:
    answer = client.get(where)
    told, history = answer.json(), whole(client, f"{where}/history?limit=7")
    progress = told["progress"]
    states = [FOLDED[each["type"]] for each in history if each["type"] in FOLDED]
    added = [result for result in import_.results if result.group_id]
    shown: dict[str, tuple[object, object]] = {
        "ETag": (answer.headers["ETag"], f'"{told["version"]}"'),
        "state": ((told["state"], told["version"]), (import_.state, import_.version)),
        "state of the history": ((states[-1], len(history)), (import_.state, import_.version)),
        "history": (
            [(each["version"], each["type"]) for each in history],
            list(enumerate(import_.types, start=1)),
        ),
        "progress": (
            [progress[each] for each in ("groups_added", "groups_skipped", "users_added")],
            [import_.added, len(import_.results) - import_.added, import_.users_added],
        ),
        "groups added": (
            [
                (row["group_id"], row["created"], row["users_added"], row["users_already_there"])
                for row in whole(client, f"{where}/groups-added?limit=3")
            ],
            [(str(each.group_id), each.created, len(each.added), len(each.there)) for each in added],
        ),
        "report": (_report(client, where), _expected_report(import_)),
    }
    if import_.state in {"reviewing", "stopped"}:
        shown["review"] = (
            [(row["name"], row["name_in_file"], row["status"]) for row in whole(client, f"{where}/groups?limit=3")],
            [
                (import_.name(number), group.name, "existing" if model.named(import_.name(number)) else "new")
                for number, group in enumerate(import_.file, start=1)
            ],
        )
    return {f"{what} of {where}": both for what, both in shown.items()}


def _report(client: httpx.Client, where: str) -> Counter[tuple[str, str]]:
    """Return how often the report says what of whom; its warnings about the file are left out."""
    answer = client.get(f"{where}/report.csv")
    assert answer.status_code == 200
    rows = csv.DictReader(io.StringIO(answer.text))
    return Counter((row["user"], row["outcome"]) for row in rows if row["outcome"] not in {"warning", "problem"})


def _expected_report(import_: Import) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for number, group in enumerate(import_.file, start=1):
        result = import_.results[number - 1] if number <= len(import_.results) else None
        for user in group.users:
            if (number, user) in import_.removed:
                outcome = "removed"
            elif result is None:
                outcome = "not_added"
            elif user in result.left_out:
                outcome = "left_out"
            else:
                outcome = "added" if user in result.added else "already_in_group"
            found[user, outcome] += 1
    return found
