"""Owns how macros come into the context that a node is rendered in: all of them, for each node
anew, several times in each step.
"""

import types


def add_macros_at_once():
    """What dbt does in seven calls for each macro is done in a loop, and a namespace is searched
    once for all names.
    """
    place = try_import("dbt.context.macros")
    builder, generator, namespace = (
        getattr(place, name, None)
        for name in ("MacroNamespaceBuilder", "MacroGenerator", "MacroNamespace")
    )
    if builder is None or generator is None or namespace is None or "keys" in vars(namespace):
        return
    # All that can be missing is looked up before anything is replaced.
    usual, before, search = builder.add_macros, rehearsal(builder), namespace.__getitem__
    faster = added(place, builder, generator)
    builder.add_macros = faster
    namespace.keys, namespace.__getitem__ = every_name, found_by(search)
    if before is None or rehearsal(builder) != before:
        builder.add_macros, namespace.__getitem__ = usual, search
        del namespace.keys


def added(place, builder, generator):
    def parts():
        return place.MacroGenerator, generator.__init__, builder.add_macro, builder._add_macro_to

    new, usual, known = generator.__new__, builder.add_macros, parts()

    def add_macros(self, macros, ctx):
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


def every_name(self):
    """Of a namespace that is copied into a context: all that they stand for is asked for next,
    so it is found in one go.
    """
    found = {}
    # What is searched first wins.
    for members in reversed(list(self._search_order())):
        found.update(members)
    self.found = found
    return self._keys()


def found_by(search):
    def get(self, name):
        try:
            # Once only, since what a namespace is made of may change: unit tests put functions
            # there.
            return self.found.pop(name)
        except (AttributeError, KeyError):
            return search(self, name)

    return get


def rehearsal(builder):
    """What a builder makes of a few macros, each in a package of another kind; None where it is
    another one than we know.
    """
    macros = {
        package: {
            name: types.SimpleNamespace(
                package_name=package, name=name, unique_id=f"macro.{package}.{name}"
            )
            for name in ("one", package)
        }
        for package in ("root", "local", "other", "dbt", "adapter")
    }
    given = node, stack, context = object(), [], {}
    try:
        made = builder("root", "local", stack, ["adapter", "dbt"], node).build_namespace(
            macros, context
        )
        return {name: described(member, given) for name, member in dict(made).items()}, [
            described(part, given) for part in made._search_order()
        ]
    except Exception:
        return None


def described(member, given):
    """Comparable, and without the identity of what is made anew."""
    if isinstance(member, dict):
        return {name: described(inner, given) for name, inner in member.items()}
    known = {id(part): number for number, part in enumerate(given)}
    return type(member), {
        name: known[id(value)] if id(value) in known else value.unique_id
        for name, value in vars(member).items()
    }
