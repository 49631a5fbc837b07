"""The child process that reads HDF5: a damaged file can crash the C library, and then takes only this process along.

Run as a script; it imports nothing of the package. Requests are lines of JSON on standard input,

    {"path": .., "offset": .., "length": ..}                 list the datasets
    {"path": .., "offset": .., "length": .., "name": ..}     the numbers of one, in C order and native byte order

answers are frames on standard output: a letter (J: JSON, D: numbers, E: refused, F: failed), 8 bytes of length, the content.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any

MEMORY_BYTES = 2 * 2**30  # of address space: the libraries take 0.5 GB of it, a chunk and a slab the rest
SLAB_BYTES = 32 * 2**20  # read at once
MAX_DEPTH = 64


class Refused(Exception):
    """The file holds what is not read; the text says why."""


def limit_resources() -> None:
    """Bound memory, and allow no file to be written; where the system has no such limits, the time limit remains."""
    try:
        import resource
    except ImportError:
        return
    for kind, bound in (("RLIMIT_AS", MEMORY_BYTES), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)):
        if hasattr(resource, kind):
            most = resource.getrlimit(getattr(resource, kind))[1]
            allowed = bound if most == resource.RLIM_INFINITY else min(bound, most)
            resource.setrlimit(getattr(resource, kind), (allowed, allowed))


class Window(io.RawIOBase):
    """A part of a file, as a file: the weights inside an archive."""

    # ruff: noqa: D102

    def __init__(self, path: str, offset: int, length: int) -> None:
        self.file = open(path, "rb", buffering=0)  # noqa: SIM115
        self.start, self.size, self.place = offset, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = (0, self.place, self.size)[whence] + offset
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.size - self.place))
        self.file.seek(self.start + self.place)
        done = self.file.readinto(view[:count]) or 0
        self.place += done
        return done

    def close(self) -> None:
        self.file.close()
        super().close()


def datasets(h5py: Any, group: Any, limit: int) -> Iterator[tuple[str, Any]]:
    """All datasets by hard links, each group once."""
    seen, count = set(), 0
    stack = [("", group, 0)]
    while stack:
        prefix, parent, depth = stack.pop()
        info = h5py.h5o.get_info(parent.id)
        if (info.fileno, info.addr) in seen:
            continue
        seen.add((info.fileno, info.addr))
        if depth > MAX_DEPTH or len(parent) > limit:
            raise Refused(f"nests groups deeper than {MAX_DEPTH}, or holds more than {limit} in one; split the file")
        groups = []
        for name in parent:
            kind = parent.id.links.get_info(name.encode("utf-8", "surrogateescape")).type
            if kind == h5py.h5l.TYPE_EXTERNAL:
                raise Refused(f"{prefix}{name} is a link to another file; such files are not followed: copy it in")
            if kind != h5py.h5l.TYPE_HARD:
                continue  # a soft link leads to what is listed under its own name, or out through an external one
            child = parent[name]
            if isinstance(child, h5py.Group):
                groups.append((f"{prefix}{name}/", child, depth + 1))
            elif isinstance(child, h5py.Dataset):
                count += 1
                if count > limit:
                    raise Refused(f"holds more than {limit} datasets; split the file")
                yield f"{prefix}{name}", child
        stack += reversed(groups)


def described(h5py: Any, name: str, dataset: Any) -> dict[str, Any]:
    """What the parent needs to know of a dataset."""
    creation = dataset.id.get_create_plist()
    if creation.get_external_count() or creation.get_layout() == h5py.h5d.VIRTUAL:
        raise Refused(f"{name} keeps its numbers in another file; such files are not followed: copy them in")
    shape, dtype = dataset.shape, dataset.dtype
    stated = dataset.attrs["dtype"] if h5py.h5a.exists(dataset.id, b"dtype") else None
    kind = dtype.newbyteorder("=").name if dtype.kind in "biufc" else f"{dtype.kind}{dtype.itemsize}"
    if kind == "V2" and dtype.names is None and stated == "bfloat16":
        kind = "bfloat16"  # as Keras writes it: two opaque bytes, with the name beside them
    return {
        "name": name,
        "shape": None if shape is None else [int(length) for length in shape],
        "dtype": kind,
        "itemsize": int(dtype.itemsize),
        "stored": int(dataset.id.get_storage_size()),
        "stated": stated if isinstance(stated, str) and len(stated) < 64 else None,
    }


def slabs(shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[Any, ...]]:
    """Indices of parts of at most `SLAB_BYTES`, which follow each other in C order."""
    import numpy as np

    axis, below = len(shape), itemsize
    while axis > 0 and below * shape[axis - 1] <= SLAB_BYTES:
        axis -= 1
        below *= shape[axis]
    if axis == 0:
        yield ()
        return
    step = max(1, SLAB_BYTES // below)
    for index in np.ndindex(*shape[: axis - 1]):
        for start in range(0, shape[axis - 1], step):
            yield (*index, slice(start, min(start + step, shape[axis - 1])))


def main() -> None:
    """Answer requests until standard input ends."""
    limit_resources()
    answers = os.fdopen(os.dup(1), "wb")

    def send(kind: bytes, content: Any) -> None:
        answers.write(kind + struct.pack("<Q", len(content)))
        answers.write(content)
        answers.flush()

    import h5py
    import numpy as np

    key: Any = None
    opened: Any = None
    window: Any = None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            path, offset, length = request["path"], request["offset"], request["length"]
            status = os.stat(path)
            asked = (path, offset, length, status.st_mtime_ns, status.st_size)
            if key != asked or opened is None:
                key = None
                for old in (opened, window):
                    if old is not None:
                        old.close()
                opened = window = None
                if length is None:
                    opened = h5py.File(path, "r")
                else:
                    window = Window(path, offset, length)
                    opened = h5py.File(window, "r")
                key = asked
            if "name" not in request:
                found = [described(h5py, *pair) for pair in datasets(h5py, opened, request["limit"])]
                send(b"J", json.dumps(found).encode())
                continue
            dataset = opened[request["name"]]
            described(h5py, request["name"], dataset)
            native = dataset.dtype.newbyteorder("=")
            for index in slabs(dataset.shape, native.itemsize):
                part = np.ascontiguousarray(dataset[index], dtype=native)
                send(b"D", part.reshape(-1).view(np.uint8).data)
            send(b"J", b"null")
        except Refused as refused:
            send(b"E", json.dumps(str(refused)).encode())
        except Exception as error:  # the library raises anything on a damaged file; the parent makes one error of it
            key = None
            send(b"F", json.dumps(f"{type(error).__name__}: {error}"[:1000]).encode())


if __name__ == "__main__":
    main()
