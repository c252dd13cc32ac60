"""Notebooks as they come: from any tool, half broken, or not notebooks at all."""

import json

import pytest
from graded_notebooks import lab

from checks.grading import reading


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "it is empty"),
        (b"[" * 100_000, "damaged"),
        (b'{"cells": ' + b"1" * 5000 + b"}", "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[1, 2]", "no readable list of cells"),
        (b'{"cells": null}', "no readable list of cells"),
        (b'{"cells": [null]}', "its cell 1 is none"),
        (b'{"cells": [], "nbformat": 5}', "format 5"),
    ],
)
def test_what_is_no_notebook_gets_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(reading.Unreadable, match=sentence):
        reading.parsed(raw)


def test_a_notebook_of_any_tool_is_read() -> None:
    plain = json.dumps(lab())
    for raw in (b"\xef\xbb\xbf" + plain.encode(), plain.encode("utf-16"), plain.encode()):
        assert len(reading.parsed(raw)["cells"]) == len(lab().cells)
    old = {
        "cell_type": "code",
        "input": "1 + 1",
        "language": "python",
        "outputs": [],
        "metadata": {},
    }
    sheets = [{"cells": [old], "metadata": {}}]
    third = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": sheets}
    assert reading.parsed(json.dumps(third).encode())["cells"][0]["source"] == "1 + 1"
    odd = [
        {"cell_type": "code", "source": None, "metadata": None},
        {"cell_type": "code", "source": ["a\n", 3, "b"], "metadata": {"tags": "x"}},
        {"cell_type": "alien", "source": 5},
        {"cell_type": "code", "source": "'\ud800'"},
    ]
    cells = reading.parsed(json.dumps({"cells": odd, "metadata": None}).encode())["cells"]
    assert [cell["source"] for cell in cells] == ["", "a\nb", "", "'?'"]
    assert [cell["cell_type"] for cell in cells] == ["code", "code", "raw", "code"]
