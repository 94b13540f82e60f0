"""The README and the pages in docs/ are true: what they link to and name exists, and their tables are complete."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from adapters.cli.main import cli
from adapters.settings import describe

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("domain", "application", "projections", "adapters")
MOST_LINES = 120


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, formed as GitHub forms them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_internal_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text_of(page))
    broken = []
    for path, anchor in links:
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def test_each_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.is_dir():
            waiting += page.glob("*.md")
        elif page not in reached:
            reached.add(page)
            links = re.findall(r"\]\((?!https?:)([^)#]+)", text_of(page)) if page.suffix == ".md" else []
            waiting += [(page.parent / each).resolve() for each in links]
    assert set(PAGES) <= reached


def test_the_readme_stays_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ {4})(?:[A-Z_]+=\S+ )?make ([a-z-]+)", text_of(page), re.MULTILINE))
    assert named <= targets


def test_developing_lists_each_make_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text_of(ROOT / "Makefile"), re.MULTILINE))
    listed = set(re.findall(r"`make ([a-z-]+)", text_of(DOCS / "developing.md")))
    assert targets - {"help", "demo"} <= listed


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_command_exists_with_its_options(page: Path) -> None:
    for line in re.findall(r"^(?: {4})?rollcall ([a-z-].*)$", text_of(page), re.MULTILINE):
        command: click.Command = cli
        words = shlex.split(line, comments=True)
        while isinstance(command, click.Group) and not words[0].startswith("-"):
            command = command.commands[words.pop(0)]
        command.make_parser(click.Context(command)).parse_args(words)  # raises NoSuchOption
    assert set(re.findall(r"`rollcall ([a-z-]+)", text_of(page))) <= set(cli.commands)


def test_each_path_in_backticks_exists() -> None:
    roots = (*PACKAGES, "tests", "docs")
    found = {
        (name_of(page), path)
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for path in re.findall(rf"`((?:{'|'.join(roots)})/[\w./-]*)", text_of(page))
    }
    assert len(found) > 20
    assert {each for each in found if not (ROOT / each[1]).exists()} == set()


def test_the_settings_page_lists_each_setting() -> None:
    rows = re.findall(r"^\| `(ROLLCALL_[A-Z_]+)` \| (.*?) \| (.*?) \|$", text_of(DOCS / "settings.md"), re.MULTILINE)
    assert rows == list(describe())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_setting_that_is_named_exists(page: Path) -> None:
    names = {name for name, _, _ in describe()} | {"ROLLCALL_TEST_DATABASE_URL"}
    if page.name == "CHANGELOG.md":
        names.add("ROLLCALL_WORKER_SESSIONS")  # as it was
    assert {each.removesuffix("_FILE") for each in re.findall(r"\bROLLCALL_[A-Z_]+", text_of(page))} <= names


def test_the_dependencies_page_lists_each_dependency() -> None:
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    names = [re.split(r"[\[<>=]", each)[0] for each in wanted]
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)`", text_of(DOCS / "dependencies.md"), re.MULTILINE)) == sorted(names)


def test_the_architecture_page_shows_each_package() -> None:
    (tree,) = re.findall(r"## The rooms\n\n```\n(.*?)```", text_of(DOCS / "architecture.md"), re.DOTALL)
    shown, above = set(), [""]
    for indent, name in re.findall(r"^( *)(\w+)/ ", tree, re.MULTILINE):
        above = [*above[: len(indent) // 2 + 1], name]
        shown.add("/".join(above[1:]))
    packages = {str(path.parent.relative_to(ROOT)) for each in PACKAGES for path in (ROOT / each).rglob("__init__.py")}
    assert shown == packages | {"tests"}


def test_the_architecture_page_names_each_import_contract() -> None:
    contracts = [each["name"] for each in PROJECT["tool"]["importlinter"]["contracts"]]
    page = text_of(DOCS / "architecture.md").partition("## What may import what")[2].partition("\n## ")[0]
    assert re.findall(r"^\d\. \*\*(.*?)\.\*\*", page, re.MULTILINE) == contracts
