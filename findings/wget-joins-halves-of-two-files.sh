#!/usr/bin/env bash
# GNU Wget 1.21.3 (Debian 12): after a broken connection, a file that has changed is half old and half new, and wget says that all went well.
#
# A server may ignore Range and send the whole file with 200 (RFC 9110, 14.2), and a client may join parts of one version of it only (15.3.7.3, "Combining
# Parts"). If the connection breaks, wget asks for the rest by itself, without an If-Range. If it is answered with 200 and the whole file, it passes over
# as many bytes as it has, and adds the others to those of the first answer. It does so, too, if the ETags of the answers differ, and if the server said
# "Accept-Ranges: none". So does `wget -c` with a file from an earlier day, although its manual says that, where "the server does not support continued
# downloading, Wget will restart the download from scratch and overwrite the existing file entirely". Wget exits with 0. Files that are made when they are
# asked for, such as exports, change all the time. curl -C says that it can't resume; aria2 begins again.
#
# Seen (1,000 lines of "old"; the connection breaks after 4,000 bytes; then the file has 1,000 lines of "new"):
#   wget                                   exit code 0, 514 lines of "old", then 486 of "new"
#   the same, with Accept-Ranges or ETag   the same
#   wget -c, with 4,000 bytes of "old"     the same
#   wget; the rest is refused with 400     exit code 8
#
# Rollcall refuses to send the rest of anything, unless it is asked with If-Range (adapters/http/validation.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download --quiet=2 'wget=1.21.3*' 2>/dev/null
dpkg -x wget_*.deb .
python3 - <<'PYTHON'
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from threading import Thread

OLD, NEW = (b"".join(b"%s %d\n" % (word, number) for number in range(1000)) for word in (b"old", b"new"))
PART = 4000
MORE = {"plain": ("X-Other", "none"), "none": ("Accept-Ranges", "none"), "etag": ("ETag", '"%d"')}
asked = set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        again = self.path in asked or "-c" in self.path
        asked.add(self.path)
        if "refused" in self.path and again:
            self.send_response(400)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = NEW if again else OLD
        self.send_response(200)
        name, value = next((MORE[each] for each in MORE if each in self.path), MORE["plain"])
        self.send_header(name, value.replace("%d", str(int(again))))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if again else body[:PART])
        self.wfile.flush()
        if not again:
            self.close_connection = True
            self.connection.shutdown(SHUT_RDWR)

    def log_message(self, *_):
        pass


def download(name, *options):
    path = Path(name)
    if options:
        path.write_bytes(OLD[:PART])
    address = f"http://127.0.0.1:{server.server_port}/{name}"
    command = ["usr/bin/wget", "--no-config", "--no-proxy", "--quiet", "--waitretry=0", *options, address]
    code = subprocess.run(command, timeout=60, check=False).returncode
    found = path.read_bytes()
    return code, found.count(b"old"), found.count(b"new"), found[PART:] == NEW[PART:]


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
seen = {name: download(name) for name in ("plain", "none", "etag", "refused")} | {"-c": download("plain-c", "--continue")}
for name, (code, old, new, _) in seen.items():
    print(f"{name}: exit code {code}, {old} lines of old, {new} of new")
joined = (0, 514, 486, True)
expected = {"plain": joined, "none": joined, "etag": joined, "refused": (8, 514, 0, False), "-c": joined}
sys.exit(0 if seen == expected else "wget behaves otherwise now")
PYTHON
