"""Which labs a tool was asked for on its command line."""

import sys
from collections.abc import Collection

from checks.catalogue import Lab, labs


def chosen(names: Collection[str]) -> list[Lab]:
    """All labs, or those of these names, such as 03_rope; a name that is none ends the tool."""
    every = labs()
    stems = [lab.stem for lab in every]
    if unknown := [name for name in names if name not in stems]:
        sys.exit(f"There is no lab {unknown[0]}; the labs are {', '.join(stems)}.")
    return [lab for lab in every if not names or lab.stem in names]
