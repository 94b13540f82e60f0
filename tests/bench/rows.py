"""What is measured. The targets are those of the issue “Speed”."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.table import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.sizes import Sizes


def rows(sizes: Sizes) -> Sequence[Row]:
    """Return the rows of the table, in order."""
    licences, groups = f"{sizes.licences:,}", f"{sizes.groups:,}"
    return (
        Row(f"allocate {licences} licences in one request (CSV)", "allocate", "s", target="≥ 6× 3fc41c7"),
        Row("  others’ single appends meanwhile, p99", "append_beside_p99", "ms", target="≤ 50 ms"),
        Row(f"upload {groups} groups × 10 users, until it is answered", "upload", "s"),
        Row("  until the review can be read", "review", "s", target="≥ 4× 3fc41c7"),
        Row("Add Groups to completed, every view caught up", "commit", "s", "commit.limit", "≥ 6×, ≥ 0.7 of the limit"),
        Row("  memberships a second", "memberships", "/s"),
        Row("  another tenant’s GET S/groups meanwhile, p99", "other_p99", "ms", "other_p99.limit", "≥ 0.33 of idle"),
        Row("  answers of /health/ready that were not 200", "not_ready", "", target="0"),
        Row("GET I, 32 clients", "get_import", "/s", "get_import.limit", "≥ 0.6 of a bare route"),
        Row("GET I/groups, 32 clients", "get_groups", "/s", "get_groups.limit", "≥ 0.5 of a bare route"),
        Row("GET I/groups: the hundredth page", "hundredth_page", "ms", "hundredth_page.limit", "as the first"),
        Row("Stop while groups of 1,000 users are added, p99", "stop_p99", "ms", target="≤ 250 ms"),
        Row("append one event", "append", "/s", "append.limit", "≥ 0.8 of INSERT, COMMIT"),
        Row("one event from save to visible", "visible", "ms", "visible.limit", "≥ 0.5 of INSERT, NOTIFY, SELECT"),
        Row("rebuild all views: events", "rebuild", "/s", "rebuild.limit", "≥ 0.4 of SELECT, decode, COPY"),
        Row(f"read {sizes.read_rows:,} rows × 3 groups", "read", "s", "read.limit", "≥ 0.30 of csv.reader"),
        Row(f"peak memory, user-based file of {sizes.memory_rows:,} rows", "memory", "MB", target="≤ 700 MB"),
        Row("  with PostgreSQL", "memory_with_postgres", "MB"),
        Row("time of a commit by memberships, slope", "slope", "", target="≤ 1"),
        Row(f"user-based file of {sizes.django_rows:,} rows × 3, from file to visible", "django", "/s", "django.limit"),
        Row("  times django-import-export 4.4", "django_ratio", "×", target="≥ 60"),
    )
