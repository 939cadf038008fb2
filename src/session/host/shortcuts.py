"""Owns the replacements for slow detours in dbt: the same result with less work.

Each is taken only where dbt and Python are as they are expected to be. Nothing here changes what
anybody can see.
"""

import errno
import importlib
import json
import logging.handlers
import multiprocessing
import os
import re
import stat

# Templates up to this length, in characters, and as many of them, are kept compiled: those of
# models are long, and all different.
SHORT, MANY = 300, 1000
MACRO = re.compile(r"\s*\{%-?\s*(macro|materialization|test|data_test)\b")


def take_shortcuts():
    """After dbt is imported, and before anybody asks it for anything.

    One that does not fit takes only itself out; gives back the names of those.
    """
    left_out = []
    for shortcut in (
        encode_json_in_c,
        write_log_lines_at_once,
        compile_templates_once,
        add_macros_at_once,
        fill_messages_directly,
    ):
        try:
            shortcut()
        except Exception:
            left_out.append(shortcut.__name__)
    return left_out


def encode_json_in_c():
    system = try_import("dbt_common.clients.system")
    if getattr(system, "json", None) is json:
        system.json = Json()


def write_log_lines_at_once():
    logger = try_import("dbt_common.events.logger")
    if (
        getattr(logger, "RotatingFileHandler", None) is logging.handlers.RotatingFileHandler
        and LogFile.write is not None
    ):
        logger.RotatingFileHandler = LogFile


def nameless_locks():
    """Before dbt is imported, since its classes take their locks from here.

    Only threads share them. But as they are made, they could be handed to processes that have still
    to be started: each lock has a name in the file system, and Python starts one more interpreter
    that removes the names should their owner be killed.
    """
    place = try_import("dbt.mp_context")
    if hasattr(place, "_MP_CONTEXT") and "fork" in multiprocessing.get_all_start_methods():
        place._MP_CONTEXT = multiprocessing.get_context("fork")


def parse_macros_once():
    """For a process that parses the project: Jinja parses each macro twice, to find its name and
    to find whom it calls.
    """
    environment = getattr(try_import("dbt_common.clients.jinja"), "MacroFuzzEnvironment", None)
    if environment is None:
        return
    usual, kept = environment.parse, {}

    def parse(self, source, *place, **options):
        # Nothing else is parsed twice, and would only be kept.
        if place or options or not MACRO.match(source):
            return usual(self, source, *place, **options)
        # Given away, so that it goes when nobody needs it any more. Both only look at it.
        tree = kept.pop((type(self), source), None)
        if tree is None:
            tree = kept[type(self), source] = usual(self, source)
        return tree

    environment.parse = parse


def compile_templates_once():
    """Jinja compiles what calls a test, or refers to a description, for each of its many places
    anew.
    """
    place, utilities = try_import("dbt_common.clients.jinja"), try_import("jinja2.utils")
    environment = getattr(place, "MacroFuzzEnvironment", None)
    # Whoever debugs macros wants to see each of them compiled.
    if environment is None or utilities is None or getattr(place, "MACRO_DEBUGGING", False):
        return
    usual, kept = environment.compile, {}

    def compile(self, source, *rest, **options):
        if rest or options or not isinstance(source, str) or len(source) > SHORT:
            return usual(self, source, *rest, **options)
        code = kept.get((type(self), source))
        if code is None:
            code = usual(self, source)
            if len(kept) < MANY:
                kept[type(self), source] = code
        return code

    # As the method itself: no frame of what a template did wrong.
    environment.compile = utilities.internalcode(compile)


class Json:
    """The module `json`, with a `dump` that encodes as `dumps` does, in C: the text is the same."""

    def __getattr__(self, name):
        return getattr(json, name)

    @staticmethod
    def dump(data, file, **options):
        file.write(json.dumps(data, **options))


class LogFile(logging.handlers.RotatingFileHandler):
    """The same file, line by line at once, without looking at its path before each line.

    A thread that gives up the interpreter while it holds the log waits long to get it back, and so
    does everybody who has something to log. So the interpreter is kept for these calls, which for a
    regular file are short.
    """

    try:
        ctypes = importlib.import_module("ctypes")
        library = ctypes.PyDLL(None, use_errno=True)
        write, seek = library.write, library.lseek
        write.argtypes, write.restype = (
            (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t),
            ctypes.c_ssize_t,
        )
        seek.argtypes, seek.restype = (ctypes.c_int, ctypes.c_long, ctypes.c_int), ctypes.c_long
    except (ImportError, OSError, AttributeError):
        write = None

    looked_at, rest = None, b""

    def emit(self, record):
        try:
            if self.stream is None or not self.is_regular():
                super().emit(record)
                return
            line = self.format(record) + self.terminator
            is_near = (
                self.maxBytes > 0
                and self.seek(self.stream.fileno(), 0, os.SEEK_END) + len(line) >= self.maxBytes
            )
            if is_near and self.shouldRollover(record):
                self.doRollover()
            self.put(line.encode(self.encoding, self.errors or "strict"))
        except Exception:
            self.handleError(record)

    def close(self):
        try:
            if self.rest:
                self.put(b"")
        except (OSError, ValueError):
            # There is still no room.
            pass
        super().close()

    def is_regular(self):
        """Looked up once for each stream; a rollover opens another one."""
        if self.looked_at is not self.stream:
            self.looked_at, self.regular = (
                self.stream,
                stat.S_ISREG(os.fstat(self.stream.fileno()).st_mode),
            )
        return self.regular

    def put(self, content):
        """What cannot be written stands before the next line, when there is room again."""
        self.rest += content
        while self.rest:
            count = self.write(self.stream.fileno(), self.rest, len(self.rest))
            if count >= 0:
                self.rest = self.rest[count:]
            elif self.ctypes.get_errno() != errno.EINTR:
                raise OSError(self.ctypes.get_errno(), os.strerror(self.ctypes.get_errno()))
