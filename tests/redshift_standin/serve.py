#!/usr/bin/env python3
"""A throw-away PostgreSQL and, before it, the Redshift stand-in, both on free ports of the loopback
interface.

    serve.py [--port N] [--tls] [--owner PID] [--dir DIR]

Runs in the foreground until Ctrl-C, or until the process PID is gone, and then deletes all that it
made. Once a query goes through, it prints the login as `export` lines and writes ready.json into
DIR. Needs PostgreSQL 15 or later; with --tls also openssl.

The database `redshift` holds Redshift's functions and catalogs and nothing else: it is the template
for one database per test.
"""

import argparse
import asyncio
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import wire

HERE = pathlib.Path(__file__).resolve().parent
USER = "dbt_user"
# Fast, and not crash-safe.
SETTINGS = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "timezone=UTC",
    "password_encryption=md5",
    "max_connections=60",
]


class Postgres:
    """One cluster in one folder. Run by root it belongs to the system's user `postgres`, since
    PostgreSQL refuses to be root's.
    """

    def __init__(self, folder):
        self.folder, self.binaries = folder, find_binaries()
        self.user = "postgres" if os.geteuid() == 0 else None
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self):
        if self.user:
            shutil.chown(self.folder, self.user)
        # Like Redshift: UTF-8, compared byte by byte. Not SCRAM: redshift_connector cannot read
        # PostgreSQL's offer of it.
        self.call(
            "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--auth-local=trust",
            "--auth-host=md5",
        )
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        with open(self.folder / "postgres.log", "w") as log:
            self.process = subprocess.Popen(
                [
                    self.binaries / "postgres",
                    "-D",
                    self.folder / "data",
                    "-p",
                    str(self.port),
                    "-k",
                    self.folder,
                    "-c",
                    "listen_addresses=127.0.0.1",
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                cwd="/",
                start_new_session=True,
            )
        until(60, "PostgreSQL to start", lambda: self.process.poll() is None and self.answers())

    def answers(self):
        ask = [self.binaries / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]
        return subprocess.run(ask).returncode == 0

    def stop(self):
        if self.process:
            # An immediate shutdown: whatever still runs in it is part of a test that is over.
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def call(self, program, *arguments):
        done = subprocess.run(
            [self.binaries / program, *arguments],
            user=self.user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{program} failed:\n{done.stdout}")

    def sql(self, database, *arguments):
        self.call(
            "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.folder,
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-d",
            database,
            *arguments,
        )


def find_binaries():
    found = shutil.which("postgres") or shutil.which("initdb")
    candidates = [pathlib.Path(found).resolve().parent] if found else []
    candidates += sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "postgres").exists():
            return folder
    sys.exit("PostgreSQL's server is missing: install the package postgresql")


def until(seconds, what, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.02)


def make_certificate(folder):
    key, certificate = folder / "tls.key", folder / "tls.crt"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return wire.certificate(certificate, key)


async def serve(arguments, postgres, password):
    tls = make_certificate(arguments.dir) if arguments.tls else None
    server = await wire.listen(arguments.port, ("127.0.0.1", postgres.port), tls, arguments.verbose)
    port = server.sockets[0].getsockname()[1]
    login = {
        "HOST": "127.0.0.1",
        "PORT": port,
        "USER": USER,
        "PASSWORD": password,
        "DB": "dev",
        "SCHEMA": "analytics",
    }
    for name, value in login.items():
        print(f"export DBT_REDSHIFT_{name}={value}", flush=True)
    ready = {
        "port": port,
        "user": USER,
        "password": password,
        "postgres_port": postgres.port,
        "socket": str(postgres.folder),
        "psql": str(postgres.binaries / "psql"),
    }
    # Renamed into place: who sees the file sees all of it.
    (arguments.dir / "ready.tmp").write_text(json.dumps(ready))
    (arguments.dir / "ready.tmp").rename(arguments.dir / "ready.json")
    while arguments.owner is None or lives(arguments.owner):
        await asyncio.sleep(0.3)


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="a free one without it")
    parser.add_argument(
        "--tls", action="store_true", help="offer TLS; trust it with SSL_CERT_FILE=DIR/tls.crt"
    )
    parser.add_argument("--owner", type=int, help="end when this process has ended")
    parser.add_argument(
        "--dir",
        type=pathlib.Path,
        help="an empty folder; one below the system's temporary folder without it",
    )
    parser.add_argument("--verbose", action="store_true", help="log each rewritten statement")
    arguments = parser.parse_args()
    arguments.dir = arguments.dir or pathlib.Path(tempfile.mkdtemp(prefix="redshift-standin-"))
    arguments.dir.chmod(0o755)
    cluster = arguments.dir / "postgres"
    cluster.mkdir()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    postgres = Postgres(cluster)
    password = "standin-" + secrets.token_hex(8)
    try:
        postgres.start()
        postgres.sql(
            "postgres",
            "-c",
            f"create role {USER} login password '{password}'",
            "-c",
            "create database redshift",
        )
        postgres.sql("redshift", "-f", HERE / "redshift_compat.sql")
        postgres.sql("postgres", "-c", f"create database dev owner {USER} template redshift")
        asyncio.run(serve(arguments, postgres, password))
    except KeyboardInterrupt:
        pass
    finally:
        postgres.stop()
        shutil.rmtree(arguments.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
