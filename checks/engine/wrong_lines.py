"""A right answer whose comments say what people write in place of its lines; each is a mistake.

    weights = torch.softmax(scores, dim=-1)
    #: The softmax runs over the keys, the last dimension.          the hint, for those below
    #! softmax_over_queries: weights = torch.softmax(scores, dim=-2)
    #! softmax_over_queries: weights = scores.softmax(2)            the same in another spelling
    #  The softmax runs over the queries. [labmlai/annotated_…#146]
    #! weights_by_hand:
    #| exps = scores.exp()
    #| weights = exps / exps.sum()
    #  One sum for all queries.
    #!+ scaled_late: weights = torch.softmax(scores, dim=-1) / d      this key's mistake, here too

`…` stands for the line itself, `;` for a new line. A comment belongs to the statement above it; of
an `if` or a `for` it replaces the head only. `#!+` adds a second place to the last spelling of a
mistake, which may stand further down. Two mistakes can be combined into one, in the same line too
where they change other words of it.
"""

import ast
import inspect
import linecache
import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checks.engine.probe import Mistake

WORD = re.compile(r"\w+|\s+|\S")
EMPTY = "\n    pass"  # the body of a head that stands by itself
TOLD = re.compile(r"\s*#[!:|]")
BEGINS = re.compile(r"#!(\+?) (\w+):(?: (.+))?")
SOURCE = re.compile(r"(?:^| )\[([^\[\]]*(?:#\d+|\w{3,}\.\w{2,}|\d{4}\.\d{4,5})[^\[\]]*)\]$")


@dataclass(frozen=True)
class Edit:
    """The lines `first` to `last` of a right answer, counted from 0, and what stands there instead.

    `…` stands in `instead` for those lines themselves.
    """

    first: int
    last: int
    instead: tuple[str, ...]

    @property
    def keeps(self) -> bool:
        """Tell whether the right lines stay, and something is added before or after them."""
        return "…" in self.instead


@dataclass(frozen=True, eq=False)
class Template:
    """A right answer with comments, and the rewritten ones that were made of it."""

    right: Callable[..., Any]
    lines: tuple[str, ...]
    combined: dict = field(default_factory=dict)

    @cached_property
    def file(self) -> str:
        """Where it stands."""
        return f"{inspect.getsourcefile(inspect.unwrap(self.right))}"

    @cached_property
    def code(self) -> tuple[str | None, ...]:
        """Its lines, None for those that tell of mistakes."""
        return tuple(None if TOLD.match(line) else line for line in self.lines)


@dataclass(frozen=True, eq=False)
class Rewrite:
    """A right answer with some of its lines replaced."""

    template: Template
    edits: tuple[Edit, ...]
    key: str

    @cached_property
    def answer(self) -> Callable[..., Any]:
        """The function or class, compiled when it is first wanted."""
        lines = list(self.template.code)
        for edit in sorted(self.edits, key=lambda edit: -edit.first):
            lines[edit.first : edit.last + 1] = _indented(edit, lines)
        right = self.template.right
        # Their place tells the engine that a line in them is none of the learner's.
        file = f"{self.template.file}: {self.key}"
        source = "\n".join(line for line in lines if line is not None) + "\n"
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
        names = dict(vars(inspect.getmodule(right)))
        with warnings.catch_warnings():  # of lines that two mistakes make together
            warnings.simplefilter("ignore", SyntaxWarning)
            exec(compile(source, file, "exec"), names)
        return names[right.__name__]

    def with_(self, other: "Rewrite") -> "Rewrite | None":
        """Both mistakes at once; None where they change the same lines or other answers."""
        if self.template is not other.template:
            return None
        known = self.template.combined
        if (self.key, other.key) not in known:
            edits = _merged([*self.edits, *other.edits], self.template.code)
            known[self.key, other.key] = edits and Rewrite(
                self.template, edits, f"{self.key} + {other.key}"
            )
        return known[self.key, other.key]


def mistakes_of(*answers: Callable[..., Any]) -> "list[Mistake]":
    """Every mistake that the comments in these answers tell of, in their order.

    Raises ValueError for a comment that cannot be read, and for a mistake without a sentence.
    """
    from checks.engine.probe import Mistake

    found: dict[str, _Told] = {}
    for answer in answers:
        lines = textwrap.dedent(inspect.getsource(answer)).splitlines()
        template = Template(answer, tuple(lines))
        for told in _read(template):
            known = found.setdefault(told.key, told)
            if known is not told:
                known.ways += told.ways
                known.says, known.hint = known.says or told.says, known.hint or told.hint
    mistakes = []
    for told in found.values():
        if not told.says:
            raise ValueError(
                f"No sentence says what {told.key} is: write it below as `#  …`, with two blanks."
            )
        cited = SOURCE.search(told.says)
        says, source = SOURCE.sub("", told.says), cited[1] if cited else ""
        first, *also = (
            Rewrite(template, tuple(edits), told.key + (f" {i + 1}" if i else ""))
            for i, (template, edits) in enumerate(told.ways)
        )
        mistakes.append(Mistake(told.key, first, says, told.hint, source, also=tuple(also)))
    return mistakes


@dataclass
class _Told:
    """What the comments say of one mistake."""

    key: str
    ways: list[tuple[Template, list[Edit]]]
    says: str = ""
    hint: str = ""


