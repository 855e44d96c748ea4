"""A bounded set of threads for calls that block.

boto3 blocks, the shell does not; so each call runs in a thread. The threads are daemons, unlike those of the standard
library's executor: a process that was told to stop, or that lost its network, must not wait for a call that hangs. What
such a call did is found out after the restart, as after any other crash.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

Job = Callable[[], None]


class Workers:
    """At most `threads_max` threads, started when there is work for them."""

    def __init__(self, threads_max: int, *, name: str) -> None:
        self._threads_max, self._name = threads_max, name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    async def run(self, work: Callable[[], T]) -> T:
        """The result of the work, done by one of the threads. Work that was not begun when cancelled never begins."""
        future: Future[T] = Future()
        self._jobs.put(lambda: _fulfil(future, work))
        self._grow()
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let idle threads end. Busy ones end after their work; nobody waits for them."""
        for _ in self._threads:
            self._jobs.put(None)

    def _grow(self) -> None:
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            number = len(self._threads)
            if number < self._threads_max:
                thread = threading.Thread(target=self._live, name=f"{self._name}-{number + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _live(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            self._idle.release()


async def run_apart(work: Callable[[], T], *, name: str) -> T:
    """The result of work that takes long by nature (a long poll): in its own thread, so that none of the bounded is."""
    future: Future[T] = Future()
    threading.Thread(target=_fulfil, args=(future, work), name=name, daemon=True).start()
    return await asyncio.wrap_future(future)


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - not swallowed: it is raised again where the result is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
