"""Owns how macros come into the context that a node is rendered in: all of them, for each node
anew, several times in each step.

What dbt does in seven calls for each macro is done in a loop, and a namespace is searched once for
all names. From 1.12 on, dbt makes them only as they are asked for.
"""

from __future__ import annotations

import sys
import types
from typing import Any, Callable

from .. import seams

PLACE = "dbt.context.macros"


class Namespaces:
    name, since, until = "the faster namespaces of macros", (1, 8), (1, 11)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()

    def install(self) -> None:
        builder = seams.fetch(PLACE, "MacroNamespaceBuilder")
        generator = seams.fetch(PLACE, "MacroGenerator")
        namespace = seams.fetch(PLACE, "MacroNamespace")
        seams.fetch(PLACE, "MacroGenerator", ("macro", "context", "node", "stack"))
        seams.fetch(PLACE, "MacroNamespaceBuilder.add_macros", ("self", "macros", "context"))
        seams.fetch(PLACE, "MacroNamespaceBuilder.add_macro", ("self", "macro", "context"))
        to = ("self", "hierarchy", "macro", "function")
        seams.fetch(PLACE, "MacroNamespaceBuilder._add_macro_to", to)
        seams.fetch(PLACE, "MacroNamespace._keys", ("self",))
        seams.fetch(PLACE, "MacroNamespace._search_order", ("self",))
        if "keys" in vars(namespace):
            raise seams.Missing(f"{PLACE}.MacroNamespace has its own way to copy it")
        usual = rehearsal(builder)
        search = namespace.__getitem__
        self.replaced.put(builder, "add_macros", added(builder, generator))
        self.replaced.put(namespace, "keys", every_name)
        self.replaced.put(namespace, "__getitem__", found_by(search))
        if rehearsal(builder) != usual:
            raise seams.Missing(f"{PLACE}.MacroNamespaceBuilder makes something else")

    def remove(self) -> None:
        self.replaced.undo()


def added(builder: Any, generator: Any) -> Callable[..., None]:
    place = sys.modules[PLACE]

    def parts() -> tuple[Any, ...]:
        made_by = vars(place).get("MacroGenerator")
        return made_by, generator.__init__, builder.add_macro, builder._add_macro_to

    new, usual, known = generator.__new__, builder.add_macros, parts()

    def add_macros(self: Any, macros: Any, ctx: Any) -> None:
        # Whoever has put something of their own there wants to be asked.
        if type(self) is not builder or parts() != known:
            usual(self, macros, ctx)
            return
        internal, node, stack = self.internal_package_names, self.node, self.thread_ctx
        for macro in macros:
            function = new(generator)
            # One by one, so that Python needs no dictionary for them.
            function.context = ctx
            function.macro = macro
            function.node = node
            function.stack = stack
            name, package = macro.name, macro.package_name
            packages = self.internal_packages if package in internal else self.packages
            functions = packages.get(package)
            if functions is None or name in functions:
                # The first of a package, or one too many.
                self._add_macro_to(packages, macro, function)
            else:
                functions[name] = function
            if packages is self.packages:
                if package == self.search_package:
                    self.locals[name] = function
                elif package == self.root_package:
                    self.globals[name] = function

    return add_macros


def every_name(self: Any) -> Any:
    """Of a namespace that is copied into a context: all that they stand for is asked for next,
    so it is found in one go.
    """
    found: dict[str, Any] = {}
    # What is searched first wins.
    for members in reversed(list(self._search_order())):
        found.update(members)
    self.found = found
    return self._keys()


def found_by(search: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def get(self: Any, name: str) -> Any:
        try:
            # Once only, since what a namespace is made of may change: unit tests put functions
            # there.
            return self.found.pop(name)
        except (AttributeError, KeyError):
            return search(self, name)

    return get


def rehearsal(builder: Any) -> object:
    """What a builder makes of a few macros, each in a package of another kind."""
    macros = {
        package: {
            name: types.SimpleNamespace(
                package_name=package, name=name, unique_id=f"macro.{package}.{name}"
            )
            for name in ("one", package)
        }
        for package in ("root", "local", "other", "dbt", "adapter")
    }
    node: object = object()
    stack: list[object] = []
    context: dict[str, object] = {}
    given = [node, stack, context]
    makes = builder("root", "local", stack, ["adapter", "dbt"], node)
    made = makes.build_namespace(macros, context)
    members = {name: described(member, given) for name, member in dict(made).items()}
    return members, [described(part, given) for part in made._search_order()]


def described(member: Any, given: list[object]) -> object:
    """Comparable, and without the identity of what is made anew."""
    if isinstance(member, dict):
        return {name: described(inner, given) for name, inner in member.items()}

    def named(value: Any) -> object:
        for number, part in enumerate(given):
            if part is value:
                return number
        return value.unique_id

    return type(member), {name: named(value) for name, value in vars(member).items()}
