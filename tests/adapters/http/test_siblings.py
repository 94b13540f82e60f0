"""What the web processes of a server share: numbers by key, and seats."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from adapters.http.siblings import PLACES, Siblings, Table, first_of

KEYS = st.sampled_from([f"key {number}" for number in range(PLACES)])


class TestATable:
    @given(st.lists(st.tuples(st.booleans(), KEYS, st.integers(0, 3))))
    def test_has_what_any_of_the_processes_has_put_into_it(self, changes: list[tuple[bool, str, int]]) -> None:
        first = first_of(2)
        tables, known = (first.table(PLACES), Siblings(1, 2, os.dup(first.file)).table(PLACES)), Counter[str]()
        for second, key, number in changes:
            tables[second][key] = known[key] = number
        for table in tables:
            assert {key: table[key] for key in known} == known

    def test_forgets_the_smallest_number_if_it_is_full(self) -> None:
        table = first_of(1).table(PLACES)
        for number in range(1, 100):
            table[f"key {number}"] = number
        assert [table[f"key {number}"] for number in range(1, 100)] == [0] * (99 - PLACES) + [*range(100 - PLACES, 100)]

    def test_can_be_cleared(self) -> None:
        table = first_of(1).table(1_024)
        table["key"] = 1
        table.clear()
        assert table["key"] == 0

    def test_is_apart_from_the_next_one(self) -> None:
        siblings = first_of(1)
        tables: list[Table] = [siblings.table(PLACES) for _ in range(3)]
        for number, table in enumerate(tables):
            table["key"] = number
        assert [table["key"] for table in tables] == [0, 1, 2]

    def test_keeps_keys_in_places_that_nobody_can_foresee(self) -> None:
        """Otherwise a client could choose keys that have others forgotten."""
        found = set()
        for _ in range(10):
            table = first_of(1).table(1_024)
            table["key"] = 1
            found.add(table._numbers.tolist().index(1))  # noqa: SLF001 - where it is, is the point
        assert len(found) > 1


HOLD = """
import sys
from adapters.http.siblings import Siblings
siblings = Siblings(1, 2, int(sys.argv[1]))
print(siblings.take_seat(3), flush=True)
sys.stdin.read()
"""


def test_a_seat_is_one_processs_until_it_leaves_or_dies() -> None:
    siblings = first_of(2)
    assert siblings.take_seat(3)
    other = [sys.executable, "-c", HOLD, str(siblings.file)]

    def beside() -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - it is above
            other, pass_fds=[siblings.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    with beside() as process:
        assert process.communicate()[0] == "False\n"
    siblings.leave_seat(3)
    with beside() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not siblings.take_seat(3)
        assert siblings.take_seat(4)
        process.kill()
        process.wait()
        assert siblings.take_seat(3)
