"""Each shortcut beside what it stands for: the same files, the same text, the same errors."""

import importlib
import json
import logging
import logging.handlers
import multiprocessing
import os
import pathlib
import resource
import sys
import tempfile
import threading
import types
import unittest

from support import host


def shortcuts() -> types.SimpleNamespace:
    return host("macros", "events", "shortcuts")


class Modules:
    """Modules that are there as long as the block lasts."""

    def __init__(self, **modules: dict):
        self.modules = {name.replace("__", "."): contents for name, contents in modules.items()}

    def __enter__(self) -> dict:
        made = {}
        for name, contents in self.modules.items():
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                made.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
            vars(made[name]).update(contents)
        for module in made.values():
            module.__path__ = []
        sys.modules.update(made)
        self.made = made
        return made

    def __exit__(self, *_: object) -> None:
        for name in self.made:
            del sys.modules[name]


class Logs(unittest.TestCase):
    def setUp(self) -> None:
        self.host = shortcuts()
        self.kinds = (logging.handlers.RotatingFileHandler, self.host.LogFile)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.places = [pathlib.Path(directory.name) / name for name in ("usual", "ours")]
        for place in self.places:
            place.mkdir()

    def handlers(self, name: str = "dbt.log", **options: object) -> list:
        made = [
            kind(place / name, encoding="utf8", **options)
            for kind, place in zip(self.kinds, self.places)
        ]
        for handler in made:
            handler.setFormatter(logging.Formatter(fmt="%(message)s"))
            handler.failures = []
            handler.handleError = lambda record, handler=handler: handler.failures.append(
                sys.exc_info()[0]
            )
            self.addCleanup(handler.close)
        return made

    @staticmethod
    def say(handler: logging.Handler, text: str) -> None:
        handler.handle(logging.LogRecord("dbt", logging.DEBUG, "", 0, text, None, None))

    def contents(self) -> list:
        return [{path.name: path.read_bytes() for path in place.iterdir()} for place in self.places]

    def test_it_stands_for_the_handler_of_this_python(self) -> None:
        self.assertIsNotNone(self.host.LogFile.write)

    def test_the_same_lines_in_the_same_files(self) -> None:
        for limit in (0, 300, 4000):
            handlers = self.handlers(f"{limit}.log", maxBytes=limit, backupCount=3)
            for number in range(1500):
                text = f"{number} {'ä€😀x'[number % 4] * (number % 97)}" + "\n two lines" * (
                    number % 11 == 0
                )
                for handler in handlers:
                    self.say(handler, text)
        usual, ours = self.contents()
        self.assertEqual(usual.keys(), ours.keys())
        self.assertEqual(usual, ours)
        self.assertIn("300.log.3", ours)

    def test_a_line_is_in_the_file_at_once(self) -> None:
        _, handler = self.handlers()
        for number in range(3):
            self.say(handler, f"line {number}")
            self.assertTrue((self.places[1] / "dbt.log").read_text().endswith(f"line {number}\n"))

    def test_what_others_write_counts(self) -> None:
        handlers = self.handlers(maxBytes=1000, backupCount=1)
        for handler, place in zip(handlers, self.places):
            self.say(handler, "first")
            with open(place / "dbt.log", "a", encoding="utf8") as other:
                other.write("x" * 990 + "\n")
            self.say(handler, "second")
        usual, ours = self.contents()
        self.assertEqual(usual, ours)
        self.assertEqual(ours["dbt.log"], b"second\n")

    def test_a_file_that_is_taken_away_is_written_on(self) -> None:
        handlers = self.handlers(maxBytes=1000, backupCount=1)
        for handler, place in zip(handlers, self.places):
            self.say(handler, "first")
            (place / "dbt.log").rename(place / "elsewhere")
            self.say(handler, "second")
        usual, ours = self.contents()
        self.assertEqual(usual, ours)

    def test_what_is_no_file_is_never_rolled_over(self) -> None:
        for place in self.places:
            (place / "dbt.log").symlink_to("/dev/null")
        for handler in self.handlers(maxBytes=10, backupCount=1):
            for _ in range(5):
                self.say(handler, "more than ten bytes")
            self.assertEqual(handler.failures, [])
        self.assertEqual(
            [[path.name for path in place.iterdir()] for place in self.places],
            [["dbt.log"], ["dbt.log"]],
        )

    def test_a_full_disk_is_an_error_of_that_line(self) -> None:
        handlers = self.handlers()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            for handler in handlers:
                self.say(handler, "short")
                self.say(handler, "long" * 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual([handler.failures for handler in handlers], [[OSError], [OSError]])
        for handler in handlers:
            self.say(handler, "there is room again")
        usual, ours = self.contents()
        self.assertEqual(usual, ours)

    def test_what_there_was_no_room_for_is_written_at_the_end(self) -> None:
        handlers = self.handlers()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            for handler in handlers:
                self.say(handler, "long" * 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for handler in handlers:
            handler.close()
        usual, ours = self.contents()
        self.assertEqual(usual, ours)

    def test_a_stream_that_somebody_has_closed_is_an_error_of_that_line(self) -> None:
        for handler in self.handlers():
            handler.stream.close()
            self.say(handler, "line")
            self.assertEqual(handler.failures, [ValueError])
            handler.stream = None

    def test_a_line_that_is_longer_than_the_file_may_be(self) -> None:
        handlers = self.handlers(maxBytes=10, backupCount=3)
        for handler in handlers:
            for text in ("first line of all", "second line", "x"):
                self.say(handler, text)
        usual, ours = self.contents()
        self.assertEqual(usual, ours)

    def test_what_cannot_be_encoded_is_an_error_of_that_line(self) -> None:
        handlers = self.handlers()
        for handler in handlers:
            for text in ("before", "\udc80", "after"):
                self.say(handler, text)
        self.assertEqual(
            [handler.failures for handler in handlers], [[UnicodeEncodeError], [UnicodeEncodeError]]
        )
        usual, ours = self.contents()
        self.assertEqual(usual, ours)

    def test_lines_of_many_threads_stay_whole(self) -> None:
        _, handler = self.handlers(maxBytes=20_000, backupCount=50)

        def talk(name: int) -> None:
            for number in range(200):
                self.say(handler, f"{name} {number} {'x' * (number % 50)}.")

        threads = [threading.Thread(target=talk, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = b"".join(self.contents()[1].values()).decode().splitlines()
        expected = {
            f"{name} {number} {'x' * (number % 50)}." for name in range(8) for number in range(200)
        }
        self.assertEqual((len(lines), set(lines)), (1600, expected))


class Choice(unittest.TestCase):
    def test_one_that_does_not_fit_takes_only_itself_out(self) -> None:
        # dbt-core 1.12 has no `add_macros`.
        kinds = {
            "MacroNamespaceBuilder": type("Builder", (), {}),
            "MacroGenerator": type("Generator", (), {}),
            "MacroNamespace": type("Namespace", (), {"__getitem__": lambda self, name: name}),
        }
        system = {"json": json}
        with Modules(dbt__context__macros=kinds, dbt_common__clients__system=system):
            left_out = shortcuts().take_shortcuts()
            json_is_faster = sys.modules["dbt_common.clients.system"].json is not json
        self.assertEqual(left_out, ["add_macros_at_once"])
        self.assertTrue(json_is_faster)


class Texts(unittest.TestCase):
    def test_json_is_the_same_text(self) -> None:
        class Encoder(json.JSONEncoder):
            def default(self, value: object) -> object:
                return sorted(value) if isinstance(value, set) else super().default(value)

        ours = shortcuts().Json()
        value = {
            "a": [1, 1.5, 1e300, float("nan"), True, None],
            "ü\ud800\n": {1: {}, 2.5: [], None: (), True: '€"\\/'},
            "set": {3, 1},
        }
        for options in (
            {"cls": Encoder},
            {"cls": Encoder, "indent": 2},
            {"cls": Encoder, "sort_keys": False, "ensure_ascii": False},
        ):
            texts = []
            for module in (json, ours):
                with tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogatepass") as file:
                    module.dump(value, file, **options)
                    file.seek(0)
                    texts.append(file.read())
            self.assertEqual(texts[0], texts[1])
        for module in (json, ours):
            with tempfile.TemporaryFile("w+") as file, self.assertRaises(TypeError):
                module.dump({"a": object()}, file, cls=Encoder)
        self.assertEqual((ours.loads("[1]"), ours.JSONDecodeError), ([1], json.JSONDecodeError))


MACRO, OTHER = "{% macro a() %}{% endmacro %}", "\n{%- test b() %}{% endtest %}"


class Parses(unittest.TestCase):
    def setUp(self) -> None:
        self.parsed: list = []
        test = self

        class MacroFuzzEnvironment:
            def parse(self, source: str, name: str | None = None) -> object:
                test.parsed.append((source, name))
                if "wrong" in source:
                    raise ValueError(source)
                return object()

        self.usual = MacroFuzzEnvironment
        modules = Modules(dbt_common__clients__jinja={"MacroFuzzEnvironment": MacroFuzzEnvironment})
        modules.__enter__()
        self.addCleanup(modules.__exit__)
        shortcuts().parse_macros_once()

    def test_a_second_look_needs_no_second_parse(self) -> None:
        one, other = self.usual(), self.usual()
        self.assertIs(one.parse(MACRO), other.parse(MACRO))
        self.assertIsNot(one.parse(MACRO), one.parse(OTHER))
        self.assertEqual(self.parsed, [(MACRO, None), (MACRO, None), (OTHER, None)])

    def test_another_kind_of_environment_and_a_named_source_are_parsed_anew(self) -> None:
        class Native(self.usual):
            pass

        self.assertIsNot(self.usual().parse(MACRO), Native().parse(MACRO))
        self.usual().parse(MACRO, name="file")
        self.assertEqual(self.parsed, [(MACRO, None), (MACRO, None), (MACRO, "file")])

    def test_what_is_no_macro_is_not_kept(self) -> None:
        self.assertIsNot(self.usual().parse("{{ doc('a') }}"), self.usual().parse("{{ doc('a') }}"))

    def test_what_is_wrong_is_wrong_each_time(self) -> None:
        for _ in range(2):
            with self.assertRaises(ValueError):
                self.usual().parse("{% macro wrong( %}")


class Templates(unittest.TestCase):
    def setUp(self) -> None:
        self.compiled: list = []
        test = self

        class MacroFuzzEnvironment:
            def compile(self, source: object, name: str | None = None) -> object:
                test.compiled.append(source)
                if source == "wrong":
                    raise ValueError(source)
                return object()

        self.usual, self.internal = MacroFuzzEnvironment, []

    def install(self, **more: object) -> None:
        modules = {
            "dbt_common__clients__jinja": {"MacroFuzzEnvironment": self.usual, **more},
            "jinja2__utils": {
                "internalcode": lambda function: self.internal.append(function) or function
            },
        }
        with Modules(**modules):
            shortcuts().compile_templates_once()

    def test_a_short_template_is_compiled_once(self) -> None:
        self.install()
        one, other = self.usual(), self.usual()
        self.assertIs(one.compile("{{ test() }}"), other.compile("{{ test() }}"))
        self.assertEqual((len(self.compiled), len(self.internal)), (1, 1))

    def test_all_else_is_compiled_each_time(self) -> None:
        self.install()

        class Native(self.usual):
            pass

        environment = self.usual()
        self.assertIsNot(environment.compile("a"), Native().compile("a"))
        for source in ("x" * 301, ("a", "tree")):
            self.assertIsNot(environment.compile(source), environment.compile(source))
        self.assertIsNot(environment.compile("a", "name"), environment.compile("a", name="name"))
        for _ in range(2):
            with self.assertRaises(ValueError):
                environment.compile("wrong")
        self.assertEqual(len(self.compiled), 10)

    def test_there_is_an_end_to_what_is_kept(self) -> None:
        self.install()
        environment = self.usual()
        first = environment.compile("0")
        for number in range(1, 1500):
            environment.compile(str(number))
        self.assertIs(environment.compile("0"), first)
        self.assertIsNot(environment.compile("1400"), environment.compile("1400"))

    def test_who_debugs_macros_is_left_alone(self) -> None:
        self.install(MACRO_DEBUGGING="write")
        self.assertIsNot(self.usual().compile("a"), self.usual().compile("a"))


class Places(unittest.TestCase):
    def test_locks_have_no_name_and_no_tracker(self) -> None:
        with Modules(
            dbt__mp_context={"_MP_CONTEXT": multiprocessing.get_context("spawn")}
        ) as modules:
            shortcuts().nameless_locks()
            context = modules["dbt.mp_context"]._MP_CONTEXT
        self.assertEqual(context.get_start_method(), "fork")
        with context.RLock(), context.Lock():
            tracker = importlib.import_module("multiprocessing.resource_tracker")._resource_tracker
            self.assertIsNone(tracker._fd)

    def test_what_is_as_expected_is_replaced(self) -> None:
        ours = shortcuts()
        expected = {
            "dbt_common__clients__system": {"json": json},
            "dbt_common__events__logger": {
                "RotatingFileHandler": logging.handlers.RotatingFileHandler
            },
        }
        with Modules(**expected) as modules:
            ours.take_shortcuts()
            self.assertIsInstance(modules["dbt_common.clients.system"].json, ours.Json)
            self.assertIs(modules["dbt_common.events.logger"].RotatingFileHandler, ours.LogFile)

    def test_what_is_not_as_expected_is_left_alone(self) -> None:
        class Theirs(logging.handlers.RotatingFileHandler):
            pass

        another = types.ModuleType("orjson")
        other = {
            "dbt_common__clients__system": {"json": another},
            "dbt_common__events__logger": {"RotatingFileHandler": Theirs},
            "dbt__mp_context": {"context": None},
            "dbt_common__clients__jinja": {},
        }
        with Modules(**other) as modules:
            ours = shortcuts()
            ours.nameless_locks()
            ours.take_shortcuts()
            ours.parse_macros_once()
            self.assertIs(modules["dbt_common.clients.system"].json, another)
            self.assertIs(modules["dbt_common.events.logger"].RotatingFileHandler, Theirs)
            self.assertFalse(hasattr(modules["dbt.mp_context"], "_MP_CONTEXT"))
        # A dbt that has none of them.
        ours.nameless_locks()
        ours.take_shortcuts()
        ours.parse_macros_once()


if __name__ == "__main__":
    unittest.main()
