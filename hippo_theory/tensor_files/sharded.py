"""Models sharded over several files of one folder, with a JSON index of which file holds which tensor."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from hippo_theory.tensor_files.entries import (
    MAX_HEADER_BYTES,
    TensorEntry,
    TensorFile,
    check_count,
    refusal,
    shown,
)
from hippo_theory.tensor_files.safetensors_files import without_doubles

__all__ = ["INDEX_SUFFIXES", "open_sharded", "shards_of", "stays_inside"]

INDEX_SUFFIXES = (".safetensors.index.json", ".bin.index.json")
MAX_SHARDS = 10_000  # a model of 5 GB shards would have 50 TB


def open_sharded(path: Path, open_one: Callable[[Path], TensorFile]) -> TensorFile:
    """All tensors that the index names, in its order; shards are opened by `open_one`."""
    weight_map, metadata = _index(path)
    shards: dict[str, TensorFile] = {}
    for shard in sorted(set(weight_map.values())):
        shards[shard] = open_one(_shard(path, shard))
        check_count(path, sum(len(opened.tensors) for opened in shards.values()))
    tensors: dict[str, TensorEntry] = {}
    for name, shard in weight_map.items():
        if name not in shards[shard].tensors:
            raise refusal(
                path, f"names tensor {shown(name)} in {shown(shard)}, which does not hold it; save the model anew"
            )
        tensors[name] = shards[shard].tensors[name]
    notes = [note for shard in shards.values() for note in shard.notes]
    unnamed = sum(len(shard.tensors) for shard in shards.values()) - len(tensors)
    if unnamed:
        notes.append(f"left out: {unnamed} tensors of the shards that the index does not name")
    formats = sorted({shard.format for shard in shards.values()})
    if len(formats) > 1:
        raise refusal(path, f"its shards are of different formats ({', '.join(formats)})")
    return TensorFile(path, formats[0] if formats else "safetensors", metadata, tensors, tuple(notes))


def shards_of(path: Path) -> list[Path]:
    """The files, all inside the folder, that an index names."""
    return [_shard(path, name) for name in sorted(set(_index(path)[0].values()))]


def _index(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    size = path.stat().st_size
    if size > MAX_HEADER_BYTES:
        raise refusal(path, f"is an index of {size} bytes; at most {MAX_HEADER_BYTES} are read")
    index = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=partial(without_doubles, path))
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not all(isinstance(shard, str) for shard in weight_map.values()):
        raise refusal(path, "has no weight_map from tensors to files: it is no index of a sharded model")
    check_count(path, len(weight_map))
    if len(set(weight_map.values())) > MAX_SHARDS:
        raise refusal(path, f"names more than {MAX_SHARDS} files")
    metadata = index.get("metadata")
    pairs = metadata.items() if isinstance(metadata, dict) else ()
    return weight_map, {key: str(value) for key, value in pairs if isinstance(value, str | int | float)}


def _shard(index: Path, name: str) -> Path:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if not name.isprintable() or posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise refusal(index, f"names the file {shown(name)}; shards lie in the folder of their index")
    shard = index.parent / name
    if not stays_inside(shard, index.parent):
        raise refusal(index, f"names {shown(name)}, which leads out of its folder; copy the file into the folder")
    return shard


def stays_inside(file: Path, folder: Path) -> bool:
    """Whether a file, after all symbolic links, lies in the folder, or in the store to which Hugging Face's cache links."""
    real = file.resolve()
    return any(real.is_relative_to(root) for root in (folder.resolve(), *_stores(folder)))


def _stores(folder: Path) -> list[Path]:
    # The cache keeps models/snapshots/REVISION/FILE as links to models/blobs/HASH.
    full = folder.resolve()
    return [place.parent / "blobs" for place in (full, *full.parents) if place.name == "snapshots"]
