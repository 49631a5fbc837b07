"""The validation report: complete, self-contained, valid markup, and nothing that a file holds is interpreted."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hippo_theory as ht
from hippo_theory.errors import InputError
from hippo_theory.report import advice, grouped, reason, validation_page
from hippo_theory.validation import DEVIATIONS, VERDICTS, FileResult, Finding, Part, Validation, validate
from hippo_theory.validation.comparing import compare, paired
from hippo_theory.validation.stored_systems import parameters_of, reference_of, spectrum_of, tensors_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}{% raw %}"
VOID = {"meta", "img", "br", "link", "input"}


class Checker(HTMLParser):
    """Collects elements, and that each is closed in its place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def trained(seed: int = 0) -> dict[str, Any]:
    lin = ht.initialization("s4d-lin", 32).Lambda
    random = np.random.default_rng(seed)
    return {"layer.Lambda": lin * (1 + 0.05 * random.standard_normal((20, len(lin))))}


def several() -> list[dict[str, Any]]:
    lin = ht.initialization("s4d-lin", 32)
    legs = ht.normal_plus_low_rank(ht.LegS(16))
    return [
        {f"layers.{i}.s4d.Lambda": lin.Lambda for i in range(5)},
        {"Lambda": lin.Lambda - 0.5},
        {"Lambda": legs.Lambda, "P": legs.P, "B": legs.B},
        {"A": ht.LegS(8).A, "B": ht.LegS(8).B},
        trained(),
        {"A_log": np.tile(np.log(np.arange(1, 17)), (4, 1))},
        {"weight": np.ones((3, 5))},
    ]


def page_of(sources: list[dict[str, Any]], **options: Any) -> str:
    files = tuple(file for source in sources for file in validate(source).files)
    return validation_page(Validation(files), sources, **options)


def test_every_finding_and_every_part_is_on_a_page_that_needs_nothing_else():
    sources = several()
    page = page_of(sources)
    checker = Checker(page)
    text = " ".join(checker.text)
    for source in sources:
        for finding in validate(source).files[0].findings:
            assert finding.identified in text
            assert all(name in text for name in finding.parts)
            assert reason(finding).split(": ")[-1] in text
    assert "layers.0-4.s4d" in text and "5 layers" in text
    assert "Holds nothing that is an initialization" in text
    tags = {tag for tag, _ in checker.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "img"}
    for _, attributes in checker.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert not re.search(r"url\((?!#)|@import", page)


def test_it_is_readable_in_light_dark_and_print():
    page = page_of(several()[:1])
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    assert "currentColor" in page and "#010203" not in page  # the plots follow the text


def test_the_spectrum_of_every_diagonal_system_is_drawn_and_no_dense_one():
    assert page_of(several()).count('<svg role="img"') == 5
    assert page_of(several()[3:4]).count("<svg") == 0
    assert "how far each eigenvalue has moved" in page_of([trained()])
    result = validate(several()[0])
    assert "<svg" not in validation_page(result)  # there is nothing to read the numbers from


def test_markup_in_names_paths_and_reasons_is_escaped():
    lin = ht.initialization("s4d-lin", 32)
    arrays = {f"{HOSTILE}.Lambda": lin.Lambda}
    finding = validate(arrays).files[0].findings[0]
    part = Part("deviates", why=HOSTILE)
    strange = Finding((HOSTILE,), HOSTILE, HOSTILE, "unknown", HOSTILE, None, 1, 1, {HOSTILE: part}, why=HOSTILE)
    files = (FileResult(HOSTILE, (finding, strange)), FileResult(HOSTILE, error=HOSTILE))
    pair = paired([finding], tensors_of(arrays), [finding], tensors_of(arrays))
    page = validation_page(
        Validation(files), [arrays, arrays], answer=HOSTILE, comparison=[(HOSTILE, list(pair))], reference=HOSTILE
    )
    checker = Checker(page)
    tags = {tag for tag, _ in checker.elements}
    assert not tags & {"script", "img"}
    assert not any(name.startswith("on") for _, attributes in checker.elements for name in attributes)
    assert "{{ 7 * 7 }}" in page and "alert(1)" in " ".join(checker.text)


def test_control_characters_are_shown_not_sent():
    arrays = {"\x1b[31m\u202e\x00.Lambda": ht.initialization("s4d-lin", 32).Lambda}
    page = validation_page(validate(arrays), [arrays])
    assert not set(page) & {"\x1b", "\u202e", "\x00"}
    assert "\\x1b[31m\\u202e\\x00" in page


def test_the_same_input_gives_the_same_page():
    assert page_of(several()[2:3]) == page_of(several()[2:3])


def test_a_file_that_is_gone_leaves_the_page_without_a_plot(tmp_path: Path):
    np.savez(tmp_path / "a.npz", **several()[1])
    result = validate(tmp_path / "a.npz")
    (tmp_path / "a.npz").unlink()
    page = validation_page(result, [tmp_path / "a.npz"])
    assert "s4d-lin" in page and "<svg" not in page


def test_numbers_that_are_not_finite_draw_nothing():
    arrays = {"Lambda": ht.initialization("s4d-lin", 32).Lambda.copy()}
    arrays["Lambda"][3] = np.nan
    page = validation_page(validate(arrays), [arrays])
    assert "deviates" in page and "<svg" not in page


def test_sources_must_be_as_many_as_files():
    with pytest.raises(InputError, match="1 files, got 2"):
        validation_page(validate(trained()), [trained(), trained()])


