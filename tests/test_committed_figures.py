"""The gallery that is committed is the one that the package draws: data, captions, and pictures where versions agree."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from hippo_theory.figures import load_figures, write_figures

GALLERY = Path(__file__).parents[1] / "figures"
MANIFEST = GALLERY / "manifest.json"


def records(folder: Path) -> dict[str, dict]:
    return {record["figure"]: record for record in json.loads((folder / "manifest.json").read_text())["figures"]}


def stored(folder: Path, record: dict) -> dict[str, np.ndarray]:
    path = folder / record["files"][-1]
    if path.suffix == ".npz":
        with np.load(path) as file:
            return dict(file)
    table = np.genfromtxt(path, delimiter=",", names=True)
    return {name: table[name] for name in table.dtype.names}


def test_every_figure_is_committed_with_its_files():
    found = records(GALLERY)
    assert set(found) == set(load_figures())
    page = (GALLERY / "README.md").read_text(encoding="utf-8")
    for id, record in found.items():
        assert all((GALLERY / name).is_file() for name in record["files"]), id
        assert record["caption"] in page and f"]({id}.png)" in page
        assert record["alternative"] == load_figures()[id].alternative


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    write_figures([], folder)
    return folder


@pytest.mark.heavy
@pytest.mark.parametrize("id", sorted(load_figures()))
def test_the_committed_data_are_those_computed_now(drawn, id):
    ours, theirs = records(drawn)[id], records(GALLERY)[id]
    for key in ("title", "caption", "source", "function", "parameters", "units", "digits", "files"):
        assert ours[key] == theirs[key], f"{key}: run `hippo figures {id} --out figures`"
    if ours["data_sha256"] == theirs["data_sha256"]:
        return
    # Another processor may round a number at the edge of a digit: the numbers themselves decide.
    fresh, committed = stored(drawn, ours), stored(GALLERY, theirs)
    assert set(fresh) == set(committed)
    for name, values in fresh.items():
        scale = np.max(np.abs(values), initial=0, where=np.isfinite(values))
        # One unit of the last digit that is hashed, of each number or of the largest.
        np.testing.assert_allclose(
            committed[name], values, rtol=10.0 ** (1 - ours["digits"]), atol=10.0 ** (1 - ours["digits"]) * scale
        )


@pytest.mark.heavy
@pytest.mark.parametrize("id", sorted(load_figures()))
def test_the_committed_pictures_are_those_drawn_now(drawn, id):
    """Only with the matplotlib that drew the committed ones; that of the continuous checks is pinned to it by the file."""
    pinned = json.loads(MANIFEST.read_text())["versions"]["matplotlib"]
    if version("matplotlib") != pinned:
        assert (
            version("matplotlib") != pinned
        )  # other versions draw letters and ticks otherwise: data alone are compared
        return
    with Image.open(drawn / f"{id}.png") as ours, Image.open(GALLERY / f"{id}.png") as theirs:
        frames = zip(ImageSequence.Iterator(ours), ImageSequence.Iterator(theirs), strict=True)
        for place, (a, b) in enumerate(frames):
            first, second = (np.asarray(frame.convert("RGB"), dtype=int) for frame in (a, b))
            assert first.shape == second.shape
            # A line may fall on the other side of a pixel on another processor: at most one pixel in a thousand.
            assert np.mean(np.abs(first - second).max(axis=2) > 16) < 1e-3, f"frame {place}"
