"""Owns what passes between the host and the runner, and between the host and its own streams."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys
import tempfile

# A step's directory and variables.
Surroundings = tuple[bytes, dict[bytes, bytes]]


def receive(control: socket.socket) -> tuple[bytes | None, list[int]]:
    """The next frame and the descriptors that came with it; `None` when the runner is gone.

    Four bytes of length stand before each.
    """
    length, descriptors, _, _ = socket.recv_fds(control, 4, 5)
    for descriptor in descriptors:
        # What a step starts has no business with them.
        os.set_inheritable(descriptor, False)
    length += receive_bytes(control, 4 - len(length)) if length else b""
    if len(length) < 4:
        return None, descriptors
    return receive_bytes(control, int.from_bytes(length, "big")), descriptors


def receive_bytes(control: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        part = control.recv(length - len(content))
        if not part:
            break
        content += part
    return content


def send(control: socket.socket, **message: object) -> None:
    content = json.dumps(message).encode()
    # With the runner gone there is nobody to tell.
    with contextlib.suppress(OSError):
        control.sendall(len(content).to_bytes(4, "big") + content)


def unpack(block: bytes) -> Surroundings | None:
    """`directory NUL name=value NUL … NUL`, where an empty entry is the end.

    `None` for a block without its end.
    """
    entries = block.split(b"\0")
    if len(entries) < 3 or entries[-2:] != [b"", b""]:
        return None
    pairs = (entry.partition(b"=") for entry in entries[1:-2])
    return entries[0], {name: value for name, _, value in pairs}


def read_all(descriptor: int) -> bytes:
    parts: list[bytes] = []
    while True:
        part = os.read(descriptor, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def temporary_file() -> int:
    """In memory where the system has that."""
    try:
        return os.memfd_create("dbt-entrypoint")
    except (AttributeError, OSError):
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


class Capture:
    """What this process writes to stdout and stderr, to be repeated by the children.

    Each dbt of its own would have written it.
    """

    def __init__(self) -> None:
        # The runner gives files, so that nothing is lost that the interpreter says as it starts.
        self.files = [
            os.dup(number) if stat.S_ISREG(os.fstat(number).st_mode) else temporary_file()
            for number in (1, 2)
        ]

    def begin(self) -> None:
        for number, file in enumerate(self.files, 1):
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.dup2(file, number)

    def end(self) -> list[bytes]:
        flush()
        return [os.pread(file, os.fstat(file).st_size, 0) for file in self.files]
