"""Zip archives, of which nothing is unpacked before it is clear how much it is."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from hippo_theory.tensor_files.entries import MAX_HEADER_BYTES, check_count, check_ratio, refusal, shown

__all__ = ["Archive", "unpacked"]

_ENCRYPTED = 0x1
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature ... length of the name, of the extra field
_BLOCK = 2**20  # bytes unpacked at once


class _BoundedReads(io.FileIO):
    """A file that does not return more at once than a directory may take: `zipfile` reads that in one piece."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > MAX_HEADER_BYTES:
            raise ValueError(f"a directory of {size} bytes; at most {MAX_HEADER_BYTES} are read")
        return super().read(size)


class Archive:
    """An open zip archive with plain or deflated members, none encrypted, doubled, overlapping or a bomb."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _BoundedReads(path)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.members = {info.filename: info for info in self._zip.infolist()}
            self._check()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def _check(self) -> None:
        infos = self._zip.infolist()
        check_count(self.path, len(infos))
        if len(self.members) != len(infos):
            raise refusal(self.path, "holds two members of the same name")
        packed, size = sum(info.compress_size for info in infos), os.fstat(self._file.fileno()).st_size
        if packed > size:
            raise refusal(
                self.path, f"its members take {packed} bytes, the file has {size}: they overlap or are cut off"
            )
        for info in infos:
            if info.flag_bits & _ENCRYPTED:
                raise refusal(self.path, f"member {shown(info.filename)} is encrypted; save it without a password")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise refusal(self.path, f"member {shown(info.filename)} is neither stored nor deflated; save it so")
            if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
                raise refusal(self.path, f"member {shown(info.filename)} has two sizes: damaged")
            check_ratio(self.path, info.filename, info.file_size, info.compress_size)
        check_ratio(self.path, "the archive", sum(info.file_size for info in infos), packed)

    def open(self, name: str) -> IO[bytes]:
        """The member as a stream; reading to its end checks its checksum."""
        return self._zip.open(self.members[name])

    def read_small(self, name: str, limit: int) -> bytes:
        """All of a member, if it is not longer than `limit`."""
        size = self.members[name].file_size
        if size > limit:
            raise refusal(self.path, f"member {shown(name)} has {size} bytes; at most {limit} are read")
        with self.open(name) as stream:
            return stream.read(limit)

    def window(self, name: str) -> tuple[int, int]:
        """Where in the file a member lies that is stored as it is: offset and length."""
        info = self.members[name]
        if info.compress_type != zipfile.ZIP_STORED:
            raise refusal(
                self.path, f"member {shown(name)} is compressed, which its own library never does; save it anew"
            )
        return _start_of_data(self.path, self._file, info), info.file_size


def _start_of_data(path: Path, file: IO[bytes], info: zipfile.ZipInfo) -> int:
    file.seek(info.header_offset)
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    start = info.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)
    if signature != b"PK\x03\x04" or start + info.compress_size > os.fstat(file.fileno()).st_size:
        raise refusal(path, f"member {shown(info.filename)} is cut off")
    return start


def unpacked(path: Path, info: zipfile.ZipInfo) -> NDArray[np.uint8]:
    """All bytes of a member that `Archive` has checked, without reading the directory again for each."""
    raw = np.empty(info.file_size, np.uint8)
    view, filled, packed_left = raw.data, 0, info.compress_size
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if info.compress_type == zipfile.ZIP_DEFLATED else None
    with path.open("rb") as file:
        file.seek(_start_of_data(path, file, info))
        while packed_left and filled < info.file_size:
            block = file.read(min(_BLOCK, packed_left))
            if not block:
                break
            packed_left -= len(block)
            while block and filled < info.file_size:
                piece = inflate.decompress(block, info.file_size - filled) if inflate else block
                view[filled : filled + len(piece)] = piece
                filled += len(piece)
                block = inflate.unconsumed_tail if inflate else b""
    if filled != info.file_size or zlib.crc32(raw.data) != info.CRC:
        raise refusal(path, f"member {shown(info.filename)} is damaged: its length or its checksum differs")
    return raw
