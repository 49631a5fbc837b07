"""Figures are declared once, come out the same twice, and are shown on one page with their data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flint import acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims import load_claims
from hippo_theory.cli import main
from hippo_theory.errors import InputError
from hippo_theory.families import LegS
from hippo_theory.figures import FIGURES, FigureEntry, data_sha256, draw, find_figures, load_figures, write_figures
from hippo_theory.figures.registry import figure

EPS = np.finfo(float).eps
IDS = sorted(load_figures())


def entry(**changes):
    def compute(panels, *, slope=2.0):
        x = np.linspace(0, 1, 5)
        if panels is not None:
            panels[0].plot(x, slope * x)
        return {"x": x, "line": slope * x, "slope": np.array(slope)}

    values = {
        "id": "a-line",
        "title": "A line",
        "caption": "The slope is <slope:.2f>, and $x<y$.",
        "alternative": "A rising line.",
        "source": "derived here",
        "panels": (1, 1),
        "size": (3.0, 2.0),
        "units": {"x": "1", "line": "1", "slope": "1"},
        "digits": 12,
        "axes": {},
        "compute": compute,
    }
    return FigureEntry(**{**values, **changes})


def test_a_figure_knows_its_parameters_and_fills_in_its_caption():
    one = entry()
    assert one.parameters == {"slope": 2.0}
    assert one.caption_text(one.data()) == "The slope is 2.00, and $x<y$."
    assert one.caption_text(one.data(slope=3.5)) == "The slope is 3.50, and $x<y$."


def test_an_array_without_a_unit_is_an_error():
    with pytest.raises(InputError, match=r"a-line declares no unit for 'slope'"):
        entry(units={"x": "1", "line": "1"}).data()


def test_the_longest_beginning_gives_the_unit():
    one = entry(units={"error": "seconds", "error_relative": "1"})
    assert (one.unit("error_64"), one.unit("error_relative_64")) == ("seconds", "1")


def test_registration_refuses_duplicates_and_empty_texts():
    texts = {"caption": "c", "alternative": "a", "source": "s", "units": {}}
    with pytest.raises(InputError, match="registered twice"):
        figure(IDS[0], title="t", **texts)(lambda panels: {})
    with pytest.raises(InputError, match="has no title"):
        figure("no-title", title=" ", **texts)(lambda panels: {})
    assert "no-title" not in FIGURES


def test_unknown_ids_name_near_ones():
    with pytest.raises(InputError, match=r"no figure 'eigenvalue'; there are .*eigenvalue-asymptotics"):
        find_figures(["eigenvalue"])


def test_the_hash_sees_the_last_stated_digit_and_not_more():
    base = {"x": np.array([1.0, -0.0, 1e-20]), "n": np.array([3])}
    assert data_sha256(base) == data_sha256({"n": base["n"], "x": np.array([1.0 + 1e-14, 0.0, 1e-20])})
    for changed in ({"x": np.array([1.0, 0.0, 1.00000000001e-20])}, {"n": np.array([4])}, {"x": base["x"][:2]}):
        assert data_sha256({**base, **changed}) != data_sha256(base)
    assert data_sha256(base, digits=3) == data_sha256({**base, "x": np.array([1.0001, 0.0, 1e-20])}, digits=3)


def test_two_runs_write_the_same_bytes(tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        (drawn,) = write_figures(["eigenvalue-asymptotics"], folder, processes=1)
    names = {path.name for path in folders[0].iterdir()}
    assert names == {*drawn.files, "manifest.json", "README.md"}
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    manifest = json.loads((folders[0] / "manifest.json").read_text())
    assert manifest["figures"][0]["data_sha256"] == drawn.data_sha256
    assert str(tmp_path) not in (folders[0] / "manifest.json").read_text()


def test_figures_drawn_before_stay_on_the_page(tmp_path):
    write_figures(["eigenvalue-asymptotics"], tmp_path, processes=1)
    other = next(id for id in IDS if id != "eigenvalue-asymptotics")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["figures"][0]["figure"] = other  # as if another one had been drawn before
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    write_figures(["eigenvalue-asymptotics"], tmp_path, processes=1)
    shown = [record["figure"] for record in json.loads((tmp_path / "manifest.json").read_text())["figures"]]
    assert sorted(shown) == sorted([other, "eigenvalue-asymptotics"])


def test_a_page_that_is_no_gallery_is_not_lost(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(InputError, match="is not a gallery"):
        write_figures(["eigenvalue-asymptotics"], tmp_path, processes=1)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_verb_writes_only_where_it_is_told(tmp_path, capsys):
    assert main(["figures", "eigenvalue-asymptotics"]) == 2
    assert "--out" in capsys.readouterr().err
    assert main(["figures", "no-such-figure", "--out", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()
    capsys.readouterr()
    assert main(["figures", "eigenvalue-asymptotics", "--out", str(tmp_path / "x"), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["figures"]
    assert record["id"] == "eigenvalue-asymptotics" and len(record["files"]) == 4
    assert (tmp_path / "x" / "eigenvalue-asymptotics.pdf").read_bytes().startswith(b"%PDF")


def test_claims_name_figures_that_there_are():
    named = {claim.figure for claim in load_claims().values() if claim.figure is not None}
    assert named <= set(IDS), named - set(IDS)


@pytest.mark.parametrize("id", IDS)
def test_every_caption_can_be_filled_and_every_text_is_plain(id):
    one = load_figures()[id]
    assert one.function.startswith("hippo_theory.figures.")
    assert "$" not in one.alternative and "\\" not in one.alternative
    assert one.caption.count("$") % 2 == 0
    assert one.size[0] <= 7.5


def test_eigenvalue_asymptotics_against_a_certified_eigensolver():
    data = load_figures()["eigenvalue-asymptotics"].data(largest=64)
    N = 16
    with balls(200).work():
        values = acb_mat(LegS(N).normal_part(balls(200)).tolist()).eig()
        top = max((value.imag for value in values), key=lambda ball: float(ball.mid()))
        remainder = float(top - arb(N * N) / arb.pi())
    place = data["size"].tolist().index(N)
    # Two roundings of a number near 1/2.
    assert abs(data["remainder_0"][place] - remainder) < 2 * EPS
    assert abs(data["error_1"][place] - abs(remainder)) < 2 * EPS
    slopes = np.diff(np.log(data["error_4"])) / np.diff(np.log(data["size"]))
    assert abs(slopes[-1] + 6) < 0.1  # O(N^-6), with a relative correction of order N^-2


def test_what_is_drawn_is_what_is_returned():
    drawn, data = draw(load_figures()["eigenvalue-asymptotics"], largest=64)
    line = drawn.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), data["remainder_0"])
