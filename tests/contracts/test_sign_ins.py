from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.memory.ports import MemoryPorts
from adapters.postgres.sign_ins import SignInDetails
from application.granting import Person

if TYPE_CHECKING:
    from tests.contracts.conftest import Implementation


@pytest.fixture
def people() -> tuple[str, str]:
    """Return two new addresses."""
    return f"ann-{uuid4()}@example.com", f"ben-{uuid4()}@example.com"


def sign_in(ports: Implementation, email: str) -> str:
    if isinstance(ports, MemoryPorts):
        return ports.sign_ins.start(email)
    return ports.sign_ins.start(
        Person(email, ""), SignInDetails("link", "Firefox on Linux", "192.0.2.7", proven=True), None
    )


def test_addresses_are_signed_in_until_their_sign_ins_end(ports: Implementation, people: tuple[str, str]) -> None:
    ann, ben = people
    assert ports.sign_ins.signed_in().isdisjoint(people)
    for email in (ann, ann, ben):
        sign_in(ports, email)
    assert ports.sign_ins.signed_in() >= {ann, ben}
    ports.sign_ins.end_of([ann])
    assert ports.sign_ins.signed_in() & {ann, ben} == {ben}


def test_all_sign_ins_of_the_addresses_end_in_every_process_and_no_others(
    ports: Implementation, elsewhere: Implementation, people: tuple[str, str]
) -> None:
    ann, ben = people
    secrets = [sign_in(ports, email) for email in (ann, ann, ben)]
    assert all(elsewhere.sign_ins.find(each) for each in secrets)
    assert ports.sign_ins.end_of([ann]) == 2
    assert [elsewhere.sign_ins.find(each) is not None for each in secrets] == [False, False, True]
    assert ports.sign_ins.end_of([ann]) == 0
    assert ports.sign_ins.end_of([]) == 0
    assert ports.sign_ins.end_of([ann, ben]) == 1
