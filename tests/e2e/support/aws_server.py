"""A local AWS for the tests of one run: moto on a free port, for as long as the run's owner lives.

Writes {"port": N} to ready.json in --dir once it answers; deletes that folder when it ends.
"""

import argparse
import json
import os
import pathlib
import shutil
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--owner", type=int, required=True, help="the process whose end is the end of the server"
    )
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    # The server stands for AWS, not for a client of it.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]

    from moto.server import ThreadedMotoServer

    complete_glue()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    ready = arguments.dir / "ready.json"
    # Renamed into place: a test that sees the file sees all of it.
    ready.with_suffix(".tmp").write_text(json.dumps({"port": port}))
    ready.with_suffix(".tmp").rename(ready)
    try:
        while lives(arguments.owner):
            time.sleep(0.3)
    finally:
        shutil.rmtree(arguments.dir, ignore_errors=True)
        os._exit(0)


def complete_glue() -> None:
    """Glue returns a connection's AuthenticationConfiguration; moto takes it and forgets it."""
    from moto.glue.models import FakeConnection

    plain = FakeConnection.as_dict

    def as_dict(self, hide_password=False):
        authentication = self.connection_input.get("AuthenticationConfiguration")
        answer = plain(self, hide_password)
        return (
            {**answer, "AuthenticationConfiguration": authentication} if authentication else answer
        )

    FakeConnection.as_dict = as_dict


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main()
