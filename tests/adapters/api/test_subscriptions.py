"""Subscriptions, licences and groups over HTTP: creating them once, listing them page by page, who sees what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from adapters.postgres.wakeups import ReadableViews
from tests.adapters.http.test_problems import assert_problem, without_request_id
from tests.adapters.server.serving import Served, asked
from tests.conftest import working
from tests.waiting import eventually

if TYPE_CHECKING:
    import httpx

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

SUBSCRIPTIONS = "/api/v1/subscriptions"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def subscription(running: Served) -> str:
    """Return the path of a new subscription with ten seats."""
    return created(running).headers["Location"]


def created(running: Served, name: str = "Contoso", seats: int = 10, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return running.client.post(SUBSCRIPTIONS, json={"name": name, "seats": seats}, headers=headers)


def allocated(running: Served, where: str, *emails: str, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    users = [{"email": email} for email in emails]
    return running.client.post(f"{where}/licences", json={"users": users}, headers=headers)


def walked(running: Served, url: str) -> list[list[Any]]:
    """Return all pages of a list by following their links."""
    pages = []
    following: str | None = url
    while following:
        page = running.client.get(following)
        assert page.status_code == 200
        pages.append(page.json())
        following = page.links.get("next", {}).get("url")
    return pages


def test_a_subscription_is_created_and_shown(running: Served) -> None:
    answer = created(running, "  Contoso   Ltd ", 7)
    assert answer.status_code == 201
    assert answer.json() == running.client.get(answer.headers["Location"]).json()
    shown = {name: value for name, value in answer.json().items() if name != "id"}
    seats = {"seats": 7, "seats_taken": 0, "seats_free": 7}
    assert shown == {"name": "Contoso Ltd", **seats, "state": "open", "closed_at": None}


def test_a_number_is_whole_however_it_is_written(running: Served) -> None:
    answer = running.client.post(
        SUBSCRIPTIONS, content=b'{"name": "Contoso", "seats": 1.2e1}', headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["seats"]) == (201, 12)


def test_the_same_key_creates_once_and_shows_the_current_state(running: Served) -> None:
    key = str(uuid4())
    first = created(running, key=key)
    allocated(running, first.headers["Location"], "ann@example.com")
    again = created(running, key=key)
    assert (again.status_code, again.headers["Location"]) == (201, first.headers["Location"])
    assert again.json()["seats_taken"] == 1
    assert created(running, key=key + "x").headers["Location"] != first.headers["Location"]


def test_the_same_key_for_something_else_is_refused(running: Served) -> None:
    key = str(uuid4())
    created(running, key=key)
    assert_problem(created(running, "Fabrikam", key=key), 422, "key-reused")
    assert_problem(created(running, seats=11, key=key), 422, "key-reused")


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(running: Served, key: str) -> None:
    assert_problem(created(running, key=key), 400, "invalid", "Idempotency-Key")


def test_a_subscription_is_renamed_and_its_seats_changed(running: Served, subscription: str) -> None:
    answer = running.client.patch(subscription, json={"name": " Fabrikam  Ltd ", "seats": 12})
    assert answer.status_code == 200
    assert answer.json() == running.client.get(subscription).json()
    assert (answer.json()["name"], answer.json()["seats"]) == ("Fabrikam Ltd", 12)
    assert running.client.patch(subscription, json={"seats": 11}).json()["name"] == "Fabrikam Ltd"
    before = running.client.get(f"{subscription}/audit").json()
    for same in ({}, {"name": "Fabrikam Ltd"}, {"seats": 11}):
        assert running.client.patch(subscription, json=same).status_code == 200
    assert running.client.get(f"{subscription}/audit").json() == before
    assert [each["text"] for each in before[:3]] == [
        "Changed the number of seats from 12 to 11",
        "Changed the number of seats from 10 to 12",
        "Renamed subscription “Contoso” to “Fabrikam Ltd”",
    ]


def test_fewer_seats_than_are_taken_change_nothing_at_all(running: Served, subscription: str) -> None:
    allocated(running, subscription, "ann@example.com", "ben@example.com")
    answer = running.client.patch(subscription, json={"name": "Fabrikam", "seats": 1})
    assert "while licences use 2" in assert_problem(answer, 409, "seats-in-use")["detail"]
    assert running.client.get(subscription).json()["name"] == "Contoso"
    assert running.client.patch(subscription, json={"seats": 2}).json()["seats_free"] == 0


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"name": "\u202e"}, "subscription-name-invalid", None),
        ({"name": ""}, "invalid", "name"),
        ({"seats": -1}, "invalid", "seats"),
        ({"seats": None}, "invalid", "seats"),
        ({"colour": "red"}, "invalid", "colour"),
    ],
)
def test_an_invalid_change_is_refused(
    running: Served, subscription: str, body: object, code: str, field: str | None
) -> None:
    assert_problem(running.client.patch(subscription, json=body), 400, code, field)


def test_a_licence_is_revoked_and_its_user_leaves_the_groups(running: Served, subscription: str) -> None:
    allocated(running, subscription, "ann@example.com", "ben/low@example.com")
    users = ["ann@example.com", "ben/low@example.com"]
    where = running.client.post(f"{subscription}/groups", json={"name": "Sales", "users": users}).headers["Location"]
    for address in ("BEN/low@example.com", "ben%2Flow@example.com"):
        answer = running.client.delete(f"{subscription}/licences/{address}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert [each["email"] for each in running.client.get(f"{where}/users").json()] == ["ann@example.com"]
    assert_problem(running.client.get(f"{subscription}/licences/ben/low@example.com"), 404, "not-found")
    assert running.client.get(subscription).json()["seats_taken"] == 1
    texts = [each["text"] for each in running.client.get(f"{subscription}/audit?limit=2").json()]
    assert set(texts) == {"Revoked the licence of ben/low@example.com", "Removed ben/low@example.com from the group"}
    last = running.client.get(f"{subscription}/events").json()[-1]
    assert (last["type"], last["data"]) == ("group.users_removed", {"users": ["ben/low@example.com"]})


def test_revoking_a_missing_licence_changes_nothing(running: Served, subscription: str) -> None:
    assert running.client.delete(f"{subscription}/licences/nobody").status_code == 204
    assert running.client.get(f"{subscription}/audit?type=LicencesRevoked").json() == []
    assert_problem(running.client.delete(f"{subscription}/licences/%00"), 400, "invalid", "email")
    assert_problem(running.client.delete(f"{SUBSCRIPTIONS}/{uuid4()}/licences/nobody"), 404, "not-found")


def test_a_user_who_is_licensed_again_is_in_no_group(running: Served, subscription: str) -> None:
    allocated(running, subscription, "ann@example.com")
    body = {"name": "Sales", "users": ["ann@example.com"]}
    where = running.client.post(f"{subscription}/groups", json=body).headers["Location"]
    running.client.delete(f"{subscription}/licences/ann@example.com")
    assert allocated(running, subscription, "ann@example.com").json()["allocated"] == 1
    assert running.client.get(f"{where}/users").json() == []


def test_licences_are_allocated_as_json_or_csv(running: Served, subscription: str) -> None:
    users = [{"email": "Ann@Example.com", "first_name": "Ann", "last_name": "Lee"}, {"email": "nobody"}]
    answer = running.client.post(f"{subscription}/licences", json={"users": users}).json()
    assert (answer["allocated"], answer["already_allocated"]) == (1, 0)
    assert [(each["code"], each["line"], each["value"]) for each in answer["refused"]] == [
        ("email-invalid", 2, "nobody")
    ]
    content = "email,FirstName,LastName\nann@example.com,,\nben@example.com,Ben,Low\nnobody,,\n"
    answer = running.client.post(f"{subscription}/licences", content=content, headers=CSV).json()
    assert (answer["allocated"], answer["already_allocated"]) == (1, 1)
    assert [(each["code"], each["line"], each["column"]) for each in answer["refused"]] == [("email-invalid", 4, 1)]
    ann = running.client.get(f"{subscription}/licences/ANN@example.com").json()
    assert (ann["email"], ann["first_name"], ann["last_name"]) == ("ann@example.com", "Ann", "Lee")
    assert running.client.get(subscription).json()["seats_taken"] == 2


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("windows-1251", "Ия"),
        ("Windows-1257", "Žydrūnas"),
        ('"iso-8859-2"', "Šárka"),
        ("iso-8859-1", "Zoë"),
        ("gb2312", "李雷"),
        ("koi8-r", "Ян"),
        ("euc-jp", "山田"),
    ],
)
def test_a_file_of_licences_is_read_in_its_charset(running: Served, subscription: str, charset: str, name: str) -> None:
    """Guessing gives other names for most of these, of which there is too little (RFC 7111, section 5.1)."""
    content = f"email,FirstName,LastName\n{uuid4()}@example.com,{name},\n".encode(charset.strip('"'))
    headers = {"Content-Type": f"text/csv; charset={charset}"}
    answer = running.client.post(f"{subscription}/licences", content=content, headers=headers).json()
    assert (answer["allocated"], answer["refused"]) == (1, [])
    email = content.split(b"\n")[1].split(b",")[0].decode()
    assert running.client.get(f"{subscription}/licences/{email}").json()["first_name"] == name


@pytest.mark.parametrize("charset", ["windows-1251", "iso-8859-1", "utf-16", "rot13", "unicode_escape", "nonsense"])
def test_utf_8_is_read_whatever_the_charset(running: Served, subscription: str, charset: str) -> None:
    content = "email,FirstName,LastName\nann@example.com,Ия,\n".encode()
    headers = {"Content-Type": f"text/csv; charset={charset}"}
    assert not running.client.post(f"{subscription}/licences", content=content, headers=headers).json()["refused"]
    assert running.client.get(f"{subscription}/licences/ann@example.com").json()["first_name"] == "Ия"


def test_a_file_that_is_not_in_its_charset_is_refused(running: Served, subscription: str) -> None:
    content = "email,FirstName,LastName\nann@example.com,Zoë,\n".encode("cp1252").replace(b"Zo", b"\x98")
    headers = {"Content-Type": "text/csv; charset=windows-1251"}
    answer = running.client.post(f"{subscription}/licences", content=content, headers=headers)
    assert_problem(answer, 422, "file-refused")
    assert answer.json()["problems"][0]["code"] == "encoding-unknown"


def test_licences_as_json_may_be_called_text(running: Served, subscription: str) -> None:
    """The client that orval 8.38.0 generates calls them so, because the operation takes CSV too."""
    text = {"Content-Type": "text/plain;charset=UTF-8"}
    content = '{"users": [{"email": "ann@example.com"}]}'
    answer = running.client.post(f"{subscription}/licences", content=content, headers=text)
    assert (answer.status_code, answer.json()["allocated"]) == (200, 1)
    refused = running.client.post(f"{subscription}/licences", content="email\nben@example.com\n", headers=text)
    assert_problem(refused, 415, "unsupported-media-type")


def test_a_plan_says_what_a_licence_file_would_allocate_and_passes_over_its_groups(
    running: Served, subscription: str
) -> None:
    assert allocated(running, subscription, "ann@example.com").json()["allocated"] == 1
    rows = "".join(f"user{number}@example.com,,,Sales,\n" for number in range(11))
    content = f"email,FirstName,LastName,Groupname,Groupname\nann@example.com,,,Sales,Asia\nnobody,,,,\n{rows}"
    where = f"{subscription}/licences"
    planned = running.client.post(f"{where}?plan=true", content=content, headers=CSV)
    assert planned.status_code == 200
    told = planned.json()
    assert (told["allocated"], told["already_allocated"], told["passed_over"]) == (11, 1, ["Groupname", "Groupname"])
    assert [(each["code"], each["line"]) for each in told["refused"]] == [("email-invalid", 3)]
    assert told["seats"] == {"seats": 10, "taken_before": 1, "taken_after": 12, "missing": 2}
    assert running.client.get(subscription).json()["seats_taken"] == 1, "nothing was allocated"
    few = content.rpartition("user8")[0]
    done = running.client.post(where, content=few, headers=CSV).json()
    assert (done["allocated"], done["passed_over"]) == (8, ["Groupname", "Groupname"])
    assert done["seats"] == {"seats": 10, "taken_before": 1, "taken_after": 9, "missing": 0}
    sample = running.client.get("/api/v1/samples/licences.csv")
    told = running.client.post(f"{where}?plan=true", content=sample.content, headers=CSV).json()
    assert (told["allocated"], told["refused"], told["passed_over"]) == (12, [], [])


@pytest.mark.parametrize(
    "email",
    ["a/b@example.com", "/a@example.com", "a//b/@example.com", "o'neil+tag%41@example.com", "zoë&co?=#@example.com"],
)
def test_a_licence_is_shown_whatever_its_address_looks_like(running: Served, subscription: str, email: str) -> None:
    assert allocated(running, subscription, email).json()["allocated"] == 1
    answer = running.client.get(f"{subscription}/licences/{quote(email.upper(), safe='')}")
    assert (answer.status_code, answer.json().get("email")) == (200, email)


def test_either_all_users_get_a_seat_or_none(running: Served, subscription: str) -> None:
    answer = allocated(running, subscription, *(f"user{number}@example.com" for number in range(11)))
    assert_problem(answer, 409, "seats-exceeded")
    assert running.client.get(subscription).json()["seats_taken"] == 0


def test_the_same_key_allocates_once(running: Served, subscription: str) -> None:
    assert allocated(running, subscription, "ann@example.com", key="a").json()["allocated"] == 1
    again = allocated(running, subscription, "ann@example.com", key="a").json()
    assert (again["allocated"], again["already_allocated"]) == (0, 1)
    assert_problem(allocated(running, subscription, "ben@example.com", key="a"), 422, "key-reused")


def test_a_file_of_licences_that_cannot_be_read_says_where(running: Served, subscription: str) -> None:
    answer = running.client.post(f"{subscription}/licences", content="mail,FirstName,LastName\n", headers=CSV)
    told = assert_problem(answer, 422, "file-refused")
    assert [(each["code"], each["line"], each["column"]) for each in told["problems"]] == [("header-modified", 1, 1)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"users": [{"email": 1}]}, "users[0].email"),
        ({"users": [{"email": "a@example.com"}, {}]}, "users[1].email"),
        ({"users": [{"email": "a@example.com", "colour": "red"}]}, "users[0].colour"),
        ({"users": "ann"}, "users"),
        ({}, "users"),
        ([], "body"),
    ],
)
def test_the_field_that_is_wrong_is_named(running: Served, subscription: str, body: object, field: str) -> None:
    assert_problem(running.client.post(f"{subscription}/licences", json=body), 400, "invalid", field)


def test_a_list_is_walked_page_by_page(running: Served, subscription: str) -> None:
    emails = sorted(f"user{number}@example.com" for number in range(10))
    assert allocated(running, subscription, *emails).is_success
    pages = walked(running, f"{subscription}/licences?limit=3")
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert [each["email"] for page in pages for each in page] == emails
    found = walked(running, f"{subscription}/licences?q=USER1&limit=1")
    assert [each["email"] for page in found for each in page] == ["user1@example.com"]


def test_the_link_to_the_next_page_has_the_address_that_was_requested(running: Served, subscription: str) -> None:
    assert allocated(running, subscription, "ann@example.com", "ben@example.com").is_success
    page = running.client.get(f"{subscription}/licences?limit=1&q=example", headers={"Host": "localhost:1"})
    assert page.links["next"]["url"].startswith(f"{subscription}/licences?")


def test_the_list_of_subscriptions_is_walked_page_by_page(running: Served) -> None:
    made = {created(running, "Same name").json()["id"] for _ in range(5)}
    found = [each["id"] for page in walked(running, f"{SUBSCRIPTIONS}?limit=2") for each in page]
    assert len(set(found)) == len(found)
    assert made <= set(found)


def test_groups_are_listed_searched_and_shown_with_their_users(running: Served, subscription: str) -> None:
    allocated(running, subscription, "ann@example.com", "ben@example.com")
    rows = "Sales,ann@example.com,ben@example.com\nSupport,ann@example.com,\nÉcole 👩‍🚀,ann@example.com,\n"
    file = {"file": ("groups.csv", f"Groupname,Email,Email\n{rows}")}
    where = running.client.post(f"{subscription}/imports", files=file).headers["Location"]
    assert running.client.post(f"{where}/commit", headers={"If-Match": '"2"'}).status_code == 202
    eventually(lambda: len(running.client.get(f"{subscription}/groups").json()) == 3)
    groups = [each for page in walked(running, f"{subscription}/groups?limit=1") for each in page]
    assert {(each["name"], each["users"]) for each in groups} == {("Sales", 2), ("Support", 1), ("École 👩‍🚀", 1)}
    (sales,) = running.client.get(f"{subscription}/groups?q=SALE").json()
    assert running.client.get(f"{subscription}/groups/{sales['id']}").json() == sales
    users = [each for page in walked(running, f"{subscription}/groups/{sales['id']}/users?limit=1") for each in page]
    assert [each["email"] for each in users] == ["ann@example.com", "ben@example.com"]


def test_nothing_of_another_subscription_is_visible(running: Served, subscription: str) -> None:
    allocated(running, subscription, "ann@example.com")
    other = created(running, "Fabrikam").headers["Location"]
    assert running.client.get(f"{other}/licences").json() == []
    foreign = running.client.get(f"{other}/licences/ann@example.com")
    missing = running.client.get(f"{other}/licences/eve@example.com")
    assert_problem(foreign, 404, "not-found")
    assert without_request_id(foreign).replace("ann@", "eve@") == without_request_id(missing)
    nowhere = f"{SUBSCRIPTIONS}/{uuid4()}"
    for below in ("", "/licences", "/groups", "/imports", "/audit", "/events"):
        assert_problem(running.client.get(nowhere + below), 404, "not-found")


def test_a_change_that_is_not_visible_yet_is_202_with_its_location(
    idle: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReadableViews, "wait", lambda *_: False)
    answer = asked(idle, "POST", SUBSCRIPTIONS, json={"name": "Contoso", "seats": 10})
    where = answer.headers["Location"]
    assert (answer.status_code, answer.json()["name"]) == (202, "Contoso")
    with working(idle):
        idle.health.catch_up()
    assert asked(idle, "GET", where).json()["name"] == "Contoso"
    users = {"users": [{"email": "ann@example.com"}]}
    answer = asked(idle, "POST", f"{where}/licences", json=users)
    assert (answer.status_code, answer.headers["Location"]) == (202, f"{where}/licences")
    assert answer.json()["allocated"] == 1
