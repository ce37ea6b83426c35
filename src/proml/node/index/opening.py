"""Opening the index: its database, what pins it, and a view of one moment of it.

SQLite by default: a file with one writer, the indexer; everybody else opens it read-only, so that nothing but
the writer ever checkpoints it (SQLite before 3.51.3 can corrupt a file that two connections checkpoint at
once). PostgreSQL where a team outgrows that: the tables stand in a schema of their own, `proml_index`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from proml.core.digest import hexed
from proml.core.lifecycle import Lifecycle
from proml.errors import Busy, ConfigInvalid, IndexProblem
from proml.export.reading import Names
from proml.interfaces import Terms
from proml.node.index import schema
from proml.node.index.consortium import Consortium, last_decision, replay
from proml.node.index.rows import Head

SCHEMA = "proml_index"
KIND = "proml/index"
# How long a connection waits for another one's lock, in seconds.
PATIENCE = 5.0
REBUILD = "`proml node rebuild-index` makes it again from the chain"


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the index: whatever is asked through it fits together.

    Attributes:
        connection: in a read-only transaction.
        terms: what pins the ledger.
        head: how far the index reads, and which chain that is.
        names: what lifecycles, states, actions and organisations are called.
        consortium: members, keys, lifecycles and proposals at that moment; not to be changed.
    """

    connection: Connection
    terms: Terms
    head: Head
    names: Names
    consortium: Consortium


class Index:
    """The index of one ledger, for reading.

    Args:
        url: `sqlite:////folder/index.sqlite` or `postgresql://user@host/name`.
        terms: the ledger's; an index of another ledger is refused.
        lifecycles: whose files are at hand, for the names of states and actions.
        name_of: name of an organisation by its number (`LedgerFile.name_of`).

    Raises:
        ConfigInvalid: for an address that names neither.
    """

    def __init__(
        self,
        url: str,
        terms: Terms,
        lifecycles: tuple[Lifecycle, ...],
        name_of: Callable[[int], str],
    ) -> None:
        self.terms = terms
        self.shown = shown(url)
        self._lifecycles = lifecycles
        self._name_of = name_of
        self._engine = reading_engine(url)
        self._consortium: tuple[tuple[int, bytes], Consortium] | None = None

    @contextmanager
    def reading(self) -> Iterator[View]:
        """A view of the index as it is now, for one thread.

        Raises:
            IndexProblem: there is no index yet, it is of another version or another ledger, or its database
                is gone.
            Busy: its database stays locked.
        """
        with plainly(self.shown), self._engine.connect() as connection, connection.begin():
            check_pins(connection, self.terms, self.shown)
            consortium = self._consortium_of(connection)
            head, names = self._head(connection), self._names(consortium)
            yield View(connection, self.terms, head, names, consortium)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def _consortium_of(self, connection: Connection) -> Consortium:
        last = last_decision(connection)
        kept = self._consortium
        if kept is None or kept[0] != last:
            kept = last, replay(connection, self.terms)
            self._consortium = kept
        return kept[1]

    def _names(self, consortium: Consortium) -> Names:
        known = {each.table.document: each for each in self._lifecycles}
        admitted = {
            number: known[table.document]
            for number, table in consortium.shared.tables.items()
            if table.document in known
        }
        return Names(admitted, self._name_of, {})

    def _head(self, connection: Connection) -> Head:
        row = connection.execute(select(schema.cursor)).one()
        return Head(
            chain_id=self.terms.chain_id,
            contract=hexed(self.terms.contract),
            number=row.number,
            hash=hexed(row.hash),
            time=row.time,
            final=max(0, row.number - self.terms.finality + 1),
            finality=self.terms.finality,
        )


def pins(terms: Terms) -> dict[str, str]:
    """What an index is pinned to; one that says anything else is of another ledger, or another version."""
    return {
        "kind": KIND,
        "version": str(schema.VERSION),
        "chain id": str(terms.chain_id),
        "genesis": hexed(terms.genesis),
        "contract": hexed(terms.contract),
        "code": hexed(terms.code),
        "deployed": str(terms.deployed),
        "finality": str(terms.finality),
    }


def check_pins(connection: Connection, terms: Terms, where: str) -> None:
    """Raise IndexProblem unless the database holds an index of this version and this ledger."""
    found = {row.name: row.value for row in connection.execute(select(schema.pin))}
    for name, expected in pins(terms).items():
        if found.get(name) != expected:
            raise IndexProblem(
                f"the index in {where} has {name} {found.get(name, 'none')}, and {expected} is needed",
                REBUILD,
            )


