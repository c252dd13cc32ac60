"""Read a notebook as it comes: from any tool, half broken, or not a notebook at all.

What can be read is put into the form that nbval expects; what cannot gets a sentence.
"""

import json
import warnings
from pathlib import Path
from typing import Any

LARGEST = 200_000_000  # bytes; the largest that a learner saved had 60 MB
LONGEST = 2_000_000  # characters of one cell's source


class Unreadable(ValueError):
    """A file is no notebook that could be graded; the message says what it is."""


def read(path: Path) -> dict[str, Any]:
    """Return a notebook as plain data of format 4; `Unreadable` says why there is none."""
    try:
        if path.is_dir():
            raise Unreadable("it is a folder; name the notebooks in it")
        if not path.exists():
            raise Unreadable("there is no such file")
        if not path.is_file():
            raise Unreadable("it is not a file")
        if path.stat().st_size > LARGEST:
            raise Unreadable(
                f"it is larger than {LARGEST // 1_000_000} MB; clear its outputs and save it again"
            )
        raw = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise error if isinstance(error, Unreadable) else Unreadable("no such name") from None
    return parsed(raw)


def parsed(raw: bytes) -> dict[str, Any]:
    """Return a notebook from a file's bytes."""
    if not raw.strip():
        raise Unreadable("it is empty; save the notebook again")
    try:
        notebook = json.loads(_decoded(raw))
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"not a notebook, or a damaged one (not readable from line {error.lineno} on)"
        ) from None
    except (ValueError, RecursionError):
        raise Unreadable("not a notebook, or a damaged one") from None
    if not isinstance(notebook, dict):
        raise Unreadable("not a notebook, or a damaged one (it has no readable list of cells)")
    notebook = _of_format_4(notebook)
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise Unreadable("not a notebook, or a damaged one (it has no readable list of cells)")
    notebook["metadata"] = _mapping(notebook.get("metadata"))
    notebook["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook["cells"] = [_cell(cell, number) for number, cell in enumerate(cells, start=1)]
    notebook |= {"nbformat": 4, "nbformat_minor": 5}
    return notebook


def text(source: Any) -> str:
    """A cell's source as one text that can be sent and printed, whatever stands there."""
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return ""
    return source.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    return raw.decode("utf-8-sig")


def _of_format_4(notebook: dict[str, Any]) -> dict[str, Any]:
    """Bring an older notebook into today's form."""
    major = notebook.get("nbformat", 4)
    if "worksheets" in notebook or (isinstance(major, int) and major < 4):
        try:
            import nbformat

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return dict(
                    json.loads(json.dumps(nbformat.convert(nbformat.from_dict(notebook), 4)))
                )
        except Exception:
            raise Unreadable(
                f"it has the old notebook format {major}; open it in Jupyter and save it again"
            ) from None
    if not isinstance(major, int) or major > 4:
        raise Unreadable(
            f"it has the notebook format {major!r}, which this course does not know; save it as 4"
        )
    return notebook


def _cell(cell: Any, number: int) -> dict[str, Any]:
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        raise Unreadable(f"not a notebook, or a damaged one (its cell {number} is none)")
    source, metadata = text(cell.get("source")), _mapping(cell.get("metadata"))
    if len(source) > LONGEST:
        raise Unreadable(f"its cell {number} has more than {LONGEST:,} characters")
    if not isinstance(metadata.get("tags", []), list):
        del metadata["tags"]
    metadata["tags"] = [str(tag) for tag in metadata.get("tags", [])]
    kind = cell["cell_type"] if cell["cell_type"] in ("code", "markdown") else "raw"
    read = {"cell_type": kind, "metadata": metadata, "source": source}
    if isinstance(cell.get("id"), str):
        read["id"] = text(cell["id"])
    if kind == "code":
        count, outputs = cell.get("execution_count"), cell.get("outputs")
        whole = isinstance(count, int) and isinstance(outputs, list)
        read |= {"execution_count": count if whole else None, "outputs": outputs if whole else []}
    return read


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
