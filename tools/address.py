"""Where the course is published: one line, `owner/name tag`, in assets/repository.txt.

Badges, links and setup cells are stamped from it. Without it they name no address.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

FILE = Path("assets/repository.txt")
TAG = "v1"
GITHUB = re.compile(
    r"(?:https://(?:[^@/]+@)?github\.com/|git@github\.com:|ssh://git@github\.com/)([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)
NAME = re.compile(r"[\w.-]+/[\w.-]+")
TAG_NAME = re.compile(r"[\w][\w./-]*")


@dataclass(frozen=True)
class Address:
    """A GitHub repository and the tag at which the course is fetched."""

    repository: str
    tag: str = TAG

    def page(self, path: str) -> str:
        """Where GitHub shows a file."""
        return f"https://github.com/{self.repository}/blob/{self.tag}/{path}"

    def colab(self, path: str) -> str:
        """Where Colab opens a notebook."""
        return f"https://colab.research.google.com/github/{self.repository}/blob/{self.tag}/{path}"

    def kaggle(self, path: str) -> str:
        """Where Kaggle opens a notebook."""
        return f"https://kaggle.com/kernels/welcome?src={self.page(path)}"

    def binder(self, path: str) -> str:
        """Where Binder opens a notebook, in JupyterLab."""
        place = quote(f"lab/tree/{path}", safe="")
        return f"https://mybinder.org/v2/gh/{self.repository}/{self.tag}?urlpath={place}"


def read(root: Path) -> Address | None:
    """The stamped address, or None while the course has not been published."""
    file = root / FILE
    words = file.read_text(encoding="utf-8").split() if file.is_file() else []
    return parse(*words) if words else None


def parse(repository: str, tag: str = TAG, *rest: str) -> Address:
    """An address from its words; a ValueError says what is wrong with them."""
    repository = re.sub(r"^https://github\.com/|(\.git)?/?$", "", repository)
    if rest or not NAME.fullmatch(repository) or not TAG_NAME.fullmatch(tag):
        words = " ".join([repository, tag, *rest])
        raise ValueError(f"`{words}` is no address: write owner/name and, if you like, a tag.")
    return Address(repository, tag)


def write(root: Path, address: Address) -> None:
    """Make this the course's address; the next build stamps it."""
    (root / FILE).parent.mkdir(exist_ok=True)
    (root / FILE).write_text(f"{address.repository} {address.tag}\n", encoding="utf-8")


def from_origin(root: Path) -> Address | None:
    """The `origin` remote, if it is a repository on GitHub."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    match = GITHUB.fullmatch(
        subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    )
    return Address(match[1]) if match else None
