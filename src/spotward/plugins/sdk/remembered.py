"""One effect for each idempotency key.

A caller that was killed asks again, with the same key. While the first call still runs, the second one waits for its
answer; once it was done, the answer is given again. What was not done is not kept: who asks again wants another
attempt, after a refusal too, for a person may have changed what stood in the way. With a file the answers outlive the
plugin's own process.
"""

import asyncio
import json
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from spotward.plugins.sdk.call import Answer, Status

ANSWERS_MAX = 20_000
"""So many answers are remembered; of more, the oldest are forgotten."""


class Remembered:
    """Calls under way, and answers that were given."""

    def __init__(self, file: Path | None = None) -> None:
        """file: where answers are kept; None keeps them as long as the process lives. Raises OSError."""
        self._under_way: dict[str, asyncio.Future[Answer]] = {}
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._database = _opened(file) if file is not None else None
        if self._database is not None:
            self._answers.update(_read(self._database))

    async def once(self, key: str, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer for a key: the one that was given, the one that is on its way, or that of the work, now done.

        Without a key the work is done each time. The work goes on when one who waits for it gives up.
        """
        if not key:
            return await work()
        if (known := self._answers.get(key)) is not None:
            return known
        under_way = self._under_way.get(key)
        if under_way is None:
            under_way = asyncio.ensure_future(self._done(key, work))
            self._under_way[key] = under_way
            under_way.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(under_way)

    async def _done(self, key: str, work: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await work()
        if answer.good:
            self._keep(key, answer)
        return answer

    def _keep(self, key: str, answer: Answer) -> None:
        self._answers[key] = answer
        gone = self._answers.popitem(last=False)[0] if len(self._answers) > ANSWERS_MAX else None
        if self._database is not None:
            with self._database:
                self._database.execute("insert or replace into answers values (?, ?)", (key, _written(answer)))
                self._database.execute("delete from answers where key is ?", (gone,))

    async def settled(self) -> None:
        """Wait for what is under way, also where nobody waits for its answer any more."""
        if self._under_way:
            await asyncio.wait(self._under_way.values())

    def close(self) -> None:
        """Give up what is still under way, and close the file."""
        for each in tuple(self._under_way.values()):
            each.cancel()
        if self._database is not None:
            self._database.close()


def _opened(file: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(file, isolation_level=None)
        with closing(database.cursor()) as cursor:
            cursor.execute("pragma journal_mode = wal")
            cursor.execute("pragma synchronous = full")
            cursor.execute("create table if not exists answers (key text primary key, answer text not null)")
    except sqlite3.Error as error:
        raise OSError(f"{file} cannot keep answers: {error}; name a file in a folder that may be written") from error
    return database


def _read(database: sqlite3.Connection) -> list[tuple[str, Answer]]:
    rows = database.execute("select key, answer from answers order by rowid").fetchall()
    return [(key, Answer(**json.loads(text) | {"status": Status(json.loads(text)["status"])})) for key, text in rows]


def _written(answer: Answer) -> str:
    return json.dumps({"status": answer.status, "text": answer.text, "output": dict(answer.output)})