def reading_engine(url: str) -> Engine:
    """An engine that cannot change the index."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        path = _path(parsed)
        return _sqlite_engine(f"file:{quote(str(path))}?mode=ro", "BEGIN")
    engine = _postgresql_engine(parsed, pool_pre_ping=True)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writing_engine(url: str) -> Engine:
    """The engine of the one writer; makes the file, or the schema, where there is none."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        path = _path(parsed)
        return _sqlite_engine(f"file:{quote(str(path))}", "BEGIN IMMEDIATE")
    return _postgresql_engine(parsed, poolclass=NullPool)


def shown(url: str) -> str:
    """The address without its password."""
    return _parsed(url).render_as_string(hide_password=True)


@contextmanager
def plainly(where: str) -> Iterator[None]:
    """What the database complains about, as an error of ours; whatever was not committed is undone.

    Raises:
        Busy: it stays locked.
        IndexProblem: anything else.
    """
    try:
        yield
    except DBAPIError as error:
        text = (
            str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        )
        if "locked" in text or "lock timeout" in text:
            raise Busy(
                f"the index in {where} is locked by another process", "try again when that has finished"
            ) from error
        if getattr(error.orig, "sqlstate", "") in _ABSENT_STATES or any(each in text for each in _ABSENT):
            raise IndexProblem(
                f"there is no index in {where} yet, or it cannot be opened",
                "`proml node up` makes one, and `proml node rebuild-index`",
            ) from error
        raise IndexProblem(f"the index in {where} cannot be used: {text}", _hint(text)) from error
    except SQLAlchemyError as error:
        raise IndexProblem(f"the index in {where} cannot be used: {error}", REBUILD) from error


# How SQLite says that there is no such file or table, and PostgreSQL no such table or schema (SQLSTATE).
_ABSENT = ("unable to open", "no such table")
_ABSENT_STATES = ("42P01", "3F000")


_DAMAGED = ("malformed", "not a database")


def set_aside_if_damaged(url: str) -> None:
    """Give a SQLite file that cannot be read another name, so that a new one can take its place.

    Raises:
        IndexProblem: when it cannot be renamed.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or not _path(parsed).exists():
        return
    path = _path(parsed)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        if not any(words in str(error) for words in _DAMAGED):
            return
        try:
            for each in (path, *path.parent.glob(f"{path.name}-*")):
                each.rename(each.with_name(f"{each.name}.damaged"))
        except OSError as problem:
            raise IndexProblem(
                f"the damaged index {path} cannot be renamed: {problem.strerror}", "move it away by hand"
            ) from problem


def _hint(text: str) -> str:
    if "full" in text or "No space" in text:
        return "make room on the disk; nothing is lost, the index goes on from where it was"
    if any(words in text for words in _DAMAGED):
        return REBUILD
    return "check that the database runs and may be written; nothing is lost, the index can always be rebuilt"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigInvalid(
            "the address of the index names neither SQLite nor PostgreSQL",
            "write sqlite:////folder/index.sqlite or postgresql://user@host/name",
        )
    if parsed.get_backend_name() == "sqlite" and not parsed.database:
        raise ConfigInvalid("the address of the index names no file", "write sqlite:////folder/index.sqlite")
    return parsed


def _path(url: URL) -> Path:
    return Path(str(url.database)).absolute()


def _sqlite_engine(uri: str, begin: str) -> Engine:
    def connect() -> sqlite3.Connection:
        # The thread check is the pool's business; transactions are begun below, not by the driver.
        made = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        if begin != "BEGIN":
            made.execute("PRAGMA journal_mode = WAL")
            # A power cut may take back the last commits, as a whole: the indexer reads those blocks again.
            made.execute("PRAGMA synchronous = NORMAL")
            made.execute("PRAGMA secure_delete = ON")
        made.execute("PRAGMA temp_store = MEMORY")
        made.execute("PRAGMA cache_size = -32768")
        return made

    writing = begin != "BEGIN"
    # A single writer keeps nothing open between its transactions.
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool if writing else QueuePool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _postgresql_engine(url: URL, **pool: Any) -> Engine:
    if url.get_driver_name() != "psycopg":
        url = url.set(drivername="postgresql+psycopg")
    options = f"-csearch_path={SCHEMA} -clock_timeout={int(PATIENCE * 1000)}"
    return create_engine(url, connect_args={"options": options}, **pool)
