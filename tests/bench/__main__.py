"""`make bench`: measure everything and print the table (ARGS="--quick", ARGS="--against REV")."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from msgspec import json
from rich.console import Console

from tests.bench.against_django import against_django
from tests.bench.journey import growth, journey, stops
from tests.bench.memory import memory
from tests.bench.plot import plot, slope
from tests.bench.rows import rows
from tests.bench.servers import THIS, another_build, database, postgres, served
from tests.bench.sizes import FULL, QUICK, user_based
from tests.bench.table import Samples, drawn, results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.servers import Build, Server
    from tests.bench.sizes import Sizes
    from tests.bench.table import Side

PARTS = ("journey", "stops", "inside", "read", "memory", "django", "growth")
ALONE = frozenset({"django", "growth"})
"""What is measured of this build only."""
ONCE = frozenset({"memory"})
"""What is measured of the other build in the first run only, because it takes long and nothing wanted depends on it."""


class Bench:
    """Measures one part after the other, this build and the other in turns."""

    def __init__(self, server: str, builds: Mapping[Side, Build], size: Sizes) -> None:
        self.samples = Samples()
        self._postgres = server
        self._builds = builds
        self._size = size

    def run(self, parts: list[str]) -> None:
        """Measure each part as often as it has to be."""
        for number in range(self._size.runs):
            for part in parts:
                for side, build in self._builds.items():
                    if side == "this" or (part not in ALONE and (number == 0 or part not in ONCE)):
                        began = perf_counter()
                        self.samples.add(side, getattr(self, f"_{part}")(build))
                        say(f"run {number + 1}: {part} of {side} build took {perf_counter() - began:.0f} s")

    def grown(self) -> dict[int, float]:
        """Return the seconds that a commit of each size took."""
        found = {each: self.samples.of(f"growth {each}") for each in self._size.growth}
        return {memberships: median(seconds) for memberships, seconds in found.items() if seconds}

    def _journey(self, build: Build) -> Mapping[str, float]:
        return self._over_http(build, journey)

    def _stops(self, build: Build) -> Mapping[str, float]:
        return self._over_http(build, stops)

    def _memory(self, build: Build) -> Mapping[str, float]:
        return self._over_http(build, memory)

    def _growth(self, build: Build) -> Mapping[str, float]:
        found = self._over_http(build, growth)
        return {**found, "slope": slope({int(key.split()[1]): seconds for key, seconds in found.items()})}

    def _over_http(self, build: Build, measure: Callable[[Server, Sizes], dict[str, float]]) -> dict[str, float]:
        with database(self._postgres) as conninfo, served(build, conninfo) as server:
            return measure(server, self._size)

    def _django(self, build: Build) -> Mapping[str, float]:
        with (
            database(self._postgres) as theirs,
            database(self._postgres) as conninfo,
            served(build, conninfo) as server,
        ):
            return against_django(server, theirs, self._size)

    def _inside(self, build: Build) -> Mapping[str, float]:
        with database(self._postgres) as conninfo:
            found = build.inside("append", self._size.seconds, conninfo=conninfo)
            return found | build.inside("visible", self._size.seconds, conninfo=conninfo)

    def _read(self, build: Build) -> Mapping[str, float]:
        rows = self._size.read_rows
        with TemporaryDirectory(prefix="rollcall-bench-") as folder:
            file = Path(folder) / "users.csv"
            file.write_bytes(user_based(rows, rows // 100, columns=3))
            return build.inside("read", file)


def main() -> None:
    """Measure what was asked for."""
    parser = ArgumentParser("make bench", description="Measure how fast Rollcall is.")
    parser.add_argument("--quick", action="store_true", help="measure less of everything, in under three minutes")
    parser.add_argument("--against", metavar="REV", help="measure another commit too, in turns with this build")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure (default: %(default)s)")
    parser.add_argument("--runs", type=int, help="how often to measure each row (5 times, or 3 with --quick)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the plot of growth as SVG")
    asked = parser.parse_args()
    size = QUICK if asked.quick else FULL
    size = size._replace(runs=asked.runs or size.runs)
    with ExitStack() as stack:
        builds: dict[Side, Build] = {"this": THIS}
        if asked.against:
            builds["base"] = stack.enter_context(another_build(asked.against))
        bench = Bench(stack.enter_context(postgres()), builds, size)
        try:
            bench.run(asked.parts.split(","))
        except KeyboardInterrupt:
            say("stopped")
        finally:  # an hour's measurements are worth showing, whatever has ended them
            found = list(results(rows(size), bench.samples))
            Console(width=None if sys.stdout.isatty() else 200).print(drawn(found, asked.against))
            if asked.json:
                asked.json.write_bytes(json.format(json.encode(found)))
            if asked.plot and (grown := bench.grown()):
                asked.plot.write_text(plot(grown), encoding="utf-8")


def say(text: str) -> None:
    """Tell how far it has come."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - it is a program


if __name__ == "__main__":
    main()
