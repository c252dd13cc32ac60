"""Write the web edition: `python -m tools.site [FOLDER]`, by default into build/site.

Pages are made from the executed notebooks in solutions/ as they are; run `make labs` before.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tools.site.build import build_site
from tools.source import BuildError

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Build the site and say where it is; 1 when it stopped."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    folder: Path = parser.parse_args(arguments).folder
    begun = time.perf_counter()
    try:
        pages = build_site(ROOT, folder)
    except (BuildError, ValueError) as error:
        print(f"The site was not built: {error}", file=sys.stderr)
        return 1
    print(f"{len(pages)} pages in {folder}, {time.perf_counter() - begun:.0f} s. To look at it:")
    print(f"  python -m http.server --directory {folder} 8000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
