"""Models that Hugging Face really builds, saved by its own code, and validated from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hippo_theory.cli import main
from hippo_theory.testing import assert_initialization
from hippo_theory.validation import validate

pytestmark = pytest.mark.heavy

STATE_SIZE, HEADS = 16, 4


def saved_model(folder: Path, name: str, dtype: str = "float32", **options: Any) -> Path:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    sizes = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 3, "state_size": STATE_SIZE}
    config = getattr(transformers, f"{name}Config")(**sizes, **options)
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ["Mamba", "FalconMamba"])
def test_mamba_is_s4d_real_and_exact(tmp_path: Path, name: str):
    folder = saved_model(tmp_path, name)
    assert_initialization(folder, "mamba-real", N=STATE_SIZE, verdict="exact")
    (file,) = validate(folder).files
    assert len(file.findings) == 3
    assert all(finding.heads == 32 for finding in file.findings)
    assert all("log-uniform" in finding.parts["step"].why for finding in file.findings)


def test_mamba_in_bfloat16_is_explained_by_its_dtype(tmp_path: Path):
    folder = saved_model(tmp_path, "Mamba", "bfloat16")
    assert_initialization(folder, "mamba-real", N=STATE_SIZE, verdict="rounding")
    assert {finding.deviation for finding in validate(folder).files[0].findings} == {"D16"}


def test_mamba2_counts_its_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = saved_model(tmp_path, "Mamba2", num_heads=HEADS, head_dim=8, n_groups=1)
    (file,) = validate(folder).files
    assert [(f.identified, f.verdict, f.deviation, f.heads) for f in file.findings] == [
        ("mamba2", "known-deviation", "D15", HEADS)
    ] * 3
    capsys.readouterr()  # what transformers printed
    assert main(["validate", str(folder), "--expect", "mamba2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["expected"]) == ("known-deviation", True)


def test_a_model_whose_sign_was_lost_is_found(tmp_path: Path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    folder = saved_model(tmp_path, "Mamba")
    model = transformers.MambaForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for layer in model.backbone.layers:
            layer.mixer.A_log.neg_()  # A_log = -log n: A = -1/n
    model.save_pretrained(folder)
    with pytest.raises(AssertionError, match=r"layers\.2\.mixer"):
        assert_initialization(folder, "mamba-real")
