#!/usr/bin/env bash
# aiohttp-retry 2.9.1 with aiohttp 3.14.5 (PyPI): after an answer of 503, a POST is sent again by itself, with an empty file in a valid form.
#
# RetryClient repeats POSTs after each answer of 500 or more, unless it is told not to. It passes the same `data` to aiohttp for each attempt. aiohttp makes
# a new form of a dict each time, and takes a BytesIO from where the attempt before has left it: at its end. Nothing is raised, and all but the file is
# right. By aiohttp's changelog, most payloads can be reused since 3.12.1, also those of uploads, so that "retry mechanisms" can send them again; it excepts
# async iterables only. That is so for the same BytesIO in a FormData. An open file is closed after the first attempt, which raises a ValueError: whoever
# has tried that one doesn't expect that a file in memory is lost without a word.
#
# Seen (a file of 22 bytes; the first request is answered with 503, the second with 201):
#   data={"file": BytesIO(…)}    201, the server got 22 bytes, then 0
#   data=BytesIO(…)              201, the server got 22 bytes, then 0
#   FormData with a BytesIO      201, the server got 22 bytes, then 22
#   data={"file": bytes}         201, the server got 22 bytes, then 22
#   data={"file": open(…)}       ValueError
#
# An empty file doesn't take up the Idempotency-Key of an upload to Rollcall (adapters/http/uploads.py), and docs/api-tour.md says what to send.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'aiohttp-retry==2.9.1' 'aiohttp==3.14.5' 2>/dev/null
venv/bin/python - <<'PYTHON'
import asyncio
import sys
from io import BytesIO
from pathlib import Path

from aiohttp import FormData, web
from aiohttp_retry import ExponentialRetry, RetryClient

CONTENT = b"email\nann@example.com\n"
FILE = Path("users.csv")
FILE.write_bytes(CONTENT)


def form():
    made = FormData()
    made.add_field("file", BytesIO(CONTENT), filename=FILE.name)
    return made


cases = {
    "a BytesIO in a dict": lambda: {"file": BytesIO(CONTENT)},
    "a BytesIO": lambda: BytesIO(CONTENT),
    "a BytesIO in a FormData": form,
    "bytes in a dict": lambda: {"file": CONTENT},
    "an open file in a dict": lambda: {"file": FILE.open("rb")},
}
expected = {
    "a BytesIO in a dict": (201, [22, 0]),
    "a BytesIO": (201, [22, 0]),
    "a BytesIO in a FormData": (201, [22, 22]),
    "bytes in a dict": (201, [22, 22]),
    "an open file in a dict": ("ValueError", [22]),
}


async def uploaded(make):
    sizes = []

    async def take(request):
        if request.content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
            sent = (await request.post())["file"]
            sizes.append(len(sent.file.read() if hasattr(sent, "file") else sent))
        else:
            sizes.append(len(await request.read()))
        return web.Response(status=503 if len(sizes) == 1 else 201)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with RetryClient(retry_options=ExponentialRetry(start_timeout=0.1)) as client, client.post(url, data=make()) as answer:
            return answer.status, sizes
    except ValueError as error:
        return type(error).__name__, sizes
    finally:
        await runner.cleanup()


seen = {name: asyncio.run(uploaded(make)) for name, make in cases.items()}
for name, (outcome, sizes) in seen.items():
    print(f"{name}: {outcome}, the server got files of {sizes} bytes")
if seen != expected:
    sys.exit("this has changed")
PYTHON
