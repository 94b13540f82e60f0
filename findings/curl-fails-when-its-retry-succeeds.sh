#!/usr/bin/env bash
# curl 7.88.1 (Debian 12): with --retry and -OJ, a download fails if the server is away once, because the second attempt succeeds.
#
# --retry sends a request again after a "transient error", such as a 429 or 503, and -OJ names the file as the server does (Content-Disposition, RFC 6266).
# An answer of 503 names no file, so curl opens one that is called like the last part of the URL, for the text of the error. Before the second attempt it
# empties that file, but leaves it open, and when the answer of 200 names the file, curl takes the open one for a sign of trouble and stops with "(23)
# Failed writing header", which sounds like a full disk. What is left is an empty file. The manual says of -J only that it doesn't overwrite files. With --fail, errors are not
# written anywhere, so all goes well; with --fail-with-body, which was made for those who want to see the error, it doesn't. set_filename in
# src/tool_cb_hdr.c was still so in August 2026 (8.22.0-DEV).
#
# Seen (the first answer is 503, the second 200 with the name groups.csv; what curl leaves, and its exit code):
#   -OJ --retry 1                      export, 0 bytes          23
#   -OJ --retry 1 --fail-with-body     export, 0 bytes          23
#   -OJ --retry 1 --fail               groups.csv, 13 bytes     0
#   -O --retry 1                       export, 13 bytes         0
#   -OJ --retry 1, the first was 200   groups.csv, 13 bytes     0
#
# Rollcall names its downloads, and answers 429 and 503 when it is busy: docs/api-tour.md, "Good to know", says what to pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download --quiet=2 'curl=7.88.1*' 'libcurl4=7.88.1*' 2>/dev/null
for package in *.deb; do dpkg -x "$package" .; done
python3 - <<'PYTHON'
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

GROUPS = b"name\r\nSales\r\n"
CASES = {
    "-OJ --retry 1": [503, 200],
    "-OJ --retry 1 --fail-with-body": [503, 200],
    "-OJ --retry 1 --fail": [503, 200],
    "-O --retry 1": [503, 200],
    "-OJ --retry 1 ": [200],
}


class Handler(BaseHTTPRequestHandler):
    answers = []

    def do_GET(self):
        status = self.answers.pop(0)
        body = GROUPS if status == 200 else b"Try again in a moment."
        self.send_response(status)
        if status == 200:
            self.send_header("Content-Disposition", 'attachment; filename="groups.csv"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
curl = Path("usr/bin/curl").absolute()
libraries = next(Path("usr/lib").glob("*/libcurl.so.4")).parent.absolute()
environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries), "no_proxy": "*"}
seen = []
for options, answers in CASES.items():
    Handler.answers = list(answers)
    with TemporaryDirectory() as downloads:
        url = f"http://127.0.0.1:{server.server_port}/export"
        done = subprocess.run([curl, "-q", "-sS", *options.split(), url], cwd=downloads, env=environment, capture_output=True, text=True)
        left = [(path.name, path.stat().st_size) for path in Path(downloads).iterdir()]
        seen.append((left, done.returncode))
        print(options, answers, *seen[-1], done.stderr.strip())
whole = len(GROUPS)
expected = [([("export", 0)], 23), ([("export", 0)], 23), ([("groups.csv", whole)], 0), ([("export", whole)], 0), ([("groups.csv", whole)], 0)]
sys.exit(None if seen == expected else "curl behaves otherwise now.")
PYTHON
