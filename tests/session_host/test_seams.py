"""What is fetched at the start, what is missing, and that a layer takes only itself out."""

import sys
import types
import unittest
from unittest import mock

import support
from host import seams, versions
from host.layers import Layers


class Fetched(unittest.TestCase):
    def setUp(self) -> None:
        def act(self: object, one: object, two: object = 2) -> tuple:
            return self, one, two

        module = types.ModuleType("place")
        module.Owner = type("Owner", (), {"act": act})  # type: ignore
        sys.modules["place"] = module
        self.addCleanup(sys.modules.pop, "place")

    def test_with_the_signature_that_it_is_used_with(self) -> None:
        for takes in [None, ("self", "one"), ("self", "one", "two")]:
            self.assertTrue(callable(seams.fetch("place", "Owner.act", takes)))

    def test_what_is_missing_is_named(self) -> None:
        for module, path, takes, words in [
            ("nowhere", "Owner", None, "nowhere cannot be imported"),
            ("place", "Other", None, "place.Other is not there"),
            ("place", "Owner.other", None, "place.Owner.other is not there"),
            ("place", "Owner.act", ("self",), "place.Owner.act does not take self ("),
            ("place", "Owner.act", tuple("1234"), "place.Owner.act does not take 1, 2, 3, 4 ("),
        ]:
            with self.assertRaises(seams.Missing) as caught:
                seams.fetch(module, path, takes)
            self.assertIn(words, str(caught.exception))

    def test_what_was_replaced_is_put_back(self) -> None:
        class Base:
            @classmethod
            def make(cls) -> type:
                return cls

        class Owner(Base):
            @classmethod
            def own(cls) -> type:
                return cls

        replaced = seams.Replaced()
        for name in ("make", "own", "own"):
            replaced.put(Owner, name, None)
        replaced.undo()
        self.assertIs(Owner.make(), Owner)
        self.assertIs(Owner.own(), Owner)
        self.assertNotIn("make", vars(Owner))


class Layered(unittest.TestCase):
    class Layer:
        def __init__(self, name: str, fault: object = None, since: tuple = (1, 5)):
            self.name, self.fault, self.since, self.removed = name, fault, since, False

        def install(self) -> None:
            if self.fault:
                raise self.fault  # type: ignore

        def remove(self) -> None:
            self.removed = True

    def test_one_that_cannot_be_installed_takes_only_itself_out(self) -> None:
        layers = Layers()
        layers.after = [
            self.Layer("one"),
            self.Layer("two", seams.Missing("dbt.two is not there")),
            self.Layer("three", AttributeError("three")),
            self.Layer("four", since=(1, 8)),
            self.Layer("five"),
        ]
        layers.before, made = [], layers.after[:]
        with mock.patch.dict(versions.TESTED, {(1, 7): "1.7.19"}):
            layers.choose("1.7.19", (1, 7))
        layers.after_import()
        self.assertEqual([layer.name for layer in layers.on], ["one", "five"])
        self.assertEqual(
            layers.left_out,
            [
                "without two, since dbt.two is not there",
                "without three, since AttributeError: three",
            ],
        )
        self.assertEqual([layer.removed for layer in made], [False, True, True, False, False])

    def test_a_dbt_that_was_not_tested_gets_none(self) -> None:
        for full, words in [
            ("1.99.0", "dbt-core 1.99.0 is newer than 1.13, the last that was tested"),
            ("1.7.19", "dbt-core 1.7.19 was never tested"),
        ]:
            layers, version = Layers(), versions.minor_of(full)
            assert version is not None
            layers.choose(full, version)
            layers.before_import()
            layers.after_import()
            self.assertEqual(layers.on, [])
            self.assertEqual(layers.left_out, [f"without shortcuts, since {words}"])

    def test_every_version_in_the_table_is_compared_in_the_matrix(self) -> None:
        locks = support.ROOT / "scripts/requirements"
        for minor, release in versions.TESTED.items():
            name = versions.words(minor)
            lock = locks / f"matrix-{name}.txt"
            text = (lock if lock.exists() else locks / "dbt.txt").read_text()
            self.assertIn(f"dbt-core=={release} ", text, name)


if __name__ == "__main__":
    unittest.main()
