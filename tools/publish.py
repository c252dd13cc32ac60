"""Set the course's address and stamp it: `python -m tools.publish [owner/name [tag]]`.

Without arguments the address is that of the remote `origin`, if it is a repository on GitHub.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools import address, build


def main(words: list[str], root: Path = build.ROOT) -> int:
    """Write the address, build what carries it, and say what to do next."""
    try:
        new = address.parse(*words) if words else address.from_origin(root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if new is None:
        print("The remote `origin` is not on GitHub: make publish REPO=owner/name", file=sys.stderr)
        return 1
    address.write(root, new)
    try:
        build.build(root)
    except build.BuildError as error:
        print(f"The build stopped.\n{error}", file=sys.stderr)
        return 1
    print(f"Badges and setup cells now name {new.repository} at {new.tag}. What is left to do:")
    print(f"  git commit -am 'Publish as {new.repository} {new.tag}'")
    print(f"  git tag {new.tag} && git push origin HEAD {new.tag}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
