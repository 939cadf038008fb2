"""Macros get into a context as dbt puts them there."""

import contextlib
import importlib
import itertools
import sys
import threading
import types
import unittest
from typing import Any
from unittest import mock

import support  # noqa: F401 puts the package on the path
from dbt.clients.jinja import MacroStack
from dbt.exceptions import DuplicateMacroNameError, PackageNotFoundForMacroError
from host.shortcuts.namespaces import Namespaces

macros: Any = importlib.import_module("dbt.context.macros")
PARTS = (
    (macros.MacroNamespaceBuilder, "add_macros"),
    (macros.MacroNamespace, "keys"),
    (macros.MacroNamespace, "__getitem__"),
)
NODE, STACK = object(), MacroStack()
CONTEXT: dict = {}
INTERNAL = ["dbt_redshift", "dbt_postgres", "dbt"]


def macro(package: str, name: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        package_name=package,
        name=name,
        unique_id=f"macro.{package}.{name}",
        original_file_path=f"macros/{name}.sql",
    )


# Names that are in several packages, in all of them, in one alone, and one that is called as a
# package.
PACKAGES = ["root", "local", "other", *INTERNAL]
ALL = {
    package: {
        name: macro(package, name)
        for number, name in enumerate(("a", "b", "c", "d", "e", "root", "dbt", "other"))
        if number != at
    }
    for at, package in enumerate(PACKAGES)
}
ALL["root"]["only"] = macro("root", "only")


def described(member: Any) -> Any:
    if isinstance(member, dict):
        return {name: described(inner) for name, inner in member.items()}
    if not isinstance(member, macros.MacroGenerator):
        return member
    return type(member), {name: id(value) for name, value in vars(member).items()}


def everything(root: str, local: str, packages: dict = ALL) -> list:
    namespace = macros.MacroNamespaceBuilder(root, local, STACK, INTERNAL, NODE).build_namespace(
        packages, CONTEXT
    )
    single = {
        name: described(namespace[name]) for name in ("a", "root", "only") if name in namespace
    }
    merged: dict = {"a": "is replaced", "untouched": 1}
    merged.update(namespace)
    del merged["untouched"]
    found = {}
    for package, name in itertools.product(
        [None, "dbt", "unknown", *PACKAGES], ("a", "only", "never")
    ):
        try:
            got = namespace.get_from_package(package, name)
            found[package, name] = got and got.macro.unique_id
        except PackageNotFoundForMacroError as error:
            found[package, name] = str(error)
    return [
        single,
        described(merged),
        len(namespace),
        sorted(namespace),
        found,
        "never" in namespace,
        "a" in namespace,
        described(dict(namespace.items())),
        [described(part) for part in namespace._search_order()],
    ]


