"""With `sslrootcert=system`, a server's certificate is accepted if this machine trusts who issued it."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from psycopg.conninfo import make_conninfo

from adapters.postgres.datastore import Datastore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REACHED = b"SFATAL\0C57P03\0Mreached\0\0"
"""The fields of an error as PostgreSQL sends it (its documentation, "Message Formats")."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a certificate for localhost, which its own key has issued, and that key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    now = datetime.now(UTC)
    issued = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        issued.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


@contextmanager
def server(certificate: Path) -> Iterator[int]:
    """Listen as a PostgreSQL server does that has TLS, and answer whoever accepts the certificate with an error."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["postgresql"])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError), listener.accept()[0] as client:
                client.recv(8)  # the request for TLS
                client.sendall(b"S")
                with context.wrap_socket(client, server_side=True) as wrapped:
                    wrapped.recv(1_000)
                    wrapped.sendall(b"E" + (len(REACHED) + 4).to_bytes(4, "big") + REACHED)

        thread = Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
    thread.join()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    """Have this machine trust the certificate, as Python sees it, and nothing in the environment say so."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "put back at the end")
        del os.environ[name]
    paths = ssl.get_default_verify_paths()._replace(cafile=str(certificate), capath="")
    monkeypatch.setattr("adapters.postgres.datastore.get_default_verify_paths", lambda: paths)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_certificate_that_this_machine_trusts_is_accepted(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, *, by_environment: bool
) -> None:
    if by_environment:
        monkeypatch.setenv("PGSSLROOTCERT", "system")
    with server(certificate) as port:
        more = {} if by_environment else {"sslrootcert": "system"}
        conninfo = make_conninfo("", host="localhost", hostaddr="127.0.0.1", port=port, user="x", dbname="x", **more)
        with pytest.raises(psycopg.OperationalError, match="FATAL:  reached"):
            Datastore(conninfo, "rollcall", 1).connect()
