"""Parameters of other codebases: their kernels from our modules, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hippo_theory
from hippo_theory.errors import InputError

torch = pytest.importorskip("torch", reason="needs torch")
ht = pytest.importorskip("hippo_theory.torch", reason="needs torch")

pytestmark = pytest.mark.torch

GOLDEN = Path(hippo_theory.__file__).resolve().parents[2] / "shared" / "golden"
S4, DSS = GOLDEN / "state-spaces-s4-v4", GOLDEN / "ag1988-dss"
EPS = 2.0**-23


def needs(path):
    if not path.exists():
        pytest.skip("needs ../shared")
    return str(path)


# The kernels stored beside the checkpoints were computed by their own code in float32, which loses some digits: c eps of
# the largest value, c from what float32 costs in each algorithm (Cauchy sums and the softmax lose most).
@pytest.mark.parametrize(
    ("folder", "stem", "module", "c"),
    [
        (S4, "SSMKernelDiag_diag-legs_N64", "S4DKernel", 64),
        (S4, "SSMKernelDiag_diag-lin_N8", "S4DKernel", 64),
        (S4, "SSMKernelDiag_diag-real_N16", "S4DKernel", 64),
        (S4, "minimal_S4DKernel_N64", "S4DKernel", 64),
        (S4, "SSMKernelDPLR_legs_N64", "S4Kernel", 200),
        (S4, "SSMKernelDPLR_legt_N8", "S4Kernel", 200),
        (S4, "SSMKernelDPLR_fout_N8", "S4Kernel", 1000),
        (S4, "SSMKernelDPLR_lagt_N8", "S4Kernel", 200),
        (DSS, "DSSKernel_exp_hippo_skew_pos_imag_N64", "DSSKernel", 64),
        (DSS, "DSSKernel_softmax_hippo_skew_pos_imag_N8", "DSSKernel", 1000),
    ],
)
def test_loaded_modules_have_the_kernels_of_the_codebases(folder, stem, module, c):
    kernel = ht.from_layout(needs(folder / f"{stem}.safetensors"), dtype=torch.float64)
    expected = np.load(folder / f"{stem}_kernel.npz")["K"].reshape(4, -1)
    assert type(kernel).__name__ == module
    values = kernel(expected.shape[1]).detach().numpy()
    assert np.abs(values - expected).max() <= c * EPS * np.abs(expected).max()
    assert (
        np.abs(1.001 * values - expected).max() > 1000 * EPS * np.abs(expected).max()
    )  # what another factor would show


def test_an_output_that_was_truncated_is_restored():
    """After its first forward pass official S4 stores C (I - Abar^L)."""
    kernel = ht.from_layout(needs(S4 / "SSMKernelDPLR_legs_N8_afterforward.safetensors"), dtype=torch.float64)
    expected = np.load(S4 / "SSMKernelDPLR_legs_N8_kernel.npz")["K"][0]
    assert np.abs(kernel(64).detach().numpy() - expected).max() <= 200 * EPS * np.abs(expected).max()


def test_annotated_s4_is_the_real_part_of_the_kernel_of_all_its_states():
    path = needs(GOLDEN / "annotated-s4" / "S4Layer_H4_N8.msgpack")
    kernel = ht.from_layout(path, dtype=torch.float64)
    from hippo_theory.validation.stored_systems import tensors_of

    stored = {name.split("/")[-1]: tensor.read() for name, tensor in tensors_of(path).items()}
    for channel in range(4):
        Lambda = (stored["Lambda_re"] + 1j * stored["Lambda_im"])[:, channel].astype(complex)
        P, B = (stored[name][:, channel].astype(complex) for name in ("P", "B"))
        C = stored["C"][:, channel, 0] + 1j * stored["C"][:, channel, 1]
        A, dt, identity = (
            np.diag(Lambda) - np.outer(P, P.conj()),
            np.exp(float(stored["log_step"][0, channel])),
            np.eye(8),
        )
        inverse = np.linalg.inv(identity - dt / 2 * A)
        Abar, state, expected = inverse @ (identity + dt / 2 * A), inverse @ B * dt, []
        for _ in range(50):
            expected.append((C @ state).real)
            state = Abar @ state
        # Their eigenvectors come from float32: conjugate to some 100 eps.
        assert np.abs(kernel(50)[channel].detach().numpy() - expected).max() <= 500 * EPS * np.abs(expected).max()


def test_s5_is_twice_the_real_part_of_its_half():
    path = needs(GOLDEN / "S5" / "S5SSM_H4_P8_blocks2_trunc_standard_normal.msgpack")
    kernel = ht.from_layout(path, dtype=torch.float64)
    from hippo_theory.validation.stored_systems import tensors_of

    stored = {name.split("/")[-1]: tensor.read().astype(np.float64) for name, tensor in tensors_of(path).items()}
    Lambda, dt = stored["Lambda_re"] + 1j * stored["Lambda_im"], np.exp(stored["log_step"][:, 0])
    B, C = (stored[name] @ [1, 1j] for name in ("B", "C"))
    z = np.exp(Lambda * dt)
    Bbar = ((z - 1) / Lambda)[:, None] * B
    expected = np.stack([2 * ((C * z**lag) @ Bbar).real for lag in range(30)], axis=-1)
    assert np.abs(kernel(30).detach().numpy() - expected).max() <= 1000 * 2.0**-52 * np.abs(expected).max()


@pytest.mark.parametrize("variant", ["exp", "softmax"])
def test_dss_with_two_different_steps(variant):
    """dt Lambda = dt_0 Re Lambda + i dt_1 Im Lambda; W is divided by Lambda itself, as in the kernel of DSS."""
    rng, H, n, L = np.random.default_rng(0), 3, 4, 40
    Lambda = -rng.uniform(0.2, 1, n) + 1j * rng.uniform(1, 9, n)
    steps, W = rng.uniform(0.01, 0.1, (H, 2)), rng.normal(size=(1, H, n, 2))
    x = steps[:, :1] * Lambda.real + 1j * steps[:, 1:] * Lambda.imag
    powers = np.exp(x[..., None] * np.arange(L))
    w = (W[0] @ [1, 1j]) * (np.exp(x) - 1) / Lambda / (1 if variant == "exp" else np.exp(x * L) - 1)
    expected = np.einsum("hn,hnl->hl", w, powers).real
    pair = {"Lambda": np.stack([Lambda.real, Lambda.imag], -1)}
    logs = {"Lambda_log_neg_re": np.log(-Lambda.real), "Lambda_im": Lambda.imag}
    stored = {"W": W, "log_dt": np.log(steps), **(logs if variant == "exp" else pair)}
    kernel = ht.from_layout(stored, dtype=torch.float64)
    assert kernel.variant == variant
    # A few roundings in x, turned 40 times by at most 0.9.
    assert np.abs(kernel(L).detach().numpy() - expected).max() <= 1000 * 2.0**-52 * np.abs(expected).max()


def test_mamba_gives_a_and_dt():
    path = needs(GOLDEN / "hf-transformers" / "Mamba_N16.safetensors")
    kernel = ht.from_layout(path, layer="layers.0", dtype=torch.float64)
    assert kernel.multiplicity == (1,) * 16
    assert (kernel.Lambda.real + torch.arange(1, 17)).abs().max() < 1e-5
    assert 0.0005 < kernel.dt.min() < kernel.dt.max() < 0.11


# --- the way back -----------------------------------------------------------------------------------------------------------

MODULES = {
    "s4-v4": lambda: ht.S4DKernel.from_initialization("s4d-legs", N=8, H=3, dtype=torch.float64),
    "s4-v4-low-rank": lambda: ht.S4Kernel.from_initialization("legs", N=8, H=3, dtype=torch.float64),
    "s4d-minimal": lambda: ht.S4DKernel.from_initialization("s4d-legs", N=8, H=3, dtype=torch.float64),
    "annotated-s4": lambda: ht.S4Kernel.from_initialization("legs", N=8, H=3, dtype=torch.float64),
    "s5": lambda: ht.S5Kernel.from_initialization("s5", N=8, H=3, dtype=torch.float64),
    "dss": lambda: ht.DSSKernel.from_initialization("dss", N=8, H=3, variant="softmax", dtype=torch.float64),
    "dss-exp": lambda: ht.DSSKernel.from_initialization("dss", N=8, H=3, dtype=torch.float64),
}


@pytest.mark.parametrize("layout", MODULES)
def test_what_is_written_has_the_same_kernel_when_it_is_read(layout):
    ours = MODULES[layout]()
    if layout not in ("dss", "dss-exp", "s5"):  # where channels may differ
        with torch.no_grad():
            factor = torch.tensor([1.0, 1.3, 0.8], dtype=torch.float64)[:, None]
            ours.frequency *= factor
            ours.log_decay += factor
            ours.B *= factor[..., None]
            if hasattr(ours, "P"):
                ours.P *= factor[..., None]
    name = layout.removesuffix("-low-rank")
    stored = ht.to_layout(ours, name, prefix="layer.kernel.")
    theirs = ht.from_layout(stored, layer="layer", dtype=torch.float64)
    a, b = ours(60), theirs(60)
    # Exponentials of logarithms: a few eps each, 60 lags of a phase of at most 2.
    assert (a - b).abs().max() <= 2000 * 2.0**-52 * a.abs().max()
    with torch.no_grad():
        theirs.frequency *= 1.0001
    assert (a - theirs(60)).abs().max() > 2000 * 2.0**-52 * a.abs().max()


def test_written_layouts_are_recognized_by_validate():
    kernel = ht.S4DKernel.from_initialization("s4d-lin", N=8, H=2)
    (finding,) = hippo_theory.validate(ht.to_layout(kernel, "s4d-minimal")).files[0].findings
    assert finding.identified == "s4d-lin"


@pytest.mark.parametrize("layout", ["dss", "dss-exp", "s5"])
def test_dss_and_s5_are_called_by_their_spectrum_here_and_by_their_codebase_there(layout):
    """What docs/training.md says: LegS without its low-rank term is the start of all three."""
    module = MODULES[layout]()
    (ours,) = hippo_theory.validate(module.state_dict()).files[0].findings
    (theirs,) = hippo_theory.validate(ht.to_layout(module, layout)).files[0].findings
    assert ours.identified in ("s4d-legs", layout[:3].rstrip("-"))
    assert theirs.identified == layout[:3].rstrip("-")
    assert {ours.verdict, theirs.verdict} <= {"exact", "rounding"}


def test_mamba_makes_the_round_trip():
    kernel = ht.S4DKernel.from_initialization("mamba-real", N=4, H=2, dtype=torch.float64)
    stored = ht.to_layout(kernel, "mamba")
    assert set(stored) == {"A_log", "dt_proj.bias"}
    again = ht.from_layout(stored, dtype=torch.float64)
    assert (again.Lambda - kernel.Lambda).abs().max() <= 8 * 2.0**-52 * 4
    assert (again.dt / kernel.dt - 1).abs().max() <= 64 * 2.0**-52  # softplus of its inverse


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ht.to_layout(MODULES["s5"](), "s4-v4"), "stores a S4DKernel"),
        (lambda: ht.to_layout(MODULES["s5"](), "s6"), "unknown layout"),
        (lambda: ht.to_layout(MODULES["s4-v4"](), "mamba"), "multiplicity"),
        (lambda: ht.from_layout({"x": np.ones(3)}), "must hold one layer, found none"),
        (lambda: ht.from_layout({"nu_log": np.ones(3), "theta_log": np.ones(3)}), "is not read as a module"),
    ],
)
def test_errors_name_what_was_given(call, message):
    with pytest.raises(InputError, match=message):
        call()
