"""Ids may be shortened wherever they are unique."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from application import granting
from application.granting import NewToken
from application.grouping import create_group, delete_group, rename_group
from application.importing import upload
from application.licensing import change_subscription, create_subscription
from application.records import Origin
from domain.access import ROLLCALL
from domain.roster import Limits
from tests.adapters.cli.terminals import run
from tests.conftest import ANN, importing_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

SAMPLE = b"Groupname,Email\nDesign,ann@example.com\n"


def _ids(digits: str) -> tuple[UUID, UUID]:
    return UUID(f"{digits}1".ljust(32, "0")), UUID(f"{digits}2".ljust(32, "0"))


SUBSCRIPTIONS, GROUPS, IMPORTS, TOKENS = _ids("abcd"), _ids("beef"), _ids("cafe"), _ids("d00d")


@pytest.fixture(autouse=True)
def _two_of_everything(rollcall: Rollcall) -> None:
    """Two subscriptions; in the first of them two groups and two imports; and two tokens of operators."""
    origin = Origin(SUBSCRIPTIONS[0], ANN, "test")
    for number in (0, 1):
        create_subscription(rollcall, Origin(SUBSCRIPTIONS[number], ANN, "test"), f"Company {number}", 10)
    for number in (0, 1):
        create_group(rollcall, origin, GROUPS[number], f"Team {number}", [])
        upload(rollcall, importing_as(origin, IMPORTS[number]), f"file-{number}.csv", "", SAMPLE, Limits())
        token = NewToken(f"Sync {number}", "operator", None)
        granting.issue_token(rollcall, Origin(ROLLCALL, ANN, "test"), TOKENS[number], bytes(32), token)


@pytest.mark.parametrize("name_or_id", ["abcd1", "ABCD1000-0000", str(SUBSCRIPTIONS[0]), SUBSCRIPTIONS[0].hex])
def test_an_id_may_be_given_in_part_with_or_without_hyphens(environ: dict[str, str], name_or_id: str) -> None:
    rows = json.loads(run(environ, "groups", "-s", name_or_id, "--json").stdout)
    assert [row["name"] for row in rows] == ["Team 0", "Team 1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("group", "delete", "beef1", "-s", "abcd1"), "Deleted “Team 0”"),
        (("import-history", "cafe1"), "File uploaded"),
        (("audit", "-s", "abcd1", "--group", "beef2"), "“Team 1”"),
        (("token", "revoke", "d00d1"), "The token is revoked."),
    ],
)
def test_ids_may_be_shortened(environ: dict[str, str], words: tuple[str, ...], said: str) -> None:
    done = run(environ, *words)
    assert (done.returncode, said in done.stdout) == (0, True), done


@pytest.mark.parametrize(
    ("words", "ids", "names"),
    [
        (("groups", "-s", "abcd"), SUBSCRIPTIONS, ("Company 0", "Company 1")),
        (("group", "delete", "-s", "abcd1", "beef"), GROUPS, ("Team 0", "Team 1")),
        (("import-resume", "cafe"), IMPORTS, ("file-0.csv", "file-1.csv")),
        (("audit", "-s", "abcd1", "--import", "cafe"), IMPORTS, ("file-0.csv", "file-1.csv")),
        (("token", "revoke", "d00d"), TOKENS, ("Sync 0", "Sync 1")),
    ],
)
def test_an_ambiguous_id_lists_the_candidates(
    environ: dict[str, str], words: tuple[str, ...], ids: tuple[UUID, ...], names: tuple[str, ...]
) -> None:
    done = run(environ, *words)
    assert done.returncode == 2
    assert f"“{words[-1]}”" in done.stderr
    assert "an id that begins with" in done.stderr
    candidates = [f"  {each_id}  {name}" for each_id, name in zip(ids, names, strict=True)]
    assert [line for line in done.stderr.splitlines() if line.startswith("  ")] == candidates


@pytest.mark.parametrize(
    "words",
    [
        ("groups", "-s", "0000"),
        ("group", "delete", "0000", "-s", "abcd1"),
        ("import-resume", "0000"),
        ("token", "revoke", "0000"),
    ],
)
def test_an_id_that_nothing_begins_with_is_not_found(environ: dict[str, str], words: tuple[str, ...]) -> None:
    done = run(environ, *words, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "not-found")


def test_another_subscriptions_ids_do_not_count(environ: dict[str, str], rollcall: Rollcall) -> None:
    """Neither to find a group by, nor to make an id ambiguous."""
    delete = ("group", "delete", "-s", "Company 1")
    assert "There is no group “beef”" in run(environ, *delete, "beef").stderr
    create_group(rollcall, Origin(SUBSCRIPTIONS[1], ANN, "test"), UUID("beef3".ljust(32, "0")), "Theirs", [])
    assert "Deleted “Theirs”" in run(environ, *delete, "beef").stdout


class TestASubscriptionThatTakesAName:
    """Administrators may call their subscription what they like, and must not get commands meant for another."""

    @pytest.fixture
    def takes(self, rollcall: Rollcall) -> Callable[[str], object]:
        """Return a function by which the second subscription takes a name."""
        return lambda name: change_subscription(rollcall, Origin(SUBSCRIPTIONS[1], ANN, "test"), name, None)

    def is_ambiguous(self, environ: dict[str, str], name_or_id: str) -> bool:
        done = run(environ, "groups", "-s", name_or_id)
        return done.returncode == 2 and all(str(each) in done.stderr for each in SUBSCRIPTIONS)

    def test_that_another_has_makes_it_ambiguous(self, environ: dict[str, str], takes: Callable[[str], object]) -> None:
        takes("Company 0")
        assert self.is_ambiguous(environ, "Company 0")

    def test_that_another_gave_up_makes_it_ambiguous(
        self, environ: dict[str, str], rollcall: Rollcall, takes: Callable[[str], object]
    ) -> None:
        """A script that names the other one goes on naming it after a rename."""
        change_subscription(rollcall, Origin(SUBSCRIPTIONS[0], ANN, "test"), "Renamed", None)
        takes("Company 0")
        assert self.is_ambiguous(environ, "Company 0")
        assert "Team 0" in run(environ, "groups", "-s", "Renamed").stdout

    def test_that_an_id_begins_with_makes_it_ambiguous(
        self, environ: dict[str, str], takes: Callable[[str], object]
    ) -> None:
        takes("abcd1")
        assert self.is_ambiguous(environ, "abcd1")

    @pytest.mark.parametrize("spelled", [str, lambda each: each.hex, lambda each: str(each).upper()])
    def test_never_gets_what_is_meant_for_a_whole_id(
        self, environ: dict[str, str], takes: Callable[[str], object], spelled: Callable[[UUID], str]
    ) -> None:
        takes(spelled(SUBSCRIPTIONS[0]))
        assert "Team 0" in run(environ, "groups", "-s", spelled(SUBSCRIPTIONS[0])).stdout


def test_a_former_name_is_not_found(environ: dict[str, str], rollcall: Rollcall) -> None:
    """Where nobody else has it, it would still not be what is asked for."""
    change_subscription(rollcall, Origin(SUBSCRIPTIONS[0], ANN, "test"), "Renamed", None)
    assert run(environ, "groups", "-s", "Company 0").returncode == 1


def test_a_groups_name_comes_before_an_id(environ: dict[str, str], rollcall: Rollcall) -> None:
    create_group(rollcall, Origin(SUBSCRIPTIONS[0], ANN, "test"), rollcall.new_id(), "beef1", [])
    assert run(environ, "group", "delete", "beef1", "-s", "abcd1").stdout == "Deleted “beef1”, which had 0 users.\n"


class TestWhatHappenedToAGroup:
    """Is shown of deleted groups, too, and never of another one instead."""

    @pytest.fixture(autouse=True)
    def _deleted(self, rollcall: Rollcall) -> None:
        delete_group(rollcall, Origin(SUBSCRIPTIONS[0], ANN, "test"), GROUPS[0])

    @pytest.mark.parametrize("words", [("group", "history"), ("audit", "--group")])
    @pytest.mark.parametrize("group", ["team 0", "beef1", str(GROUPS[0])])
    def test_by_the_name_that_it_had_or_its_id(
        self, environ: dict[str, str], words: tuple[str, ...], group: str
    ) -> None:
        assert "Deleted group “Team 0”" in run(environ, *words, group, "-s", "abcd1").stdout

    @pytest.mark.parametrize("words", [("group", "history"), ("audit", "--group")])
    def test_where_an_existing_one_has_an_id_like_it(self, environ: dict[str, str], words: tuple[str, ...]) -> None:
        done = run(environ, *words, "beef", "-s", "abcd1")
        assert (done.returncode, done.stdout) == (2, "")
        assert all(f"  {each}  Team {number}\n" in done.stderr for number, each in enumerate(GROUPS))

    def test_where_several_had_the_name(self, environ: dict[str, str], rollcall: Rollcall) -> None:
        origin = Origin(SUBSCRIPTIONS[0], ANN, "test")
        rename_group(rollcall, origin, GROUPS[1], "Team 0")
        assert "Deleted" not in run(environ, "group", "history", "Team 0", "-s", "abcd1").stdout
        rename_group(rollcall, origin, GROUPS[1], "Team 2")
        done = run(environ, "group", "history", "Team 0", "-s", "abcd1")
        assert (done.returncode, all(str(each) in done.stderr for each in GROUPS)) == (2, True)
        assert "Team 1" in run(environ, "group", "history", "Team 1", "-s", "abcd1").stdout

    def test_of_another_subscription_is_not_shown(self, environ: dict[str, str]) -> None:
        assert run(environ, "group", "history", "Team 0", "-s", "Company 1").returncode == 1


def test_three_characters_are_too_few(environ: dict[str, str]) -> None:
    done = run(environ, "import-resume", "caf")
    assert (done.returncode, "“caf” is not an id" in done.stderr) == (2, True)
