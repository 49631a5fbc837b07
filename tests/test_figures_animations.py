"""Animations: what is registered, the files, and the data of both against dense matrices and the closed forms."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
import scipy.linalg
from matplotlib.figure import Figure
from PIL import Image

from hippo_theory.errors import InputError
from hippo_theory.families import LegS
from hippo_theory.figures import FIGURES, AnimationEntry, load_figures, write_figures
from hippo_theory.figures.drawing import animation_bytes
from hippo_theory.figures.reconstructions import band_limited_noise
from hippo_theory.figures.registry import animation

EPS = np.finfo(float).eps


def tiny(**changes):
    """A registered animation of a moving point, taken out of the registry again."""

    def compute(*, count: int = 4):
        return {"x": np.linspace(0, 1, count)}

    def draw(panels, data, index):
        panels[0].plot(data["x"][index], data["x"][index], "o", color="red")
        # a label that appears late would push axes that are laid out anew
        panels[0].set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1), ylabel="late" if index else "")

    texts = {"title": "T", "caption": "C", "alternative": "A", "source": "S"}
    options = {**texts, "units": {"x": "1"}, "frames": 4, "data": compute, "size": (2, 1.5), **changes}
    animation("tiny", **options)(draw)
    return FIGURES.pop("tiny")


def test_an_animation_is_written_frame_by_frame_and_the_same_twice():
    entry = tiny()
    assert isinstance(entry, AnimationEntry) and entry.parameters == {"count": 4}
    first, second = (animation_bytes(entry, entry.data()) for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    with Image.open(BytesIO(first)) as image:
        assert image.n_frames == 4 and image.size == (200, 150)
        frames = []
        for index in range(4):
            image.seek(index)
            frames.append(np.array(image.convert("RGB")))
            assert image.info["duration"] == (1500 if index == 0 else 150)
    red = [(frame[..., 0] > 200) & (frame[..., 1] < 60) for frame in frames]
    assert max(dots.sum() for dots in red) < 1.3 * min(dots.sum() for dots in red)  # one dot in each: none stays behind
    assert not (red[0] & red[1]).any()
    spines = [(frame.max(axis=2) < 60).sum(axis=0).argmax() for frame in frames]
    assert len(set(spines)) == 1  # the axes do not move


def test_what_cannot_be_registered_is_refused():
    with pytest.raises(InputError, match="tiny has 1 frames"):
        tiny(frames=1)
    with pytest.raises(InputError, match="tiny has no caption"):
        tiny(caption=" ")
    with pytest.raises(InputError, match="no unit"):
        tiny(units={}).data()
    animations = [id for id, entry in load_figures().items() if isinstance(entry, AnimationEntry)]
    assert sorted(animations) == ["arriving-signal", "growing-kernels"]


def test_files_are_written_with_their_record(tmp_path):
    units = {"x": "1", "last": "1"}
    FIGURES["tiny"] = tiny(
        caption="up to <last:.1f>", units=units, data=lambda: {"x": np.linspace(0, 0.5, 4), "last": np.array(0.5)}
    )
    try:
        (drawn,) = write_figures(["tiny"], tmp_path, processes=1)
    finally:
        del FIGURES["tiny"]
    assert drawn.files == ("tiny.png", "tiny.npz") and drawn.caption == "up to 0.5"
    assert len(drawn.data_sha256) == 64
    assert {path.name for path in tmp_path.iterdir()} == {*drawn.files, "manifest.json", "README.md"}


def test_what_legt_and_legs_know_of_the_arriving_signal():
    data = load_figures()["arriving-signal"].data(N=10, length=2, rate=256, highest=4, moments=4, seed=5)

    def signal(t):
        return band_limited_noise(t, highest=4, seed=5, period=2.0)

    # after half a unit LegS holds the best polynomial of degree below 10 on what has come: least squares on the signal
    for place, now in enumerate(data["now"]):
        t = (now - 0.5 / 256) * data["share"]
        basis = np.polynomial.legendre.legvander(2 * data["share"] - 1, 9)
        best = basis @ np.linalg.lstsq(basis, signal(t), rcond=None)[0]
        # quadrature at 160 points against the integral, and the recurrence: both N^2/L^2 of about 100/128^2
        assert np.abs(data["read_legs"][place] - best).max() < 0.05 * np.abs(best).max()
        assert abs(data["error_legs"][place] - np.sqrt(np.mean((data["read_legs"][place] - signal(t)) ** 2))) < 1e-12
    assert data["last_legt"] < 0.1  # two periods in the window, ten coefficients
    inside = np.sqrt(np.mean((data["read_legt"][-1] - signal(2 - data["age"])) ** 2))
    assert abs(data["last_legt"] - inside) < 1e-12


def test_growing_kernels_against_dense_matrices():
    data = load_figures()["growing-kernels"].data(sizes=(4, 8), step=Fraction(1, 20), component=0)
    for place, N in enumerate((4, 8)):
        legs = LegS(N)
        S = legs.A + legs.P @ legs.P.T
        transition = scipy.linalg.expm(S / 20)
        held = np.linalg.solve(S, (transition - np.eye(N)) @ legs.B / 2) * 20
        for lag in (0, 1, 30):
            power = np.linalg.matrix_power(transition, lag)
            # up to fifty products of a contraction, and a division by the step
            assert abs(data["diagonal_sampled"][place, lag] - (power @ legs.B / 2)[0]) < 1e4 * EPS
            assert abs(data["diagonal_zoh"][place, lag] - (power @ held)[0]) < 1e5 * EPS
        # 1/4 - 1/(2 N^2) is the squared distance for component 0
        assert abs(data["exact"][place] ** 2 - (0.25 - 0.5 / N**2)) < 4 * EPS
        gap = data["diagonal_zoh"][place] - data["full_zoh"]
        assert abs(data["distance_zoh"][place] ** 2 - (gap**2).sum() / 20) < 16 * EPS
    np.testing.assert_allclose(data["full_sampled"], np.exp(-data["time"]), rtol=16 * EPS)


def test_the_first_frame_is_the_last_moment():
    entry = load_figures()["growing-kernels"]
    data = entry.data(sizes=(4, 8, 12), step=Fraction(1, 20), component=0)
    titles = []
    for index in range(3):
        panels = Figure().subplots(1, 3)
        entry.draw_frame(panels, data, index)
        titles.append(panels[0].get_title())
    assert titles == [f"sampled, $N={N}$" for N in (12, 4, 8)]


@pytest.mark.heavy
def test_the_animations_are_small_and_start_with_their_last_moment(tmp_path):
    for drawn in write_figures(["arriving-signal", "growing-kernels"], tmp_path):
        entry, path = load_figures()[drawn.id], tmp_path / drawn.files[0]
        assert path.stat().st_size < 3_000_000
        with Image.open(path) as image:
            assert 20 <= image.n_frames == entry.frames <= 60
            image.seek(0)
            shown = np.array(image.convert("RGB"))
            image.seek(entry.frames - 1)
            assert not np.array_equal(shown, np.array(image.convert("RGB")))
        assert sum(values.size for values in entry.data().values()) <= 20_000
