"""`make mutants`: one-token mutants of the worked answers: how many are rejected, and named.

All labs, or those named: `python -m tools.mutants 03_rope`. With `-v` each one that is not named.
A mutant that crashes in every probe counts by itself: a crash speaks for itself.
"""

import ast
import copy
import importlib
import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from checks.engine import Check, Report, exercises_of
from tools.chosen import chosen

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}


def mutants(answer: Callable[..., Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """What was changed, and the answer with this one token changed."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    for i, node in enumerate(ast.walk(tree)):
        for what, attribute, value in _changes(node):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[i]
            if attribute:
                setattr(target, attribute, value)
            else:
                _become(target, value)
            yield from _compiled(answer, f"{what} in line {getattr(node, 'lineno', '?')}", changed)


def _changes(node: Any) -> Iterator[tuple[str, str, Any]]:
    """Each small change of one node: in words, the attribute and its value ("": all of it)."""
    kind = type(getattr(node, "op", None) or next(iter(getattr(node, "ops", ())), None))
    for other in SWAPS.get(kind, ()):
        says = f"{kind.__name__} → {other.__name__}"
        if isinstance(node, ast.Compare):
            yield says, "ops", [other(), *node.ops[1:]]
        else:
            yield says, "op", other()
    if isinstance(node, ast.UnaryOp):
        yield f"no {kind.__name__}", "", node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"not {node.value}", "value", not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        for value in (node.value + 1, -node.value) if node.value else (1,):
            yield f"{node.value} → {value}", "value", value
    elif isinstance(node, ast.Call) and len(node.args) == 2:
        yield "two arguments swapped", "args", node.args[::-1]


def _become(node: Any, other: Any) -> None:
    """Turn a node into another one, in its place."""
    node.__class__ = other.__class__
    node.__dict__ = other.__dict__


def _compiled(
    answer: Callable[..., Any], what: str, tree: ast.AST
) -> Iterator[tuple[str, Callable[..., Any]]]:
    try:
        source = ast.unparse(ast.fix_missing_locations(tree))
        file = f"<{answer.__name__}: {what}>"
        names = dict(vars(inspect.getmodule(answer)))
        exec(compile(source, file, "exec"), names)
    except Exception:  # a change that makes no program is no mutant
        return
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    yield what, names[answer.__name__]


def kind_of(report: Report) -> str:
    """ "accepted", "named", "crashes" (wherever it fails, with no more to say) or "unnamed"."""
    if report.result in ("passed", "todo"):
        return "accepted"
    if report.mistakes:
        return "named"
    return "crashes" if report.kind in ("crashes", "hangs") else "unnamed"


def tried(check: Check, worked: Any, verbose: bool) -> dict[str, int]:
    """How many mutants of one worked answer came out in which way."""
    counts = dict.fromkeys(("named", "unnamed", "crashes", "accepted"), 0)
    for what, mutant in mutants(worked):
        report = check.run(mutant)
        counts[kind_of(report)] += 1
        if verbose and kind_of(report) in ("unnamed", "accepted"):
            print(f"    {kind_of(report)}: {what}: {report.summary}")
    return counts


def main() -> None:
    """Print the table."""
    verbose, wanted = "-v" in sys.argv, [a for a in sys.argv[1:] if not a.startswith("-")]
    asked_for = chosen(wanted)
    total = dict.fromkeys(("named", "unnamed", "crashes", "accepted"), 0)
    print(f"{'exercise':32}{'named':>9}{'unnamed':>9}{'crashes':>9}{'accepted':>10}")
    for lab in asked_for:
        worked = importlib.import_module(f"solutions.my_llama.{lab.module}")
        for check in exercises_of(importlib.import_module(f"checks.{lab.module}")):
            counts = tried(check, getattr(worked, check.name), verbose)
            total = {key: total[key] + counts[key] for key in total}
            print(_line(f"{check.exercise} {check.name}", counts))
    print(_line("all", total))
    if speak := total["named"] + total["unnamed"]:
        print(f"named: {total['named'] / speak:.0%} of the rejected ones that do not crash")


def _line(name: str, counts: dict[str, int]) -> str:
    numbers = f"{counts['named']:9}{counts['unnamed']:9}{counts['crashes']:9}"
    return f"{name:32}{numbers}{counts['accepted']:10}"


if __name__ == "__main__":
    main()
