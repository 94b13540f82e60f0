"""The OpenAPI document is true: it is valid, its examples match, and schemathesis finds no contradiction."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import jsonschema_rs
import pytest
from msgspec import json
from schemathesis.specs.openapi.definitions import OPENAPI_31

from adapters.api.openapi.document import examples
from adapters.api.openapi.tables import HEADERS, TAGS
from adapters.composition import Rollcall, composed
from adapters.settings import read_settings
from application.committing import CommitRun, start_commit
from application.grouping import create_group
from application.importing import upload
from domain.access import ROLLCALL
from domain.roster import Limits
from projections.directory import read as directory
from tests.adapters.api.tokens import token
from tests.adapters.server.serving import asked
from tests.conftest import importing_as, settings_for, subscribed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from application.records import Origin
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

HERE = Path(__file__).parent
USERS = [f"user{number}@example.com" for number in range(5)]
FILE = "Groupname,Email,Email\n" + "".join(
    f"Group {number},user{number % 5}@example.com,user{(number + 1) % 5}@example.com\n" for number in range(5)
)
METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def document(running: Served) -> dict[str, Any]:
    found: dict[str, Any] = running.client.get("/api/v1/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        yield from ((f"{method} {path}", operation) for method, operation in methods.items() if method in METHODS)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    jsonschema_rs.validator_for(OPENAPI_31).validate(document)


def test_each_example_matches_its_schema(document: dict[str, Any]) -> None:
    found = list(examples(document))
    assert len(found) > 40
    for schema, example in found:
        rooted = {**schema, "components": document["components"]}
        jsonschema_rs.Draft202012Validator(rooted, validate_formats=True).validate(example)


def test_each_operation_has_a_unique_name_a_summary_and_a_tag(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]*)+", name) for name in names)
    for _, operation in operations(document):
        assert operation["summary"]
        assert set(operation["tags"]) <= set(TAGS)


def test_each_error_is_a_problem_document(document: dict[str, Any]) -> None:
    told = [
        (status, response)
        for name, operation in operations(document)
        for status, response in operation["responses"].items()
        if status >= "400" and name != "get /health/ready"
    ]
    assert {status for status, _ in told} >= {"400", "404", "409", "412", "413", "415", "422", "428", "500", "503"}
    for _, response in told:
        assert response["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
        }


def test_each_response_has_the_request_id(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for response in operation["responses"].values():
            assert "X-Request-Id" in response["headers"]
            assert set(response["headers"]) <= set(HEADERS)


def test_a_field_has_no_default_for_which_generators_would_take_it_to_be_always_there(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert "default" not in described, (name, field)


def test_null_is_no_value_of_an_enum(document: dict[str, Any]) -> None:
    assert not [each for each in nodes(document) if None in each.get("enum", ())]


def test_a_choice_with_a_discriminator_is_of_exactly_one(document: dict[str, Any]) -> None:
    """OpenAPI 3.1.1, 4.8.25: a discriminator may stand beside `anyOf`, too, but it says which one it is.

    Of an `anyOf`, openapi-generator 7.26.0 makes one type with the fields of all: clients for TypeScript (fetch) don't
    compile, and those for Rust send and require all of the fields.
    """
    (edit,) = [each for each in nodes(document) if "discriminator" in each]
    assert {each["$ref"] for each in edit["oneOf"]} == set(edit["discriminator"]["mapping"].values())
    assert "anyOf" not in edit


def test_no_address_has_the_format_of_which_clients_accept_less_than_rollcall(document: dict[str, Any]) -> None:
    """JSON Schema's `email` has no ü, and zod's no & (draft 2020-12, Validation, 7.3.2)."""
    assert not [each for each in nodes(document) if each.get("format") in ("email", "idn-email")]


def test_a_stream_is_text(document: dict[str, Any]) -> None:
    streams = [content for each in nodes(document) if (content := each.get("text/event-stream"))]
    assert [each["schema"]["type"] for each in streams] == ["string"]


def nodes(document: Any) -> Iterator[dict[str, Any]]:
    """Yield each object in a document, leaving out examples."""
    match document:
        case dict():
            yield document
            for name, each in document.items():
                yield from nodes(each) if name not in {"example", "examples"} else ()
        case list():
            for each in document:
                yield from nodes(each)


def test_the_page_loads_nothing_from_elsewhere(running: Served) -> None:
    page = running.client.get("/api/v1/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    needed = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(needed) >= 4
    for each in needed:
        assert each == "data:," or running.client.get(each).is_success
    assert "http" not in page.text
    assert "https:" not in running.client.get("/api/v1/docs/start.js").text


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
def test_schemathesis_finds_nothing(running: Served, served_database: str, tmp_path: Path, phases: str) -> None:
    with composed(settings_for(served_database)) as rollcall:
        seeded = seed(rollcall)
    done = subprocess.run(  # noqa: S603 - it is the installed program
        [
            Path(sys.executable).with_name("st"),
            *("--config-file", HERE / "schemathesis.toml"),
            *("run", f"{running.url}/api/v1/openapi.json", "--checks", "all", "--phases", phases),
        ],
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.adapters.api.schemathesis_hooks",
            "ROLLCALL_TEST_SEEDED": json.encode({**seeded, "url": running.url}).decode(),
            "PYTHONPATH": str(HERE.parents[2]),
            "NO_COLOR": "1",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search("Tested: +[1-9][0-9]", done.stdout), done.stdout
    if "fuzzing" in phases:  # the other phases have few cases each
        assert_reached(running)


def seed(rollcall: Rollcall) -> dict[str, Any]:
    """Create objects for schemathesis: a subscription, its groups, and imports in every state."""
    origin = subscribed(rollcall, *USERS, *(f"leaver{number}@example.com" for number in range(50)), seats=100_000_000)
    done = uploaded(rollcall, origin)
    start_commit(rollcall, origin_of(origin, done), 2)
    CommitRun(rollcall, done).run_batch()
    rollcall.health.catch_up()
    with rollcall.views() as rows:
        group = directory.groups(rows, origin.subscription_id)[0]
    transient = (create_group(rollcall, origin, uuid4(), f"Transient {number}").id for number in range(200))
    return {
        "administrator": token(rollcall.events, "administrator", origin.subscription_id),
        "operator": token(rollcall.events, "operator", ROLLCALL),
        "subscription": origin.subscription_id,
        "ended": subscribed(rollcall, USERS[0]).subscription_id,
        "group": group.id,
        "groups": list(transient),
        "done": done,
        "rejected": uploaded(rollcall, origin, "no header"),
        "reviewed": [uploaded(rollcall, origin) for _ in range(60)],
    }


def uploaded(rollcall: Rollcall, subscription: Origin, content: str = FILE) -> UUID:
    origin = importing_as(subscription, uuid4())
    return upload(rollcall, origin, "groups.csv", "text/csv", content.encode(), Limits()).id


def origin_of(subscription: Origin, import_id: UUID) -> Origin:
    return importing_as(subscription, import_id)


def assert_reached(running: Served) -> None:
    """Assert that requests succeeded in showing, editing, adding and discarding."""
    answered = {(line["method"], line["status"]) for line in running.log() if line["event"] == "request"}
    assert answered >= {
        *(("GET", 200), ("POST", 200), ("POST", 201), ("POST", 202), ("PATCH", 200), ("DELETE", 204)),
        *(("GET", 400), ("GET", 404)),
    }
    assert not {status for _, status in answered if status >= 500}


def test_a_session_comes_in_the_cookie_that_is_set(idle: Rollcall, database: str) -> None:
    def cookie(rollcall: Rollcall) -> str:
        document = asked(rollcall, "GET", "/api/v1/openapi.json").json()
        assert {"session": []} in document["paths"]["/api/v1/subscriptions"]["get"]["security"]
        return str(document["components"]["securitySchemes"]["session"]["name"])

    assert cookie(idle) == "rollcall"
    environment = {"ROLLCALL_DATABASE_URL": database, "ROLLCALL_PUBLIC_URL": "https://rollcall.example"}
    with composed(read_settings(environment)) as public:
        assert cookie(public) == "__Host-rollcall"
