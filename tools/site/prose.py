"""A text cell as HTML: headings with anchors, formulas, folded answers, links that stay inside."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.notebook import slug, unique
from tools.site.formulas import formula

ELSEWHERE = re.compile(r"[a-z]+:|#")
PREDICT = re.compile(r"<p>(<strong>Predict\.?</strong>)")
TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
# In the tab order, so that what is wider than a telephone can be scrolled without a pointer.
SCROLLS = '<div class="scrolls" tabindex="0">{}</div>'


@dataclass
class Heading:
    """A section of a page, for its contents."""

    level: int
    text: str
    id: str


@dataclass
class Prose:
    """Turns the text cells of one page into HTML, and notes its headings.

    link: where a relative link of the notebook leads on the site, or None where it leads nowhere.
    """

    link: Callable[[str], str | None]
    headings: list[Heading] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Set up the parser, which a page needs once."""
        self.parser = MarkdownIt("commonmark").enable("table")
        dollarmath_plugin(self.parser, renderer=_set, allow_digits=False, double_inline=True)

    def __call__(self, text: str) -> str:
        """One cell."""
        tokens = self.parser.parse(text)
        for place, token in enumerate(tokens):
            if token.type == "heading_open":
                self._anchor(token, tokens[place + 1])
            self._lead(token.children or [])
        made = self.parser.renderer.render(tokens, self.parser.options, {})
        made = TABLE.sub(lambda table: SCROLLS.format(table[0]), made)
        made = made.replace("<th></th>", "<td></td>")  # an empty corner heads nothing
        made = made.replace("<pre>", '<pre tabindex="0">')
        return PREDICT.sub(r'<p class="predict">\1', made)

    def _anchor(self, opening: Token, inline: Token) -> None:
        text = "".join(c.content for c in inline.children or [] if c.type != "html_inline")
        name = unique(slug(text), self.taken)
        self.taken.add(name)
        opening.attrSet("id", name)
        self.headings.append(Heading(int(opening.tag[1]), text, name))

    def _lead(self, words: list[Token]) -> None:
        """Lead each link to where its file is on the site; what is not there is no link."""
        drops = False
        for word in words:
            if word.type == "link_open":
                address = str(word.attrGet("href"))
                leads = address if ELSEWHERE.match(address) else self.link(address)
                drops = leads is None
                word.attrs = {} if drops else {"href": str(leads)}
            if word.type in ("link_open", "link_close") and drops:
                word.tag = "span"


def _set(content: str, options: Mapping[str, Any]) -> str:
    display = bool(options.get("display_mode"))
    set_ = formula(content.strip(), display=display)
    kind = "div" if display else "span"
    scrolls = ' tabindex="0"' if display else ""
    return f'<{kind} class="formula"{scrolls} data-pagefind-ignore>{set_}</{kind}>'


def code(text: str) -> str:
    """Code words of a sentence, `like_this`, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
