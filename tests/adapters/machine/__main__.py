"""A long run of the state machine: `make test-machine ARGS="--minutes 15 --steps 60"`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from hypothesis import HealthCheck, Phase, Verbosity, settings

from adapters.composition import composed
from adapters.postgres.embedded import embedded_server
from tests.adapters.machine.machine import SubscriptionMachine
from tests.adapters.machine.test_machine import assert_rebuilt_alike, run_machine
from tests.adapters.server.serving import served
from tests.conftest import settings_for

EXAMPLES = 5  # until the views are compared, and the time


def main() -> None:
    """Run examples until the time is up or one fails, and say how many there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--steps", type=int, default=60, help="How many steps an example has at most.")
    parser.add_argument("--verbose", action="store_true", help="Print each step.")
    wanted = parser.parse_args()
    how = settings(
        max_examples=EXAMPLES,
        stateful_step_count=wanted.steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),  # what was raced for can't be shrunk
        verbosity=Verbosity.debug if wanted.verbose else Verbosity.normal,
    )
    examples = 0
    with TemporaryDirectory(prefix="rollcall-machine-") as folder:
        Path(folder).chmod(0o755)  # if this runs as root, PostgreSQL's user needs access
        with (
            embedded_server(Path(folder) / "postgres") as conninfo,
            served(conninfo) as server,
            composed(settings_for(conninfo)) as rollcall,
        ):
            began = monotonic()
            try:
                while monotonic() - began < wanted.minutes * 60:
                    run_machine(server, rollcall, how)
                    assert_rebuilt_alike(rollcall, conninfo)
                    examples += EXAMPLES
                    _tell(f"{examples} examples, {SubscriptionMachine.outcomes.total()} requests\n")
            finally:
                for what, times in sorted(SubscriptionMachine.outcomes.items()):
                    _tell(f"{times:6} {what}\n")
                errors = [line for line in server.log() if line["level"] in {"error", "critical"}]
                _tell(f"{examples} examples and {SubscriptionMachine.outcomes.total()} requests passed\n")
                _tell("".join(f"{line}\n" for line in errors[:20]))


def _tell(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
