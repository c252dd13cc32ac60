"""Many submissions at a time, over any `concurrent.futures.Executor`: local processes, or Dask's.

Only a few are under way at once, so that memory does not grow with the class. A process that dies
takes nothing along: what it had is given to another one.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from checks.grade.work import Task, begin, work

UNDER_WAY = 3  # tasks for each process
TRIES = 3  # of a task whose process dies


def local(processes: int) -> Executor:
    """Processes on this machine, each with a sandbox of its own."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=spawn, initializer=begin)


@contextmanager
def dask(address: str) -> Iterator[Executor]:
    """The processes of a Dask cluster."""
    from distributed import Client

    with Client(address) as client:
        yield client.get_executor(pure=False, retries=TRIES)


def graded(
    tasks: Iterable[Task], executor: Callable[[], AbstractContextManager[Executor]], processes: int
) -> Iterator[tuple[Task, Any]]:
    """Grade all; yield each task with what came out, as soon as it is known.

    None comes out where a process died at it again and again.
    """
    waiting, tries = deque(tasks), {}  # type: deque[Task], dict[Task, int]
    while waiting:
        with executor() as pool:
            under_way: dict[Future, Task] = {}
            broken = False
            while under_way or (waiting and not broken):
                while waiting and not broken and len(under_way) < UNDER_WAY * processes:
                    task = waiting.popleft()
                    try:
                        under_way[pool.submit(work, task)] = task
                    except RuntimeError:  # a process died: this pool takes no more
                        waiting.appendleft(task)
                        broken = True
                done, _ = wait(under_way, return_when=FIRST_COMPLETED) if under_way else (set(), 0)
                for future in done:
                    task = under_way.pop(future)
                    if future.exception() is None:
                        yield task, future.result()
                        continue
                    broken = True
                    tries[task] = tries.get(task, 0) + 1
                    if tries[task] < TRIES:
                        waiting.append(task)
                    else:
                        yield task, None