class InContext(unittest.TestCase):
    def setUp(self) -> None:
        self.usual = [vars(place).get(name) for place, name in PARTS]
        self.layer = Namespaces()
        self.addCleanup(self.assert_put_back)
        self.addCleanup(self.layer.remove)

    def assert_put_back(self) -> None:
        self.assertEqual([vars(place).get(name) for place, name in PARTS], self.usual)

    def take(self) -> bool:
        try:
            self.layer.install()
        except Exception:
            self.layer.remove()
            return False
        return True

    def test_this_dbt_is_one_that_we_know(self) -> None:
        self.assertTrue(self.take())

    def test_the_same_functions_under_the_same_names(self) -> None:
        places = [
            ("root", "local"),
            ("root", "root"),
            ("root", "dbt"),
            ("other", "nowhere"),
            ("dbt", "other"),
        ]
        usual = [everything(*place, packages) for place in places for packages in (ALL, {})]
        self.assertTrue(self.take())
        self.assertEqual(
            [everything(*place, packages) for place in places for packages in (ALL, {})], usual
        )

    def test_functions_are_made_for_this_node_and_this_context(self) -> None:
        self.assertTrue(self.take())
        namespace = macros.MacroNamespaceBuilder(
            "root", "local", STACK, INTERNAL, NODE
        ).build_namespace(ALL, CONTEXT)
        for function in (
            namespace["a"],
            dict(namespace)["b"],
            namespace.get_from_package("dbt", "c"),
        ):
            self.assertEqual(
                [function.context is CONTEXT, function.node is NODE, function.stack is STACK],
                [True] * 3,
            )
            self.assertIs(type(function), macros.MacroGenerator)

    def test_what_is_put_into_a_namespace_later_is_found(self) -> None:
        found, packages = (
            [],
            {
                package: {name: one for name, one in ALL[package].items() if name not in PACKAGES}
                for package in ALL
            },
        )
        packages["dbt"] |= {name: macro("dbt", name) for name in ("alone", "gone")}
        for _ in range(2):
            namespace = macros.MacroNamespaceBuilder(
                "root", "local", STACK, INTERNAL, NODE
            ).build_namespace(packages, CONTEXT)
            context = dict(namespace)
            names = set(namespace)
            for _, _ in zip(range(2), namespace):
                pass
            # As a unit test does with the macros that it overrides.
            context["dbt"]["new"] = "new"
            context["dbt"]["alone"] = "another"
            del context["dbt"]["gone"]
            del context["local"]["a"]
            context["local"]["b"] = "another"
            found.append(
                (
                    names,
                    len(namespace),
                    {name: described(namespace.get(name)) for name in (*names, "new")},
                    "new" in namespace,
                    namespace.get_from_package(None, "new"),
                    described(dict(namespace)),
                    sorted(namespace),
                )
            )
            self.take()
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[1][2]["new"], "new")

    def test_a_builder_of_another_kind_is_asked(self) -> None:
        class Builder(macros.MacroNamespaceBuilder):
            def add_macro(self, macro: Any, ctx: dict) -> None:
                if macro.name != "b":
                    super().add_macro(macro, ctx)

        def names() -> list:
            return [
                sorted(kind("root", "local", STACK, INTERNAL, NODE).build_namespace(ALL, CONTEXT))
                for kind in (Builder, macros.MacroNamespaceBuilder)
            ]

        expected = names()
        self.assertTrue(self.take())
        self.assertEqual(names(), expected)
        # Put there after ours.
        for place, name in (
            (macros.MacroNamespaceBuilder, "add_macro"),
            (macros.MacroGenerator, "__init__"),
            (macros.MacroNamespaceBuilder, "_add_macro_to"),
        ):
            with mock.patch.object(
                place, name, autospec=True, side_effect=getattr(place, name)
            ) as it:
                self.assertEqual(names(), expected)
            self.assertGreater(it.call_count, sum(map(len, ALL.values())))

    def test_a_namespace_of_another_kind_is_asked(self) -> None:
        class Namespace(macros.MacroNamespace):
            def _keys(self) -> set:
                return {name for name in super()._keys() if name != "c"}

        with replaced(macros, "MacroNamespace", Namespace):
            usual = everything("root", "local")
            self.assertTrue(self.take())
            self.assertIn("keys", vars(Namespace))
            self.assertEqual(everything("root", "local"), usual)
            self.layer.remove()

    def test_many_threads_find_what_is_there(self) -> None:
        self.assertTrue(self.take())
        namespace = macros.MacroNamespaceBuilder(
            "root", "local", STACK, INTERNAL, NODE
        ).build_namespace(ALL, CONTEXT)
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)
        missed: list = []

        def look() -> None:
            for _ in range(3000):
                missed.extend(
                    [] if namespace.get("a") and len(dict(namespace)) == len(namespace) else ["a"]
                )

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(missed, [])

    def test_a_name_that_a_package_has_twice_is_the_same_error(self) -> None:
        texts = []
        for _ in range(2):
            builder = macros.MacroNamespaceBuilder("root", "local", STACK, INTERNAL, NODE)
            with self.assertRaises(DuplicateMacroNameError) as caught:
                builder.add_macros(
                    [macro("other", "a"), macro("other", "b"), macro("other", "a")], CONTEXT
                )
            texts.append(str(caught.exception))
            self.take()
        self.assertEqual(texts[0], texts[1])

    def test_another_generator_is_left_alone(self) -> None:
        class Generator(macros.MacroGenerator):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                self.one_more = 1

        with replaced(macros, "MacroGenerator", Generator):
            self.assertFalse(self.take())

    def test_another_builder_is_left_alone(self) -> None:
        class Builder(macros.MacroNamespaceBuilder):
            def add_macro(self, macro: Any, ctx: dict) -> None:
                if macro.name != macro.package_name:
                    super().add_macro(macro, ctx)

        class Another(macros.MacroNamespaceBuilder):
            def build_namespace(self, macros_by_package: dict) -> Any:
                raise NotImplementedError

        for kind in (Builder, Another):
            with replaced(macros, "MacroNamespaceBuilder", kind):
                self.assertFalse(self.take())
                self.assert_put_back()
                self.assertIs(kind.add_macros, self.usual[0])

    def test_without_them_nothing_happens(self) -> None:
        for name in ("MacroNamespaceBuilder", "MacroGenerator", "MacroNamespace"):
            with replaced(macros, name, None):
                self.assertFalse(self.take())
            self.assert_put_back()


@contextlib.contextmanager
def replaced(place: Any, name: str, value: Any):
    usual = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, usual)


if __name__ == "__main__":
    unittest.main()
