"""The source text of a `my_llama` module: imports that the pieces need, then the pieces.

The learner's own module and the worked one are made by the same functions, so they look alike.
Nothing is run here.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import sys
from collections.abc import Iterable, Mapping

GIVEN = re.compile(r"^# GIVEN · (\w+)[ \t]*$", re.MULTILINE)
PIECE = re.compile(r"^# (?:EXERCISE \d+\.\d+|GIVEN) · (\w+)[ \t]*$", re.MULTILINE)
LEFT_OUT = {"checks", "plots", "__future__"}  # packages that a finished piece has no use for
MODULE_NAMES = {"__name__", "__file__", "__doc__", "__package__", "__spec__"}


def module_source(docstring: str, imports: Iterable[str], pieces: Mapping[str, str]) -> str:
    """One module: its docstring, the imports that its pieces use, and the pieces in order."""
    body = "\n\n\n".join(piece.strip() for piece in pieces.values())
    bound = {name for piece in pieces.values() for name in defined_names(piece)}
    used = imports_for(global_names(body) - bound, imports)
    return (
        "\n\n".join(part for part in (f'"""{docstring}"""', used and used + "\n", body) if part)
        + "\n"
    )


def imports_for(names: set[str], imports: Iterable[str]) -> str:
    """The import lines that bind these names; the last line that binds a name wins."""
    bound: dict[str, str] = {}
    for line in imports:
        for name, statement in bindings(line).items():
            bound.pop(name, None)
            bound[name] = statement
    chosen = [statement for name, statement in bound.items() if name in names]
    return "\n".join(grouped(chosen))


def bindings(source: str) -> dict[str, str]:
    """name → the import statement that binds it, for all imports at the top level of a cell."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            if isinstance(node, ast.ImportFrom) and node.level:
                module = "my_llama"
            if module.split(".")[0] in LEFT_OUT or alias.name == "*":
                continue
            as_name = f" as {alias.asname}" if alias.asname else ""
            if isinstance(node, ast.ImportFrom):
                statement = (
                    f"from {'.' if module == 'my_llama' else module} import {alias.name}{as_name}"
                )
            else:
                statement = f"import {alias.name}{as_name}"
            found[alias.asname or alias.name.split(".")[0]] = statement
    return found


def import_lines(source: str) -> list[str]:
    """The import statements at the top level of a cell or module, if it is valid Python."""
    return list(bindings(source).values()) if is_python(source) else []


def pieces_in(module: str) -> dict[str, str]:
    """name → source of the pieces in a module that was saved, told apart by their first lines."""
    starts = list(PIECE.finditer(module))
    ends = [match.start() for match in starts[1:]] + [len(module)]
    return {
        match[1]: module[match.start() : end].strip()
        for match, end in zip(starts, ends, strict=False)
    }


def defines(source: str, name: str) -> bool:
    """True when a cell has a function or class of this name at its top level."""
    body = ast.parse(source).body if is_python(source) else []
    kinds = ast.FunctionDef | ast.ClassDef
    return any(isinstance(node, kinds) and node.name == name for node in body)


def is_python(source: str) -> bool:
    """True when Python can compile it."""
    try:
        compile(source, "<cell>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def grouped(statements: list[str]) -> list[str]:
    """Import statements in three groups: standard library, others, my_llama."""
    merged: dict[str, list[str]] = {}
    for statement in statements:
        head, _, names = statement.partition(" import ")
        if head.startswith("from "):
            merged.setdefault(head, []).append(names)
        else:
            merged.setdefault(statement, [])
    groups: list[list[str]] = [[], [], []]
    for head, imported in merged.items():
        line = f"{head} import {', '.join(sorted(imported, key=isort_key))}" if imported else head
        groups[group_of(head.split()[1])].append(line)
    lines: list[str] = []
    for group in groups:
        group.sort(key=lambda line: (line.startswith("from "), line.split()[1].lower()))
        lines += ([""] if lines and group else []) + group
    return lines


def isort_key(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions: the order of ruff and isort."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return rank, name


def group_of(module: str) -> int:
    """0 for the standard library, 2 for my_llama itself, 1 for everything else."""
    top = module.split(".")[0]
    return 2 if module.startswith(".") else 0 if top in sys.stdlib_module_names else 1


def defined_names(source: str) -> set[str]:
    """The names that this source binds at its top level."""
    table = symtable.symtable(source, "<piece>", "exec")
    return {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    }


def global_names(source: str) -> set[str]:
    """The names that this source reads from module level or below it, builtins left out."""
    names: set[str] = set()
    tables = [symtable.symtable(source, "<piece>", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        at_top = table.get_type() == "module"
        names |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_referenced() and (at_top or s.is_global())
        }
    return names - set(dir(builtins)) - MODULE_NAMES


def missing_names(source: str) -> set[str]:
    """The names that a module uses but nowhere defines or imports."""
    return global_names(source) - defined_names(source)
