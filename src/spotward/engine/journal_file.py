"""The SQLite file behind the store: its tables, its version, and who may open it.

One file in a state directory, beside it a lock file. The lock belongs to the kernel, so that a process killed at any
moment lets go of it; it tells apart "another Spotward is running" and "the last one was killed". Readers (`explain`,
`status`) take no lock: the write-ahead log lets them read while a daemon writes.
"""

import fcntl
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from spotward.model.errors import ConfigError, LeaseHeld

FILE_NAME = "journal.sqlite"
LOCK_NAME = "journal.lock"

APPLICATION_ID = 0x53505457
"""`SPTW`, in the file's header: `file journal.sqlite` shows it, and a foreign SQLite file is told apart."""

PRIVATE = 0o700
"""The mode of a directory that we make: tags of instances, and so what is in the journal, may not be for everybody."""

BUSY_TIMEOUT_MS = 5_000
"""How long a reader or writer waits for another one before it says that the store is busy."""

WAL_SIZE_MAX_BYTES = 64 * 2**20
"""The write-ahead log is cut back to this after a checkpoint, so that one great observation does not leave it great."""

_FIRST_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE inputs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, kind TEXT NOT NULL, page INTEGER,
  packed INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE pages (number INTEGER PRIMARY KEY, time REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX pages_by_time ON pages (time);
CREATE TABLE page_subjects (subject TEXT NOT NULL, page INTEGER NOT NULL, PRIMARY KEY (subject, page)) WITHOUT ROWID;
CREATE INDEX page_subjects_by_page ON page_subjects (page);
CREATE TABLE undertakings (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, born REAL NOT NULL, ended_time REAL,
  body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX undertakings_by_subject ON undertakings (subject, born);
CREATE INDEX undertakings_by_end ON undertakings (ended_time, born);
CREATE TABLE memory (
  family TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (family, key)
) WITHOUT ROWID;
CREATE TABLE wakes (time REAL NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (time, subject)) WITHOUT ROWID;
CREATE TABLE leases (
  subject TEXT PRIMARY KEY, fence INTEGER NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, instance TEXT NOT NULL,
  expires_time REAL NOT NULL, released INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE snapshots (
  after_seq INTEGER PRIMARY KEY, time REAL NOT NULL, next_page INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE set_aside (
  id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL
);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST_TABLES,)
"""`MIGRATIONS[n]` takes a file of version n to version n + 1. Released ones are never edited: a change is a new one."""


class JournalFile:
    """An open file, of the right version, that nobody else is writing."""

    def __init__(self, connection: sqlite3.Connection, lock: IO[bytes] | None) -> None:
        self.connection = connection
        self._lock = lock

    def close(self) -> None:
        """Let go of the file, and of the lock."""
        self.connection.close()
        if self._lock is not None:
            self._lock.close()


def open_to_write(directory: Path, *, migrations: Sequence[str] = MIGRATIONS) -> JournalFile:
    """Open the journal of a state directory, made if need be, for the one process that writes it.

    Raises ConfigError for a directory that cannot be written or a file that is not ours, LeaseHeld if another process
    is writing it.
    """
    try:
        directory.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        lock = (directory / LOCK_NAME).open("ab")
    except OSError as error:
        raise ConfigError(
            f"the state directory {directory} cannot be written ({error.strerror}); "
            "make it writable for this user, or name another with --state"
        ) from error
    try:
        _take(lock, directory)
        return JournalFile(_sound(directory, partial(_prepare, migrations)), lock)
    except BaseException:
        lock.close()
        raise


def open_to_read(directory: Path, *, migrations: Sequence[str] = MIGRATIONS) -> JournalFile:
    """Open an existing journal, whoever writes it. Raises ConfigError."""
    if not (directory / FILE_NAME).is_file():
        raise ConfigError(
            f"there is no journal in the state directory {directory}; "
            "run `spotward run` first, or name the right directory with --state"
        )
    return JournalFile(_sound(directory, partial(_look_only, migrations)), None)


def _take(lock: IO[bytes], directory: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LeaseHeld(
            f"another Spotward ({_holder(directory)}) is running with the state directory {directory}; "
            "stop it first, or name another directory with --state"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the file system of the state directory {directory} has no locks ({error.strerror}); "
            "name a directory on a local disk with --state"
        ) from error


def _holder(directory: Path) -> str:
    """Who has it, as far as the file tells: it may be between making its lock and making its tables."""
    try:
        file = open_to_read(directory)
    except ConfigError:
        return "just starting"
    try:
        query = "SELECT pid, host FROM leases WHERE NOT released ORDER BY expires_time DESC LIMIT 1"
        row = file.connection.execute(query).fetchone()
    finally:
        file.close()
    return f"process {row[0]} on {row[1]}" if row else "just starting"


def _sound(directory: Path, prepare: Callable[[sqlite3.Connection, Path], None]) -> sqlite3.Connection:
    """A connection to the file, prepared; what SQLite has to say against it becomes a ConfigError."""
    path = directory / FILE_NAME
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        prepare(connection, path)
    except (sqlite3.Error, ConfigError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{path} cannot be used as a journal ({error}); check the permissions and the room on the disk, "
            "or move the file away to begin a new one"
        ) from error
    return connection


def _prepare(migrations: Sequence[str], connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection, path, len(migrations))
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL, not NORMAL: with NORMAL a power failure may take back the last commits, and with them the page of a deed
    # that was done. A swap whose birth is forgotten would be begun a second time. One sync per commit is the price, and
    # the shell puts all events that are waiting into one commit.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_MAX_BYTES}")
    for number, script in enumerate(migrations[version:], start=version + 1):
        header = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        connection.executescript(f"BEGIN IMMEDIATE; {script} {header} COMMIT;")


def _look_only(migrations: Sequence[str], connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection, path, len(migrations)) < len(migrations):
        raise ConfigError(f"{path} was written by an older version; `spotward run` brings it up to date")
    connection.execute("PRAGMA query_only = ON")


def _version(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """The file's version; 0 for one that is new and empty. Raises ConfigError for one that is newer than we know."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or version):
        raise ConfigError(f"{path} is not Spotward's; move it away, or name another directory with --state")
    if version > newest:
        raise ConfigError(
            f"{path} was written by a newer version of Spotward (format {version}; this one knows {newest}); "
            "install that version, or name another directory with --state"
        )
    return int(version)
