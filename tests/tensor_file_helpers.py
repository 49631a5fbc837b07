"""What the tests of files of tensors share: how a refusal reads, and headers made by hand."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from hippo_theory.errors import TensorFileError
from hippo_theory.tensor_files import (
    open_tensors,
)


def needs_torch_for(name):
    if name.startswith("pytorch"):
        pytest.importorskip("torch")


def bits(array):
    return array.dtype, array.shape, np.ascontiguousarray(array).tobytes()


def refused(path):
    """The one line of the error with which a file is refused."""
    with pytest.raises(TensorFileError) as caught:
        [entry.read() for entry in open_tensors(path).tensors.values()]
    assert str(caught.value).isprintable()
    return str(caught.value)


def safetensors_with(path, header, data=bytes(16)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def described(shape, begin, stop, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, stop]}


def sparse_file(path, head, size):
    """A file that takes no place on the disk however long it is."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path
