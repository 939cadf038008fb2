"""What the shortcuts put in dbt's place, beside what they replace, and that they take it back."""

import importlib
import multiprocessing
import sys
import types
import unittest

import support  # noqa: F401
from host import seams
from host.shortcuts import templates
from host.shortcuts.locks import Locks
from host.shortcuts.macros import Macros as Once


def module(test: unittest.TestCase, name: str, **content: object) -> types.ModuleType:
    """A module of that name, until the test ends."""
    made = types.ModuleType(name)
    vars(made).update(content)
    kept = sys.modules.get(name)
    sys.modules[name] = made

    def put_back() -> None:
        if kept is None:
            del sys.modules[name]
        else:
            sys.modules[name] = kept

    test.addCleanup(put_back)
    return made


def packages(test: unittest.TestCase, *names: str) -> None:
    for name in names:
        module(test, name, __path__=[])


class Templates(unittest.TestCase):
    def setUp(self) -> None:
        test = self
        self.compiled: list = []

        class MacroFuzzEnvironment:
            def compile(self, source: object, *rest: object, **options: object) -> object:
                test.compiled.append((type(self), source, rest, options))
                if source == "wrong":
                    raise SyntaxError(source)
                return object()

        packages(self, "dbt_common", "dbt_common.clients", "jinja2")
        module(self, "jinja2.utils", internalcode=lambda function: function)
        self.place = module(
            self,
            "dbt_common.clients.jinja",
            MacroFuzzEnvironment=MacroFuzzEnvironment,
            MACRO_DEBUGGING=False,
        )
        self.usual = MacroFuzzEnvironment
        self.layer = templates.Templates()

    def test_a_short_template_is_compiled_once(self) -> None:
        self.layer.install()
        one, other = self.usual(), self.usual()
        self.assertIs(one.compile("{{ a }}"), other.compile("{{ a }}"))
        self.assertEqual(len(self.compiled), 1)

    def test_all_else_is_compiled_each_time(self) -> None:
        class Native(self.usual):  # type: ignore
            pass

        self.layer.install()
        long = "x" * (templates.SHORT + 1)
        made = [
            kind().compile(source, *rest, **options)
            for kind, source, rest, options in [
                (self.usual, "a", (), {}),
                (Native, "a", (), {}),
                (self.usual, "a", ("name",), {}),
                (self.usual, "a", (), {"raw": True}),
                (self.usual, long, (), {}),
                (self.usual, long, (), {}),
                (self.usual, None, (), {}),
            ]
        ]
        self.assertEqual(len({id(code) for code in made}), len(made))
        for _ in range(2):
            with self.assertRaises(SyntaxError):
                self.usual().compile("wrong")

    def test_there_is_an_end_to_what_is_kept(self) -> None:
        self.layer.install()
        for number in range(templates.MANY + 1):
            self.usual().compile(str(number))
        before = len(self.compiled)
        self.usual().compile("0")
        self.usual().compile(str(templates.MANY))
        self.assertEqual(len(self.compiled), before + 1)

    def test_who_debugs_macros_is_left_alone(self) -> None:
        self.place.MACRO_DEBUGGING = "write"  # type: ignore
        usual = self.usual.compile
        self.layer.install()
        self.assertIs(self.usual.compile, usual)

    def test_it_is_put_back(self) -> None:
        usual = self.usual.compile
        self.layer.install()
        self.assertIsNot(self.usual.compile, usual)
        self.layer.remove()
        self.assertIs(self.usual.compile, usual)


class Macros(unittest.TestCase):
    def setUp(self) -> None:
        test = self
        self.parsed: list = []

        class MacroFuzzEnvironment:
            def parse(self, source: object, *rest: object, **options: object) -> object:
                test.parsed.append((source, rest, options))
                if "wrong" in str(source):
                    raise SyntaxError(source)
                return object()

        packages(self, "dbt_common", "dbt_common.clients")
        module(self, "dbt_common.clients.jinja", MacroFuzzEnvironment=MacroFuzzEnvironment)
        self.usual, self.layer = MacroFuzzEnvironment, Once()
        self.layer.install()

    def test_a_second_look_needs_no_second_parse(self) -> None:
        for source in ("{% macro a() %}", " {%- test b() %}", "{% materialization c, default %}"):
            first = self.usual().parse(source)
            self.assertIs(self.usual().parse(source), first)
            # By then it is given away.
            self.assertIsNot(self.usual().parse(source), first)
        self.assertEqual(len(self.parsed), 6)

    def test_all_else_is_parsed_each_time(self) -> None:
        class Native(self.usual):  # type: ignore
            pass

        macro = "{% macro a() %}"
        made = [
            kind().parse(source, *rest, **options)
            for kind, source, rest, options in [
                (self.usual, macro, (), {}),
                (Native, macro, (), {}),
                (self.usual, macro, ("name",), {}),
                (self.usual, macro, (), {"filename": "a"}),
                (self.usual, "select 1", (), {}),
                (self.usual, "select 1", (), {}),
                (self.usual, None, (), {}),
            ]
        ]
        self.assertEqual(len({id(tree) for tree in made}), len(made))
        for _ in range(2):
            with self.assertRaises(SyntaxError):
                self.usual().parse("{% macro wrong() %}")

    def test_it_is_put_back(self) -> None:
        ours = self.usual.parse
        self.layer.remove()
        self.assertIsNot(self.usual.parse, ours)


class Nameless(unittest.TestCase):
    def setUp(self) -> None:
        packages(self, "dbt")
        self.usual = multiprocessing.get_context("spawn")
        self.place: types.ModuleType = module(
            self,
            "dbt.mp_context",
            _MP_CONTEXT=self.usual,
            get_mp_context=lambda: self.place._MP_CONTEXT,
        )
        self.layer = Locks()

    def test_locks_have_no_name_and_no_tracker(self) -> None:
        tracker = importlib.import_module("multiprocessing.resource_tracker")._resource_tracker
        self.layer.install()
        lock = self.place.get_mp_context().RLock()
        self.assertTrue(lock.acquire())
        lock.release()
        self.assertIsNone(tracker._pid)
        self.layer.remove()
        self.assertIs(self.place._MP_CONTEXT, self.usual)

    def test_another_context_is_left_alone(self) -> None:
        self.place._MP_CONTEXT = object()  # type: ignore
        with self.assertRaises(seams.Missing):
            self.layer.install()


if __name__ == "__main__":
    unittest.main()
