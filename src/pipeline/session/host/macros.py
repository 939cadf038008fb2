"""Owns how macros come into the context that a node is rendered in: all of them, for each node anew, several times in each step."""

import types


def add_macros_at_once():
    """What dbt does in seven calls for each macro is done in a loop, and a namespace is searched once for all names."""
    place = try_import("dbt.context.macros")
    builder, generator, namespace = (getattr(place, name, None) for name in ("MacroNamespaceBuilder", "MacroGenerator", "MacroNamespace"))
    if builder is None or generator is None or namespace is None:
        return
    usual = builder.add_macros, namespace.__iter__, namespace.__getitem__
    before = rehearsal(builder)
    builder.add_macros, namespace.__iter__, namespace.__getitem__ = added_with(generator), every_name, found_with(namespace.__getitem__)
    if before is None or rehearsal(builder) != before:
        builder.add_macros, namespace.__iter__, namespace.__getitem__ = usual


def added_with(generator):
    new = generator.__new__

    def add_macros(self, macros, ctx):
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
    """Of a namespace, with what they stand for found on the way: whoever wants all names wants that, too."""
    self.found = {}
    # What is searched first wins.
    for members in reversed(list(self._search_order())):
        self.found.update(members)
    return iter(self.found)


def found_with(search):
    def get(self, name):
        found = self.__dict__.get("found")
        return search(self, name) if found is None else found[name]

    return get


def rehearsal(builder):
    """What a builder makes of a few macros, each in a package of another kind; None where it is another one than we know."""
    macros = {
        package: {name: types.SimpleNamespace(package_name=package, name=name, unique_id=f"macro.{package}.{name}") for name in ("one", package)}
        for package in ("root", "local", "other", "dbt", "adapter")
    }
    node, stack, context = object, [], {"a": "context"}
    try:
        made = builder("root", "local", stack, ["adapter", "dbt"], node).build_namespace(macros, context)
        described = {name: described_member(made[name], (node, stack, context)) for name in made}
        return described, [described_member(part, (node, stack, context)) for part in made._search_order()]
    except Exception:
        return None


def described_member(member, parts):
    """Comparable, and without the identity of what is made anew."""
    if isinstance(member, dict):
        return {name: described_member(inner, parts) for name, inner in member.items()}
    fields = {name: parts.index(value) if value in parts else value.unique_id for name, value in vars(member).items()}
    return type(member), fields
