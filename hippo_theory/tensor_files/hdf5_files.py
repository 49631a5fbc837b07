"""HDF5 and Keras weights, read in a child process with limits on its memory and time."""

from __future__ import annotations

import atexit
import json
import math
import os
import struct
import subprocess
import sys
import threading
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import MissingDependencyError
from hippo_theory.tensor_files.archives import Archive
from hippo_theory.tensor_files.entries import (
    DTYPE_NAMES,
    MAX_HEADER_BYTES,
    MAX_TENSORS,
    EntryList,
    Notes,
    TensorFile,
    array_from_bytes,
    check_ratio,
    check_shape,
    item_bytes,
    refusal,
    shown,
)

__all__ = ["KERAS_WEIGHTS", "open_hdf5", "open_keras"]

KERAS_WEIGHTS = "model.weights.h5"
# Some damaged files send the C library round in circles. The child starts in a second even on a busy machine; 100,000
# datasets, in a file of 60 MB, are listed in less than a minute, and numbers come from slow disks at 10 MB/s.
SECONDS = 20.0
MOST_LIST_SECONDS = 120.0
LIST_BYTES_PER_SECOND = 2**20
BYTES_PER_SECOND = 10 * 2**20


class _Child:
    """A worker process; it serves one request after the other, and is started anew when it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, path: Path, request: dict[str, Any], out: NDArray[np.uint8] | None, seconds: float) -> Any:
        """The JSON answer; numbers go into `out`."""
        with self._lock:
            process = self._running()
            late = threading.Event()

            def stop() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(seconds, stop)
            timer.daemon = True
            timer.start()
            try:
                return self._exchange(path, process, request, out)
            except (EOFError, BrokenPipeError) as error:
                why = f"took more than {seconds:.0f} s" if late.is_set() else "ended without an answer"
                self._end()
                raise refusal(
                    path, f"damaged: the child process that reads HDF5 {why}, within its limits of memory and time"
                ) from error
            except BaseException:
                self._end()  # it may be in the middle of an answer
                raise
            finally:
                timer.cancel()

    def _exchange(
        self, path: Path, process: subprocess.Popen[bytes], request: dict[str, Any], out: NDArray[np.uint8] | None
    ) -> Any:
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        filled = 0
        while True:
            kind, length = struct.unpack("<cQ", self._exactly(process, 9))
            if kind == b"D":
                if out is None or filled + length > len(out):
                    raise refusal(path, "returned more numbers than its shape says: damaged")
                self._into(process, out.data[filled : filled + length])
                filled += length
                continue
            if length > 4 * MAX_HEADER_BYTES:
                raise refusal(path, f"has a list of datasets of {length} bytes; split the file")
            answer = json.loads(self._exactly(process, length))
            if kind == b"J":
                if out is not None and filled != len(out):
                    raise refusal(path, "returned fewer numbers than its shape says: damaged")
                return answer
            prefix = "" if kind == b"E" else "damaged, or no HDF5: "
            return refusal(path, prefix + shown(answer))

    @staticmethod
    def _into(process: subprocess.Popen[bytes], view: memoryview) -> None:
        assert process.stdout is not None
        done = 0
        while done < len(view):
            count = process.stdout.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            done += count

    def _exactly(self, process: subprocess.Popen[bytes], count: int) -> bytes:
        buffer = bytearray(count)
        self._into(process, memoryview(buffer))
        return bytes(buffer)

    def _running(self) -> subprocess.Popen[bytes]:
        # After a fork the pipes are shared with the parent: the child of the fork starts its own.
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            if find_spec("h5py") is None:
                raise MissingDependencyError('HDF5 and Keras files need h5py: pip install "hippo_theory[files]"')
            environment = {
                **os.environ,
                "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
                "HDF5_PLUGIN_PRELOAD": "::",  # no filters loaded from shared libraries
                "HDF5_USE_FILE_LOCKING": "FALSE",
                "OPENBLAS_NUM_THREADS": "1",  # each thread's buffer counts as memory
            }
            # -P: nothing is imported from the folder of the worker or of the caller.
            command = [sys.executable, "-P", str(Path(__file__).with_name("hdf5_worker.py"))]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
            self._owner = os.getpid()
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()


_CHILD = _Child()
atexit.register(_CHILD.close)


def open_hdf5(path: Path) -> TensorFile:
    """All datasets of numbers that lie in the file itself, under their paths."""
    return _open(path, "hdf5", {}, None)


def open_keras(path: Path, archive: Archive) -> TensorFile:
    """The weights of a Keras 3 model; its layers' code is not looked at."""
    metadata: Any = {}
    if "metadata.json" in archive.members:
        metadata = json.loads(archive.read_small("metadata.json", 2**20))
    pairs = metadata.items() if isinstance(metadata, dict) else ()
    texts = {key: value for key, value in pairs if isinstance(value, str)}
    return _open(path, "keras", texts, archive.window(KERAS_WEIGHTS))


def _open(path: Path, kind: str, metadata: dict[str, str], window: tuple[int, int] | None) -> TensorFile:
    offset, length = window or (None, None)
    place = {"path": str(path.absolute()), "offset": offset, "length": length}
    entries, notes = EntryList(path), Notes()
    size = path.stat().st_size
    seconds = min(SECONDS + size / LIST_BYTES_PER_SECOND, MOST_LIST_SECONDS)
    for found in _ask(path, {**place, "limit": MAX_TENSORS}, None, seconds):
        name, dtype = found["name"], found["dtype"]
        if found["shape"] is None or dtype not in DTYPE_NAMES:
            notes.left_out(name, "it is empty" if found["shape"] is None else f"dtype {shown(dtype)} is not read")
            continue
        shape = check_shape(path, name, found["shape"])
        # Datasets that were never written take no place in the file and read as their fill value.
        check_ratio(path, name, math.prod(shape) * item_bytes(dtype), min(found["stored"], size))
        stated = "bfloat16" if found["stated"] == "bfloat16" and dtype.startswith("float") else dtype
        entries.add(name, stated, shape, partial(_read, path, {**place, "name": name}, dtype, stated, shape))
    return TensorFile(path, kind, metadata, entries.tensors, notes.lines())


def _read(path: Path, request: dict[str, Any], dtype: str, stated: str, shape: tuple[int, ...]) -> NDArray[Any]:
    raw = np.empty(math.prod(shape) * item_bytes(dtype), np.uint8)
    _ask(path, request, raw, SECONDS + len(raw) / BYTES_PER_SECOND)
    numbers = array_from_bytes(raw, dtype, shape)
    if stated != dtype:  # written as a wider type, with the name of the narrow one beside it
        import ml_dtypes

        return numbers.astype(ml_dtypes.bfloat16)
    return numbers


def _ask(path: Path, request: dict[str, Any], out: NDArray[np.uint8] | None, seconds: float) -> Any:
    answer = _CHILD.ask(path, request, out, seconds)
    if isinstance(answer, Exception):
        raise answer
    return answer
