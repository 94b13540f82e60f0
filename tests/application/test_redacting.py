"""Forgetting a person in rosters and files."""

from __future__ import annotations

import pytest

from application.reading import ReadRoster, read_file
from application.redacting import file_names, redacted_roster
from application.rosters import StoredRoster
from domain.forgetting import Redaction, pseudonym
from domain.roster import Limits
from tests.histories import GROUP_BASED, USER_BASED, USERS

NEW = pseudonym(b"\0" * 8)


@pytest.mark.parametrize("content", [USER_BASED, GROUP_BASED], ids=["user-based", "group-based"])
@pytest.mark.parametrize("email", [*USERS, "stranger@example.com", "nobody@example.com"])
def test_a_roster_keeps_its_shape(content: str, email: str) -> None:
    read = read_file(content.encode(), "users.csv", Limits())
    assert isinstance(read, ReadRoster)
    chunks = list(read.chunks)
    person = Redaction(email, NEW)
    redacted = redacted_roster(chunks, person)
    before = StoredRoster(chunks.__getitem__)
    users = [each for some in before.emails() for each in some]
    if email not in users:
        assert redacted is None
        return
    assert redacted
    after = StoredRoster(redacted.__getitem__)
    assert [each for some in after.emails() for each in some] == [NEW if each == email else each for each in users]
    for group, other in zip(before.groups(), after.groups(), strict=True):
        assert (group.name, group.line) == (other.name, other.line)
        assert [(m.line, m.column, m.user) for m in group.members] == [
            (m.line, m.column, m.user) for m in other.members
        ]
    names = zip(users, before.names(range(len(users))), after.names(range(len(users))), strict=True)
    assert all(new == (("", "") if user == email else old) for user, old, new in names)
    assert [(p.code, p.line, p.column) for p in before.problems()] == [
        (p.code, p.line, p.column) for p in after.problems()
    ]
    assert not any(person.names(text) for p in after.problems() for text in (p.value, p.detail, p.header))
    assert redacted_roster(redacted, person) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "windows-1252", "cp852"])
def test_a_file_names_a_person_in_any_encoding(encoding: str) -> None:
    content = "email\nÄnn <ANN@example.com>\n".encode(encoding)
    assert file_names(content, Redaction("ann@example.com", NEW))
    assert not file_names(content, Redaction("nn@example.com", NEW))
