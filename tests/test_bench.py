"""The benchmark's table and its plot, with measurements made up; how fast anything is, no test says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from domain.files.roster_file import read_roster
from domain.roster import Roster
from tests.bench.plot import plot, slope
from tests.bench.rows import rows
from tests.bench.sizes import FULL, QUICK, group_based, user_based
from tests.bench.table import Row, Samples, drawn, results

if TYPE_CHECKING:
    from tests.bench.sizes import Sizes


def measured() -> Samples:
    samples = Samples()
    for seconds, rate in ((2.0, 50.0), (1.0, 100.0), (4.0, 25.0)):
        samples.add("this", {"wait": seconds, "wait.limit": 1.0, "rate": rate, "rate.limit": 100.0})
        samples.add("base", {"wait": seconds * 3, "rate": rate / 3})
    return samples


@pytest.mark.parametrize(
    ("key", "unit", "median", "least", "most"), [("wait", "s", 2, 1, 4), ("rate", "/s", 50, 25, 100)]
)
def test_a_greater_ratio_is_better_whatever_the_unit(
    key: str, unit: str, median: float, least: float, most: float
) -> None:
    row = Row("what", key, unit, f"{key}.limit")  # type: ignore[arg-type] # it is one of the units
    (found,) = results([row], measured())
    assert (found.median, found.least, found.most, found.runs) == (median, least, most, 3)
    assert found.share_of_limit == 0.5
    assert found.ratio_to_base == pytest.approx(3)


def test_what_was_not_measured_is_left_out() -> None:
    assert list(results(rows(FULL), Samples())) == []


def test_people_see_each_row_with_its_target() -> None:
    console = Console(width=200, record=True)
    samples = Samples()
    samples.add("this", {row.key: 1.0 for row in rows(QUICK)})
    console.print(drawn(list(results(rows(QUICK), samples)), "3fc41c7"))
    shown = console.export_text()
    assert all(row.name in shown and row.target in shown for row in rows(QUICK))


@pytest.mark.parametrize("size", [FULL, QUICK])
def test_each_row_has_a_key_of_its_own(size: Sizes) -> None:
    keys = [row.key for row in rows(size)]
    assert len(set(keys)) == len(keys)
    assert size.runs >= 3


def test_the_files_can_be_read() -> None:
    for content, members in ((group_based("Group", 20, 50), 200), (user_based(40, 100, columns=3), 120)):
        roster = read_roster(content, "file.csv")
        assert isinstance(roster, Roster)
        assert not roster.problems
        assert roster.memberships == members


def test_linear_growth_has_a_slope_of_one() -> None:
    points = {1_000: 0.2, 10_000: 2.0, 100_000: 20.0}
    assert slope(points) == pytest.approx(1)
    drawing = ET.fromstring(plot(points))  # noqa: S314 - it is ours
    assert len(drawing.findall("{*}circle")) == 3
