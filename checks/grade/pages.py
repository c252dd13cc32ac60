"""The pages: feedback for each learner, class.html for whoever teaches. No address in them."""

import hashlib
import re
from html import escape
from typing import Any

from checks.grade import summary
from checks.grade.tables import SIGNS, Line

WORDS = {"passed": "right", "right": "right, not ready", "todo": "to do", "failed": "not right yet"}
STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --page: #fff; --line: #ccc; --soft: #555;
  --passed: #0a7a55; --right: #8a6100; --failed: #b3261e; --todo: #5f6368; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --page: #111; --line: #444;
  --soft: #b0b0b0; --passed: #4cc38a; --right: #e0a838; --failed: #ff8a80; --todo: #a8adb3; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); } td.number { text-align: right; }
.soft { color: var(--soft); } .bar { display: flex; width: 16rem; height: 1.1rem;
  border: 1px solid var(--line); } .bar span { display: block; }
span.passed { color: var(--passed); } span.right { color: var(--right); }
span.failed { color: var(--failed); } span.todo { color: var(--todo); }
.bar .passed { background: var(--passed); } .bar .right { background: var(--right); }
.bar .failed { background: var(--failed); } .bar .todo { background: var(--todo); }
code { overflow-wrap: anywhere; }
@media (max-width: 40rem) { .bar { width: 5rem; } .word { display: none; }
  code { font-size: .8rem; } th, td { padding-right: .5rem; }
  th[scope=row] { overflow-wrap: anywhere; } }
@media print { body { max-width: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def page(title: str, body: str) -> str:
    """A whole page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )


def file_for(learner: str, line: Line) -> str:
    """A name for a learner's feedback that every system takes, and nobody shares."""
    plain = re.sub(r"[^\w.-]+", "_", learner).strip("._")[:60] or "learner"
    sign = hashlib.sha256(learner.encode()).hexdigest()[:6]
    lab = re.sub(r"[^\w.-]+", "_", line["lab"] or "unreadable")
    return f"{plain}-{sign}/{lab}-{line['sha256'][:8] or 'nothing'}.html"


def feedback(line: Line, panels: list[tuple[str, str]]) -> str:
    """What one learner gets for one notebook: the panels that the checks would have shown."""
    title = f"{line['learner']} · {summary.name_of(line)}"
    parts = [f"<h1>{escape(title)}</h1>"]
    if line["unreadable"]:
        parts.append(f"<p>This notebook could not be graded: {escape(line['unreadable'])}.</p>")
        return page(title, "\n".join(parts))
    parts.append(f"<p>{line['earned']} of {line['points']} points.</p>")
    shown = dict(panels)
    for one in line["exercises"]:
        name = f"{one['number']} {one['name']}"
        sign, kind = SIGNS[one["result"]], one["result"]
        points = f"{one['earned']}/{one['points']}"
        parts.append(
            f'<h2><span class="{kind}">{sign}</span> {escape(name)} '
            f'<span class="soft">{points}</span></h2>'
        )
        parts.append(shown.get(name) or f"<p>{escape(one['summary'])}</p>")
    return page(title, "\n".join(parts))


def class_page(head: dict[str, Any], lines: list[Line], roster: list[str]) -> str:
    """class.html: who solved what, which mistakes were made, what is missing."""
    found = summary.of(lines, roster)
    parts = [
        "<h1>The class</h1>",
        f"<p>{len(found.learners)} learners, {found.submissions} notebooks. Graded in the sandbox "
        f"<b>{escape(head['sandbox'])}</b>; it keeps out: {escape(head['covers'])}. It does not "
        f"cover: {escape(head['leaves'])}.</p>",
        _exercises(found),
        _mistakes(found),
        _attempts(found),
        _list("Could not be read", [_bad(line) for line in found.unreadable]),
        _list("Missing", [f"{escape(w)}: {escape(', '.join(labs))}" for w, labs in found.missing]),
        _list(
            "Alike but for names and spacing: a hint, not a verdict",
            [f"{escape(title)}: {escape(', '.join(who))}" for title, who in found.alike],
        ),
    ]
    return page("The class", "\n".join(part for part in parts if part))


def _exercises(found: summary.Summary) -> str:
    rows = []
    for one in found.exercises:
        counts = {kind: one.results[kind] for kind in SIGNS}
        spans = "".join(
            f'<span class="{kind}" style="width:{100 * summary.share(one, kind):.1f}%"></span>'
            for kind in SIGNS
        )
        says = ", ".join(f"{count} {WORDS[kind]}" for kind, count in counts.items() if count)
        numbers = "".join(f'<td class="number">{counts[kind]}</td>' for kind in SIGNS)
        rows.append(
            f'<tr><th scope="row">{escape(f"{one.number} {one.name}")}</th>'
            f'<td><div class="bar" role="img" aria-label="{escape(says)}">{spans}</div></td>'
            f"{numbers}</tr>"
        )
    heads = "".join(
        f'<th scope="col" title="{WORDS[kind]}"><span class="{kind}">{sign}</span>'
        f'<span class="word"> {WORDS[kind]}</span></th>'
        for kind, sign in SIGNS.items()
    )
    return _table(
        "Exercises", f'<th scope="col">exercise</th><th scope="col">share</th>{heads}', rows
    )


def _mistakes(found: summary.Summary) -> str:
    rows = [
        f'<tr><td class="number">{count}</td><td>{escape(says)}</td>'
        f"<td>{escape(', '.join(where))}<br><code>{escape(key)}</code></td></tr>"
        for key, says, where, count in found.mistakes
    ]
    heads = "".join(
        f'<th scope="col">{head}</th>' for head in ("learners", "mistake", "exercise, key")
    )
    return _table("Mistakes", heads, rows)


def _attempts(found: summary.Summary) -> str:
    rows = [
        f'<tr><th scope="row">{escape(lab)}</th><td class="number">{sum(counts.values())}</td><td>'
        f"{escape(', '.join(f'{n}: {who}' for n, who in sorted(counts.items())))}</td></tr>"
        for lab, counts in found.attempts.items()
    ]
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("lab", "learners", "attempts: how many learners")
    )
    return _table("Attempts", heads, rows)


def _bad(line: Line) -> str:
    return f"{escape(line['learner'])}: {escape(line['file'])}: {escape(line['unreadable'])}"


def _table(title: str, heads: str, rows: list[str]) -> str:
    if not rows:
        return ""
    body = "\n".join(rows)
    return (
        f'<h2>{title}</h2><div class="wide" tabindex="0" role="region" aria-label="{title}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def _list(title: str, entries: list[str]) -> str:
    if not entries:
        return ""
    items = "\n".join(f"<li>{entry}</li>" for entry in entries)
    return f"<h2>{title} ({len(entries)})</h2><ul>\n{items}\n</ul>"
