"""A small table for a notebook: HTML for light and dark pages, and the same as plain text."""

from __future__ import annotations

from html import escape

from checks import front_end

MARKS = {"done": "✓", "right": "◐", "wrong": "✗", "todo": "✎"}
STYLE = """
.llama-table { max-width: 52em; font: 14px/1.45 system-ui, sans-serif; overflow-x: auto; }
.llama-table table { border-collapse: collapse; margin: 0.3em 0; }
.llama-table td { vertical-align: top; padding: 0.2em 1em 0.2em 0; border: 0;
  background: transparent; white-space: normal; }
.llama-table td:first-child, .llama-table .chip { white-space: nowrap; }
.llama-table .title { font-weight: 600; }
.llama-table .chip { display: inline-block; margin-right: 1em; }
.llama-table .mark { display: inline-block; width: 1.3em; font-weight: 600; }
.llama-table .done .mark, .llama-table .right .mark { color: #009E73; }
.llama-table .wrong .mark { color: #D55E00; }
.llama-table .todo { opacity: 0.7; }
"""


def marked(state: str, inside: str) -> str:
    """HTML that follows a mark in its colour; state: "done", "wrong" or "todo"."""
    return f'<span class="chip {state}"><span class="mark">{MARKS[state]}</span>{inside}</span>'


def page(title: str, rows: list[list[str]], notes: list[str]) -> str:
    """A table of cells that are HTML already, under its title and over some plain sentences."""
    # Written at the cell itself, because Jupyter's own style sheet sets numbers to the right.
    left = '<td style="text-align:left">'
    body = "".join(f"<tr>{''.join(f'{left}{cell}</td>' for cell in row)}</tr>" for row in rows)
    below = "".join(f"<div>{note}</div>" for note in notes)
    head = f'<div class="title">{escape(title)}</div>'
    style = f"<style>{STYLE}</style>"
    return f'<div class="llama-table">{style}{head}<table>{body}</table>{below}</div>'


def code(sentence: str) -> str:
    """Escape a sentence and set what stands between backticks as code."""
    parts = escape(sentence).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))


def show(text: str, html: str) -> None:
    """Display both, or print the text where there is no notebook."""
    front_end.show({"text/plain": text, "text/html": html})
