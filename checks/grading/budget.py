"""How long a notebook may take, each cell and all of it; and what is to blame for more."""

import time
from dataclasses import dataclass, field

CELL = 60.0  # seconds a cell may take, unless --nbval-cell-timeout says otherwise
TOTAL = 300.0  # seconds a notebook may take, unless --notebook-timeout says otherwise
HURRY = 10.0  # seconds for a cell that is no exercise, once one of its notebook was stopped


@dataclass
class Budget:
    """The time of one notebook. Whoever runs on and on costs the cells behind it little."""

    cell: float = CELL
    total: float = TOTAL
    begin: float = field(default_factory=time.monotonic)
    cause: str = ""  # the first cell that was stopped

    @property
    def spent(self) -> float:
        """Seconds since the notebook began."""
        return time.monotonic() - self.begin

    def seconds(self, needed: bool) -> float:
        """Seconds for the next cell, 0 for none. The `needed` ones, exercises and checks, go on."""
        if self.spent >= (2 * self.total if needed else self.total):
            return 0.0
        return min(self.cell, HURRY) if self.cause and not needed else self.cell

    def over(self) -> str:
        """Say that there is no time left, and who took it."""
        most = f"; {self.cause} was the first to be stopped" if self.cause else ""
        return f"the notebook's {self.total:g} seconds are over{most}"
