"""What somebody looks at on an import's page: it is all in the address, so that links, reloads and forms keep it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

from msgspec import Meta, Struct, ValidationError, convert, structs

from adapters.http.problems import Invalid
from adapters.http.requests import checked_text

Tab: TypeAlias = Literal["groups", "problems", "added", "left"]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Look(Struct, frozen=True):
    """Which tab, which groups (`q` in their name, `only` with problems), behind which number, and which one opened.

    `open` shows a group's users, those behind the first `users` of them; `edit` offers to rename it.
    """

    show: Tab | None = None
    q: str = ""
    only: Literal["problems"] | None = None
    after: Number = 0
    open: Number = 0
    users: Number = 0
    edit: Number = 0

    def query(self, **changes: object) -> str:
        """Return this as the query of an address, with changes."""
        wanted = {**structs.asdict(self), **changes}
        return urlencode({name: value for name, value in wanted.items() if value})

    @property
    def narrowed(self) -> bool:
        """Tell whether some groups are left out."""
        return bool(self.q or self.only)


ALL = Look()


def look_of(query: str) -> Look:
    """Return what a query says, as a form kept it; raises Invalid."""
    try:
        look: Look = convert(dict(parse_qsl(query)), Look, strict=False)
    except ValidationError as error:
        raise Invalid(reason="The form does not say where it was. Load the page again.", field="look") from error
    checked_text(look.q)
    return look
