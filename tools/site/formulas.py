"""Formulas as HTML and MathML, set by KaTeX when the site is built: no script sets them later."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

KATEX = Path(__file__).parent / "katex.min.js"  # KaTeX 0.19.1, MIT: static/katex/LICENSE
# As JSON: a long string comes out of quickjs as a rope, which its Python side does not know.
SET = """(tex, display) => JSON.stringify(
    katex.renderToString(tex, {displayMode: display, throwOnError: true}))"""


def formula(tex: str, *, display: bool) -> str:
    """The formula as HTML; a ValueError says what KaTeX does not understand."""
    try:
        return json.loads(_katex()(tex, display))
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the formula ${tex}$ cannot be set: {reason}") from None


@cache
def _katex():  # type: ignore[no-untyped-def]  # a JavaScript function
    import quickjs

    context = quickjs.Context()
    context.eval(KATEX.read_text(encoding="utf-8"))
    return context.eval(SET)
