"""A store of finished points: a text file with one JSON line for each, which a run may be killed over at any moment.

A line is written by one `write` in append mode and counted as finished only after `fsync`. A half-written last line is
cut off when the store is next opened; any other damage is refused by its line number, and nothing is thrown away. Each
line carries a checksum of itself. Only the last record of a point counts: a retried failure is followed by its result.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hippo_theory.errors import InputError
from hippo_theory.sweeps.points import Point, Scalar, Study, canonical, make_point

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Record", "Store", "read_records"]


@dataclass(frozen=True)
class Record:
    """One finished point.

    Attributes
    ----------
    study : str
    version : int
    key : str
    point : Point
    result : mapping or None
        What the study returned; None if it failed.
    failure : str or None
        The message of the exception, after its type.
    """

    study: str
    version: int
    key: str
    point: Point
    result: Mapping[str, Scalar] | None
    failure: str | None = None

    def line(self) -> bytes:
        """The line of the store: canonical JSON, its checksum in it, and the newline."""
        content: dict[str, Any] = {
            "failure": self.failure,
            "key": self.key,
            "point": self.point.as_dict(),
            "result": None if self.result is None else dict(self.result),
            "study": self.study,
            "version": self.version,
        }
        content["checksum"] = _checksum(content)
        return canonical(content).encode("ascii") + b"\n"


def _checksum(content: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(canonical(content).encode('ascii')):08x}"


def _record(line: bytes) -> Record | None:
    """The record of a line, or None if it is damaged."""
    try:
        content = json.loads(line)
        checksum = content.pop("checksum")
        if checksum != _checksum(content):
            return None
        point = make_point(content["point"])
        return Record(
            content["study"], content["version"], content["key"], point, content["result"], content["failure"]
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


class Store:
    """A store, opened for writing by this process alone.

    Parameters
    ----------
    path : path
        The file; made if it is not there. Its folder must be.
    study : Study
        Whose points it holds; a store of another study or version is refused.

    Raises
    ------
    InputError
        If the file cannot be opened, is in use by another run, holds a damaged line, or another study or version.

    Notes
    -----
    The lock is the operating system's (`flock`), so that it ends with the process, however that ends; forked children let go
    of it. On NFS Linux makes it a lock of the server: it holds between machines unless the share is mounted with
    ``nolock`` or ``local_lock``. File systems and systems (Windows) without it are refused.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from hippo_theory.sweeps import Record, Store, Study, make_point
    >>> study, point = Study("squares", 1, lambda point: {"square": point["x"] ** 2}), make_point(x=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Store(Path(folder) / "squares.jsonl", study) as store:
    ...         store.append([Record("squares", 1, study.key(point), point, {"square": 9})])
    ...         store.done == {study.key(point)}
    True
    """

    def __init__(self, path: str | os.PathLike[str], study: Study) -> None:
        self.path = Path(path)
        self.study = study
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.repaired = 0  # bytes of a half-written last line that were cut off
        if fcntl is None:
            raise InputError(
                f"the store {self.path} cannot be locked: this system has no flock; run the sweep on Linux or macOS"
            )
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(
                f"cannot write the store {self.path}: {error.strerror}; give another file in a folder that can be written"
            ) from error
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise InputError(
                    f"the store {self.path} is no ordinary file, which keeps what is written; give another one"
                )
            self._lock()
            _OPEN.add(self)
            self._take_in()
        except OSError as error:
            self.close()
            raise InputError(
                f"cannot read or mend the store {self.path}: {error.strerror}; nothing was lost"
            ) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the store back."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def append(self, records: Iterable[Record]) -> None:
        """Append a line for each record, and return when all of them are on the disk.

        Raises
        ------
        InputError
            If the disk does not take them; what was there before still is, and no half line is left.
        """
        records = list(records)
        before = os.fstat(self._file).st_size
        try:
            for record in records:
                line = record.line()
                written = os.write(self._file, line)
                if written < len(line):  # a full disk takes a part before it refuses the rest
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                before += written
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):  # else the half line is cut off when the store is next opened
                os.ftruncate(self._file, before)
            raise InputError(
                f"cannot append to the store {self.path}: {error.strerror}; finished points are in it: make room and run "
                "the same sweep again to go on"
            ) from error
        for record in records:
            self._count(record)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"the store {self.path} is in use by another run; wait for that one, or give this one another store"
            ) from error
        except OSError as error:
            raise InputError(
                f"the store {self.path} cannot be locked: {error.strerror}; put it on a file system that has locks"
            ) from error

    def _take_in(self) -> None:
        """Learn which points are finished; mend the last line."""
        tail = b""
        for number, (start, line) in enumerate(_lines(self.path), start=1):
            record = _record(line)
            if not line.endswith(b"\n"):
                tail = line
            if record is not None:
                self._check(record, number)
                self._count(record)
            elif tail:
                os.ftruncate(self._file, start)
                self.repaired, tail = len(tail), b""
            else:
                raise InputError(_damaged(self.path, number))
        if tail:  # whole, but for its newline
            os.write(self._file, b"\n")

    def _check(self, record: Record, number: int) -> None:
        study = self.study
        if record.study != study.name:
            raise InputError(
                f"the store {self.path} holds the study {record.study!r}, not {study.name!r}; give another store"
            )
        if record.version != study.version:
            raise InputError(
                f"the store {self.path} holds version {record.version} of the study {study.name!r}, which is now at "
                f"{study.version}: its points would not compare; give a new store and keep this one"
            )
        if record.key != study.key(record.point):
            raise InputError(_damaged(self.path, number))

    def _count(self, record: Record) -> None:
        if record.failure is None:
            self.done.add(record.key)
            self.failed.discard(record.key)
        else:
            self.failed.add(record.key)


_OPEN: weakref.WeakSet[Store] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child, such as the worker of a pool that forks: it would hold the lock after the end of its parent."""
    for store in _OPEN:
        store.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def _damaged(path: Path, number: int) -> str:
    return (
        f"line {number} of the store {path} is damaged; delete that line, keeping a copy of the file: its point is then "
        "computed again"
    )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each line."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            yield offset, line
            offset += len(line)


def read_records(path: str | os.PathLike[str]) -> list[Record]:
    """The last record of every point of a store, in the order of the keys; also while a run is writing it.

    Raises
    ------
    InputError
        If the file is not there or a line other than the last is damaged.
    """
    file, latest = Path(path), {}
    try:
        for number, (_, line) in enumerate(_lines(file), start=1):
            record = _record(line)
            if record is not None:
                latest[record.key] = record
            elif line.endswith(b"\n"):
                raise InputError(_damaged(file, number))
    except OSError as error:
        raise InputError(f"cannot read the store {file}: {error.strerror}; give the file of a sweep") from error
    return [latest[key] for key in sorted(latest)]
