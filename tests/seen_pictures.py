"""Whether a picture shows a wrong answer: "if the function is wrong, it lies wrong"."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib as mpl
import numpy as np

from plots import style

VISIBLE = 30  # pixels at 72 dpi that differ clearly: half the length of an arrow


def figure_of(picture: Any) -> Any:
    """The figure that a reader sees first: a picture's with sliders, or one with free input."""
    page = picture.page
    return (page() if callable(page) else page).figure


def pixels(picture: Any) -> np.ndarray:
    """The page that a reader sees first, as grey values."""
    from PIL import Image

    file = io.BytesIO()
    with mpl.rc_context(style.rc()):
        figure_of(picture).savefig(file, format="png", dpi=72, facecolor="white")
    return np.asarray(Image.open(file).convert("L"), dtype=float)


def assert_seen(make: Callable[[Any], Any], right: Any, wrong: dict[str, Any]) -> None:
    """The first page that `make(answer)` draws is visibly another one for each wrong answer."""
    assert len(wrong) >= 3
    wanted = pixels(make(right))
    for key, answer in wrong.items():
        seen = pixels(make(answer))
        if seen.shape == wanted.shape:
            changed = int((abs(seen - wanted) > 40).sum())
            assert changed > VISIBLE, f"{key} is not seen: {changed} pixels differ"


def of(mistakes: Iterable[Any], *keys: str) -> dict[str, Any]:
    """Some of an exercise's known mistakes, by their keys."""
    known = {mistake.key: mistake.answers[0] for mistake in mistakes}
    return {key: known[key] for key in keys}
