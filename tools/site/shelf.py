"""Files that a page loads when the reader comes near: the pages of its pictures, and their stills.

They are nine tenths of an executed notebook. Without them a page is text, and stands there at once.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

BOOK = re.compile(r'data-book="([^"]*)"')
STILL = re.compile(r'(<img alt="[^"]*") src="data:image/png;base64,([^"]*)"')
# The site has the course's own style sheets and script once a page, and not in every output.
ASSETS = re.compile(
    r"<style>[^<]*\.(?:llama-flipbook|check-panel)[^<]*</style>|<script>.*?</script>", re.DOTALL
)


@dataclass
class Shelf:
    """The files by their names, which come from what is in them."""

    files: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, markup: str) -> str:
        """An output's HTML as the site has it, with its pictures put on the shelf."""
        markup = ASSETS.sub("", markup)
        markup = BOOK.sub(lambda m: f'data-from="{self._put(m[1].encode(), "txt")}"', markup)
        markup = STILL.sub(self._still, markup)
        return markup.replace("<pre>", '<pre tabindex="0">')

    def write(self, to: Path) -> None:
        """Write all files into the site's folder."""
        (to / "pictures").mkdir(exist_ok=True)
        for name, content in self.files.items():
            (to / name).write_bytes(content)

    def _put(self, content: bytes, kind: str) -> str:
        name = f"pictures/{hashlib.sha1(content).hexdigest()[:12]}.{kind}"
        self.files[name] = content
        return name

    def _still(self, match: re.Match[str]) -> str:
        png = base64.b64decode(match[2])
        width, height = struct.unpack(">II", png[16:24])  # a PNG's header
        size = f'width="{width}" height="{height}"'
        return f'{match[1]} src="{self._put(png, "png")}" {size} loading="lazy" decoding="async"'