def test_plots_are_limited_and_the_page_says_so(monkeypatch):
    from hippo_theory.report import pages

    monkeypatch.setattr(pages, "_PLOTS", 2)
    page = page_of([several()[1]] * 3)
    assert page.count("<svg role") == 2
    assert "Only the first 2 spectra are drawn" in page


def test_a_comparison_has_a_line_for_each_pair():
    one, other = {"Lambda": ht.initialization("s4d-lin", 32).Lambda}, several()[2]
    both = compare(one, other)
    page = validation_page(Validation((both.source,)), [one], comparison=[("one", both.pairs)], reference="other")
    assert "Against other" in page
    assert "only the reference holds this" in page


# --- the numbers behind the plots --------------------------------------------------------------------------------------


def test_the_spectrum_drawn_is_the_one_judged():
    for source in several()[:3]:
        finding = validate(source).files[0].findings[0]
        parameters = parameters_of(finding, tensors_of(source))
        assert parameters is not None
        spectrum = spectrum_of(finding, parameters)
        assert spectrum is not None and spectrum.truth is not None
        scale = np.where(spectrum.truth == 0, 1, np.abs(spectrum.truth))
        error = float((np.abs(spectrum.values - spectrum.truth) / scale).max())
        assert error == pytest.approx(finding.parts["Lambda"].max_relative_error, rel=1e-12)


def test_of_mixed_starts_each_finding_draws_its_own():
    lin, inv = (ht.initialization(name, 32).Lambda for name in ("s4d-lin", "s4d-inv"))
    arrays = {"layer.Lambda": np.stack([lin, inv, lin, inv])}
    for finding in validate(arrays).files[0].findings:
        spectrum = spectrum_of(finding, parameters_of(finding, tensors_of(arrays)))
        assert len(spectrum.values) == 1
        assert np.abs(spectrum.values[0] - spectrum.truth).max() < 1e-12


def test_equal_blocks_have_the_reference_of_one_block():
    block = ht.LegS(8).normal_spectrum()[:4]
    arrays = {
        "Lambda_re": np.tile(block.real, 3),
        "Lambda_im": np.tile(block.imag, 3),
        "B": np.ones((12, 5, 2)),
        "log_step": np.full((12, 1), -4.0),
    }
    finding = validate(arrays).files[0].findings[0]
    reference, blocks = reference_of(finding)
    assert (reference.N, blocks) == (8, 3)
    spectrum = spectrum_of(finding, parameters_of(finding, tensors_of(arrays)))
    assert np.abs(spectrum.values - spectrum.truth).max() < 1e-12


# --- layers taken together ---------------------------------------------------------------------------------------------


def finding(layer: str, identified: str = "s4d-lin", **changes: Any) -> Finding:
    parts = {"Lambda": Part("exact", 1e-8, 0.5)}
    values = {"convention": "default", "N": 64, "stored": 32, "heads": 4, "parts": parts, **changes}
    return Finding((f"{layer}Lambda",), layer, "diagonal", identified, **values)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (["a.0.k.", "a.1.k.", "a.2.k."], ["a.0-2.k"]),
        (["a.10.k.", "a.9.k.", "a.11.k."], ["a.9-11.k"]),
        (["a.0.k.", "a.2.k."], ["a.0.k", "a.2.k"]),
        (["a.0.0.", "a.0.1.", "a.1.0.", "a.1.1."], ["a.0.0-1", "a.1.0-1"]),
        (["a.0.0.", "a.0.1.", "a.1.1."], ["a.0.0-1", "a.1.1"]),
        (["a.0.k.", "b.1.k."], ["a.0.k", "b.1.k"]),
        ([""], [""]),
        (["a/0/k/", "a/1/k/"], ["a/0-1/k"]),
    ],
)
def test_consecutive_layers_are_one_line(layers, expected):
    assert [group.layer for group in grouped(finding(layer) for layer in layers)] == expected


def test_layers_with_several_findings_each_make_as_many_lines():
    findings = [finding(f"a.{i}.", id) for i in range(4) for id in ("s4d-lin", "s4d-inv")]
    assert [(group.layer, group.worst.identified) for group in grouped(findings)] == [
        ("a.0-3", "s4d-lin"),
        ("a.0-3", "s4d-inv"),
    ]


def test_what_differs_in_more_than_numbers_is_not_taken_together():
    other = {"parts": {"Lambda": Part("deviates", 1e-8, 0.5, cause="sign")}}
    findings = [finding("a.0."), finding("a.1.", **other), finding("a.2."), finding("a.3.", N=32)]
    assert [group.layer for group in grouped(findings)] == ["a.0", "a.1", "a.2", "a.3"]


def test_the_worst_of_a_group_is_the_one_shown():
    far = {"parts": {"Lambda": Part("exact", 1e-3, 0.7)}}
    (group,) = grouped([finding("a.0."), finding("a.1.", **far), finding("a.2.")])
    assert group.worst.layer == "a.1." and group.ulps == 0.7


# --- advice ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_every_known_deviation_has_advice(deviation):
    part = Part("rounding" if deviation == "D16" else "known-deviation", deviation=deviation)
    (sentence,) = advice([finding("a.0.", parts={"Lambda": part})])
    assert sentence.startswith(f"{deviation}: {DEVIATIONS[deviation]}. ")


def test_every_verdict_is_explained_on_the_page():
    text = page_of(several()[:1])
    assert all(f">{verdict}</dt>" in text for verdict in VERDICTS)
