"""`make bench`: how fast Rollcall is, next to what could be reached, in one run over one PostgreSQL.

- `rows` lists what is measured, and `table` prints it: medians with their spread, as text and as JSON.
- `servers` runs this build, or another commit beside it (`--against`), over a database of its own.
- `journey`, `memory` and `growth` measure over HTTP, so that they fit every commit. `inside` and `load` are programs.
- `limits` and `bare` measure what could be reached. `against_django` measures what people would use instead.
"""