def _read(template: Template) -> list[_Told]:
    lines, spans = [line.strip() for line in template.lines], _spans(template.lines)
    found: dict[str, _Told] = {}
    at, hint, i = 0, "", 0
    while i < len(lines):
        line = lines[i]
        i += 1
        if line.startswith("#:"):
            hint, i = _joined(line[2:], lines, i)
        elif begins := BEGINS.fullmatch(line):
            kind, key, code = begins.groups()
            block, i = _block(template.lines, i)
            instead = tuple(block) if code is None else tuple(p.strip() for p in code.split(";"))
            if not instead:
                raise ValueError(f"{key}: what stands there instead?")
            edit = Edit(*spans.get(at, (at, at)), instead)
            says, i = _joined("", lines, i)
            if kind == "+":
                found[key].ways[-1][1].append(edit)
                found[key].says = found[key].says or says
                continue
            told = found.setdefault(key, _Told(key, [], hint=hint))
            told.ways.append((template, [edit]))
            told.says = told.says or says
        elif re.match(r"#[!|]", line):
            raise ValueError(f"not a mistake's comment: {line}")
        elif line and not line.startswith("#"):
            at, hint = i - 1, ""
    # One sentence stands under several spellings, the last of which carries it.
    return list(found.values())


def _spans(lines: tuple[str, ...]) -> dict[int, tuple[int, int]]:
    """Line → the first and the last line of the simple statement that it ends, or of the head."""
    spans = {}
    for node in ast.walk(ast.parse("\n".join(lines))):
        if not isinstance(node, ast.stmt):
            continue
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        if body := getattr(node, "body", None):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue  # its head is a line of its own
            last = max(first, min(body[0].lineno - 2, _head_end(node)))
        spans[last] = first, last
    return spans


def _head_end(node: Any) -> int:
    ends = [
        part.end_lineno - 1
        for name in ("test", "iter", "items", "target")
        for part in _listed(getattr(node, name, None))
        if hasattr(part, "end_lineno")
    ]
    return max(ends, default=node.lineno - 1)


def _listed(part: Any) -> list:
    return [getattr(p, "context_expr", p) for p in (part if isinstance(part, list) else [part])]


def _joined(text: str, lines: list[str], i: int) -> tuple[str, int]:
    """The text with the comment lines that go on with it, and the line after them."""
    while i < len(lines) and lines[i].startswith("#  "):
        text += " " + lines[i][3:].strip()
        i += 1
    return text.strip(), i


def _block(lines: tuple[str, ...], i: int) -> tuple[list[str], int]:
    """The lines of code behind `#|`, with their indentation, and the line after them."""
    block = []
    while i < len(lines) and lines[i].strip().startswith("#|"):
        block.append(lines[i].strip()[2:].removeprefix(" "))
        i += 1
    return block, i


def _indented(edit: Edit, lines: list[str | None]) -> list[str | None]:
    right = lines[edit.first : edit.last + 1]
    statement = right[0] or ""
    margin = statement[: len(statement) - len(statement.lstrip())]
    return [
        line
        for part in edit.instead
        for line in (right if part.strip() == "…" else [margin + part])
    ]


def _merged(edits: list[Edit], code: Sequence[str | None]) -> tuple[Edit, ...] | None:
    """Edits of different lines, or of the same where both can be made; else None."""
    merged: dict[int, Edit] = {}
    for edit in edits:
        same = merged.get(edit.first)
        overlaps = any(
            e is not same and e.first <= edit.last and edit.first <= e.last for e in merged.values()
        )
        if overlaps or (same and same.last != edit.last):
            return None
        if same:
            instead = _both(same, edit, code)
            if instead is None:
                return None
            edit = Edit(edit.first, edit.last, instead)
        merged[edit.first] = edit
    return tuple(merged.values())


def _both(one: Edit, other: Edit, code: Sequence[str | None]) -> tuple[str, ...] | None:
    """What stands instead of a statement that two edits change."""
    if one.keeps or other.keeps:
        outer, inner = (one, other) if one.keeps else (other, one)
        return tuple(
            p for part in outer.instead for p in (inner.instead if part == "…" else (part,))
        )
    right = [line or "" for line in code[one.first : one.last + 1]]
    try:
        joined = _three_way(*map(_unparsed, (right, one.instead, other.instead)))
        return tuple(_unparsed(joined.splitlines()).removesuffix(EMPTY).splitlines()) or None
    except SyntaxError:
        return None


def _unparsed(lines: Sequence[str]) -> str:
    """Statements as Python writes them; the head of one has an empty body.

    Raises SyntaxError for anything else.
    """
    source = textwrap.dedent("\n".join(lines)).strip()
    return ast.unparse(ast.parse(source + EMPTY * source.endswith(":")))


def _three_way(right: str, one: str, other: str) -> str:
    """The right source with the changes of both; "" where these overlap."""
    base = WORD.findall(right)
    changes = sorted(
        (first, last, words[begin:end])
        for words in map(WORD.findall, (one, other))
        for kind, first, last, begin, end in SequenceMatcher(
            None, base, words, autojunk=False
        ).get_opcodes()
        if kind != "equal"
    )
    if any(last > begin for (_, last, _), (begin, _, _) in pairwise(changes)):
        return ""
    for first, last, words in reversed(changes):
        base[first:last] = words
    return "".join(base)
