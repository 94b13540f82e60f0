"""The clients that real generators make of our OpenAPI document: they generate, type-check and work.

Run it with `make test-clients`. It is no part of `make test`, because it installs the generators first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, which
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.adapters.api.importing import committed, subscribed, uploaded
from tests.adapters.api.tokens import scope_of
from tests.adapters.server.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.timeout(900)

PROGRAMS = Path(__file__).parent / "programs"
EMAILS = ("ann@example.com", "ben@example.com")
FILE = "Groupname,Email,Email\nSales,ann@example.com,ben@example.com\nAsia,ann@example.com\nAfrica,ben@example.com\n"
FLAVOURS = {"pydantic": "pydantic_v2.BaseModel", "dataclass": "dataclasses.dataclass", "msgspec": "msgspec.Struct"}
ANSWERS = {
    "SubscriptionDocument": "",
    "LicenceRow": "/licences",
    "ImportDocument": "/imports",
    "ReviewedGroup": "/imports/{import_id}/groups",
    "ReviewedUser": "/imports/{import_id}/groups/1/users",
    "AddedDocument": "/imports/{import_id}/groups-added",
    "ImportMembership": "/imports/{import_id}/memberships",
    "HistoryRow": "/imports/{import_id}/history",
    "GroupRow": "/groups",
    "AuditDocument": "/audit",
    "CloudEvent": "/events",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the programs, in which what is generated lies beside them."""
    return copytree(PROGRAMS, tmp_path_factory.mktemp("clients") / "programs")


@pytest.fixture(scope="module")
def python(folder: Path) -> Path:
    """Return the commands of a virtual environment with the generators for Python, and nothing of ours."""
    run(folder, sys.executable, "-m", "venv", ".venv")
    commands = folder / ".venv/bin"
    run(folder, commands / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt")
    return commands


@pytest.fixture(scope="module")
def node(folder: Path) -> Path:
    """Return the commands of the generators for TypeScript."""
    assert which("npm"), "install Node.js 20.19 or later, with npm"
    run(folder, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    return folder / "node_modules/.bin"


@pytest.fixture
def running(database: str, folder: Path) -> Iterator[Served]:
    """Serve, and put the document into the folder."""
    with served(database) as server:
        document = server.client.get("/api/v1/openapi.json").raise_for_status()
        (folder / "openapi.json").write_bytes(document.content)
        yield server


@pytest.fixture
def arguments(running: Served) -> list[str]:
    """Return what each program takes: the server's URL, a token, a subscription, and the content of a file."""
    subscription = subscribed(running.client, *EMAILS)
    return [running.url, running.auth.of(subscription), str(scope_of(subscription)), FILE]


def run(folder: Path, *command: str | Path) -> None:
    """Run a command in a folder; fail with all that it printed if it fails."""
    path = os.pathsep.join([str(folder / ".venv/bin"), os.environ["PATH"]])
    done = subprocess.run(  # noqa: S603 - the generators, and our own programs
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": "", "MYPYPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_openapi_python_client(running: Served, python: Path, folder: Path, arguments: list[str]) -> None:
    generated = ("--path", "openapi.json", "--output-path", "generated_client", "--meta", "none", "--overwrite")
    run(folder, python / "openapi-python-client", "generate", *generated)
    program = "with_openapi_python_client.py"
    run(folder, python / "mypy", "--config-file", "mypy.ini", program, "generated_client")
    run(folder, python / "python", program, *arguments)
    assert running.client.get("/health/live").is_success


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_datamodel_code_generator(running: Served, python: Path, folder: Path, flavour: str) -> None:
    kinds = ("--input-file-type", "openapi", "--output-model-type", FLAVOURS[flavour])
    style = ("--target-python-version", "3.11", "--use-annotated", "--formatters", "builtin")
    files = ("--input", "openapi.json", "--output", "generated_models.py")
    run(folder, python / "datamodel-codegen", *files, *kinds, *style)
    run(folder, python / "mypy", "--config-file", "mypy.ini", "generated_models.py", "with_models.py")
    run(folder, python / "python", "with_models.py", flavour, *answers(running.client, folder / flavour))


def answers(client: httpx.Client, folder: Path) -> list[str]:
    """Write a real answer of each kind to a file that is named after its schema."""
    folder.mkdir()
    subscription = subscribed(client, *EMAILS)
    where = uploaded(client, subscription, FILE)
    committed(client, where)
    for schema, route in ANSWERS.items():
        answer = client.get(subscription + route.format(import_id=where.rpartition("/")[2])).raise_for_status()
        assert answer.json(), schema
        (folder / schema).with_suffix(".json").write_bytes(answer.content)
    refused = client.get(f"{subscription}/groups/{uuid4()}")
    (folder / "ProblemDocument.json").write_bytes(refused.content)
    return list(map(str, sorted(folder.iterdir())))


@pytest.mark.usefixtures("running")
def test_openapi_typescript_and_hey_api(node: Path, folder: Path, arguments: list[str]) -> None:
    run(folder, node / "openapi-typescript", "openapi.json", "-o", "generated_types.ts")
    run(folder, node / "openapi-ts", "-i", "openapi.json", "-o", "generated_hey_api")
    run(folder, node / "tsc", "-p", ".")
    run(folder, "node", "out/with_openapi_fetch.js", *arguments)
    run(folder, "node", "out/with_hey_api.js", *arguments)
