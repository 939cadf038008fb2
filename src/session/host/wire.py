"""Owns what passes between the host and the runner, and between the host and its own streams."""

import importlib
import json
import os
import socket
import sys


def receive(control):
    """The next frame and the descriptors that came with it; `None` when the runner is gone. Four
    bytes of length stand before each.
    """
    length, descriptors, _, _ = socket.recv_fds(control, 4, 4)
    for descriptor in descriptors:
        # What a step starts has no business with them.
        os.set_inheritable(descriptor, False)
    length += receive_bytes(control, 4 - len(length)) if length else b""
    if len(length) < 4:
        return None, descriptors
    return receive_bytes(control, int.from_bytes(length, "big")), descriptors


def receive_bytes(control, length):
    content = b""
    while len(content) < length:
        part = control.recv(length - len(content))
        if not part:
            break
        content += part
    return content


def send(control, **message):
    content = json.dumps(message).encode()
    try:
        control.sendall(len(content).to_bytes(4, "big") + content)
    except OSError:
        # The runner is gone; a step that runs goes on to its end, as it would by itself.
        pass


def unpack(block):
    """`directory NUL name=value NUL … NUL`, where an empty entry is the end; `None` for a block
    without its end.
    """
    entries = block.split(b"\0")
    if len(entries) < 3 or entries[-2:] != [b"", b""]:
        return None
    return entries[0], dict(entry.split(b"=", 1) for entry in entries[1:-2])


def read_all(descriptor):
    parts = []
    while True:
        part = os.read(descriptor, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def write_all(descriptor, content):
    while content:
        content = content[os.write(descriptor, content) :]


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass


def temporary_file():
    try:
        return os.memfd_create("dbt-entrypoint")
    except (AttributeError, OSError):
        return os.dup(importlib.import_module("tempfile").TemporaryFile().fileno())
