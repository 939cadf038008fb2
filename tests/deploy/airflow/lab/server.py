"""A local AWS whose ECS runs containers: moto on a free port, for as long as the process that asked
for it lives.

Writes {"endpoint": …, "credentials": …} to ready.json in --dir once it answers, and what happens to
events.jsonl there.
"""

import argparse
import json
import os
import pathlib
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

    import calls
    import containers
    from moto.server import ThreadedMotoServer

    import credentials

    events = Events(arguments.dir / "events.jsonl")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    roles = credentials.Endpoint()
    calls.record(events)
    containers.run_for_real(events, roles, endpoint)
    ready = arguments.dir / "ready.json"
    # Renamed into place: who sees the file sees all of it.
    ready.with_suffix(".tmp").write_text(
        json.dumps({"endpoint": endpoint, "credentials": roles.url})
    )
    ready.with_suffix(".tmp").rename(ready)
    while lives(arguments.owner):
        time.sleep(0.3)
    containers.kill_all()
    os._exit(0)


class Events:
    """What happened, one JSON object a line; `append` of one short line is whole, whichever thread
    writes it.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.file = path.open("ab", buffering=0)

    def __call__(self, event: str, **details: object) -> None:
        self.file.write(
            (
                json.dumps({"event": event, "time": time.time(), **details}, default=str) + "\n"
            ).encode()
        )


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
