"""Owns the question whether a script does nothing but call dbt's command.

Judges by what the script does, since each installer words it otherwise, and never runs it.
"""

import ast
from typing import Optional

#: The command, by the module and the name that dbt-core's entry point gives.
MODULE, COMMAND = "dbt.cli.main", "cli"
#: What is imported besides, and has no effect of its own.
HARMLESS_MODULES = ("re", "sys")
#: What installers call to take an ending off the name of the script.
STRING_METHODS = ("endswith", "removesuffix", "replace")
EXPRESSIONS = (ast.Constant, ast.Slice, ast.UnaryOp, ast.USub, ast.Load)


class More(Exception):  # noqa: N818
    """Where the script does more."""


def does_more(source: bytes) -> Optional[str]:
    """Where the script does anything besides; `None` if it does not.

    What does not compile, and what does not call the command, does something else.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return f"it is no Python, {type(error).__name__}"
    try:
        if not runs_command(tree.body, set()):
            return "it does not call dbt's command"
    except More as more:
        return f"line {more.args[0]}"
    return None


def runs_command(statements: list[ast.stmt], names: set[str]) -> bool:
    """Whether these end with the command. `names` are those under which it is known."""
    for number, statement in enumerate(statements):
        is_last = number == len(statements) - 1
        if isinstance(statement, ast.ImportFrom) and is_command(statement):
            names.update(alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.Import):
            if any(it.asname or it.name not in HARMLESS_MODULES for it in statement.names):
                raise More(statement.lineno)
        elif is_last and isinstance(statement, ast.If) and is_main(statement):
            return runs_command(statement.body, names)
        elif is_last and is_exit(statement, names):
            return True
        elif not only_renames(statement):
            raise More(statement.lineno)
    return False


def is_command(statement: ast.ImportFrom) -> bool:
    return statement.module == MODULE and all(it.name == COMMAND for it in statement.names)


def is_main(statement: ast.If) -> bool:
    """`if __name__ == "__main__":`"""
    wanted = ast.parse("__name__ == '__main__'", mode="eval").body
    return not statement.orelse and same(statement.test, wanted)


def is_exit(statement: ast.stmt, names: set[str]) -> bool:
    """`sys.exit(cli())`"""
    return any(same(statement, ast.parse(f"sys.exit({name}())").body[0]) for name in names)


def only_renames(statement: ast.stmt) -> bool:
    """A text that stands alone, or an assignment to `sys.argv[0]`, also if it is conditional."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.If):
        inner = [*statement.body, *statement.orelse]
        return is_about_the_name(statement.test) and all(map(only_renames, inner))
    if isinstance(statement, ast.Assign):
        targets = statement.targets
        return all(map(is_the_name, targets)) and is_about_the_name(statement.value)
    return False


def is_the_name(node: ast.expr) -> bool:
    """`sys.argv[0]`, read or written."""
    return ast.unparse(node) == "sys.argv[0]"


def is_about_the_name(node: ast.AST) -> bool:
    """An expression that makes one text of another, and does nothing else."""
    if isinstance(node, ast.expr) and is_the_name(node):
        return True
    if isinstance(node, ast.Call):
        function = node.func
        if node.keywords or not isinstance(function, ast.Attribute):
            return False
        if not all(map(is_about_the_name, node.args)):
            return False
        if ast.unparse(function) == "re.sub":
            return True
        return function.attr in STRING_METHODS and is_about_the_name(function.value)
    if isinstance(node, ast.Subscript):
        return is_about_the_name(node.value) and is_about_the_name(node.slice)
    return isinstance(node, EXPRESSIONS) and all(map(is_about_the_name, ast.iter_child_nodes(node)))


def same(one: ast.AST, other: ast.AST) -> bool:
    return ast.dump(one) == ast.dump(other)
