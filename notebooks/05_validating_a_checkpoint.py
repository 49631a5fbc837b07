# %% [markdown]
r"""
# 5. Validating a checkpoint

**The short answer.** `ht.validate` compares what a checkpoint stores with the exact numbers, by what no convention
changes: the set of eigenvalues, $|V^*B|$, and $P$ against $B$. It says which start it is, of which size, and for each
tensor whether rounding explains the difference, with a bound that is computed and not chosen. Where rounding does not
explain it, the verdict is `deviates` (or `known-deviation`, where everybody who uses some codebase has it), with the
likely cause, and mending is one line.

We port S4D-LegS as people port it, rightly and wrongly, read the verdicts, and mend what is broken.
"""

# %%
# %matplotlib inline
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import ml_dtypes
import numpy as np

import hippo_theory as ht
from hippo_theory.figures.style import COLORS, STYLE
from hippo_theory.kernels import s4d_kernel
from hippo_theory.tensor_files import write_tensors
from hippo_theory.testing import assert_initialization
from hippo_theory.validation import DEVIATIONS, VERDICTS
from hippo_theory.validation.causes import CAUSES
from hippo_theory.validation.comparing import compare

plt.style.use(STYLE)
N = 64
legs, truth = ht.LegS(N), ht.initialization("s4d-legs", N)


def find(arrays):
    """The one finding in some arrays."""
    (file,) = ht.validate(arrays).files
    assert file.error is None
    (finding,) = file.findings
    return finding


print("from best to worst:", ", ".join(VERDICTS))

# %% [markdown]
r"""
## A port by the book

Everybody's recipe: form $S = A + PP^\top$, diagonalize it with a Hermitian eigensolver, keep the eigenvalues with
positive imaginary part, rotate $B$, halve it.
"""

# %%
S = legs.A + legs.P @ legs.P.T
frequencies, V = np.linalg.eigh(-1j * S)
positive = frequencies > 0
Lambda, B = (-0.5 + 1j * frequencies)[positive], (V.conj().T @ legs.B / 2)[positive]
book = {"Lambda": Lambda, "B": B}
finding = find(book)
print(finding.identified, "N =", finding.N, "stored", finding.stored, "verdict", finding.verdict)
assert (finding.identified, finding.N, finding.stored, finding.verdict) == ("s4d-legs", 64, 32, "rounding")
assert find({"Lambda": truth.Lambda, "B": truth.B}).verdict == "exact"  # from closed forms: no eigensolver, no error

# %% [markdown]
r"""
Why `rounding` and not `exact`? An eigensolver returns the eigenvalues of $S + E$, $\|E\| \le 20\sqrt N\,u\,\|S\|$ with
$u$ the unit roundoff (two standard deviations of the sweeps of the complex QR algorithm, the longest of all), and since
$S$ is normal, each eigenvalue moves by at most $\|E\|$ (Bauer and Fike). That is an *absolute* bound: the largest
eigenvalue sets it, and the smallest, which hold the long memory, pay. `excess` is the largest error over its own bound;
here are both once more by hand.
"""

# %%
part = finding.parts["Lambda"]
errors = np.abs(np.sort_complex(Lambda) - np.sort_complex(truth.Lambda))
relative = errors / np.abs(np.sort_complex(truth.Lambda))
allowed = 20 * np.sqrt(N) * 2.0**-53 * np.linalg.norm(S, 2)
print(f"largest error {part.max_error:.1e}, bound {part.bound:.1e}, excess {part.excess:.2f}")
assert np.isclose(errors.max(), part.max_error, rtol=1e-12) and errors.max() <= part.bound
assert allowed <= part.bound < 1.1 * allowed  # the bound of `validate` adds the rounding of Lambda itself
assert np.isclose(relative.max(), part.max_relative_error, rtol=1e-12) and relative.argmax() < 8  # the slow modes

# %% [markdown]
r"""
## What does not matter

All $N$ eigenvalues or one of each pair, the other half, any order, any phase of the eigenvectors, another name of
the tensors, complex numbers or pairs of reals: the same system, and the same verdict. (Conjugate *both* $\Lambda$ and
$B$, and permute them together.)
"""

# %%
rng = np.random.default_rng(5)
order, phases = rng.permutation(N // 2), np.exp(2j * np.pi * rng.random(N // 2))
same = {
    "all N": {"Lambda": -0.5 + 1j * frequencies, "B": V.conj().T @ legs.B / 2},
    "the other half": {"Lambda": Lambda.conj(), "B": B.conj()},
    "shuffled": {"Lambda": Lambda[order], "B": B[order]},
    "other eigenvectors": {"Lambda": Lambda, "B": phases * B},
    "S4D's layout, 3 heads": {
        "kernel.log_A_real": np.log(np.full((3, N // 2), 0.5)),
        "kernel.A_imag": np.tile(Lambda.imag, (3, 1)),
    },
    "names nobody has": {"damping": np.full(N // 2, -0.5), "omega": Lambda.imag.copy()},
}
for name, arrays in same.items():
    finding = find(arrays)
    print(f"{name:22} {finding.identified}, N = {finding.N}, {finding.stored} stored, {finding.verdict}")
    assert (finding.identified, finding.N, finding.verdict) == ("s4d-legs", 64, "rounding")

# %% [markdown]
r"""
## Seven wrong ports

Each is easily made, and the last two are in public code. From the numbers alone `validate` says what went wrong
(`cause` is a word that scripts may compare), and how much it does to the kernel: with zero-order hold, relative to
the true one, in $L^2$.
"""

# %%
right = {"Lambda": truth.Lambda, "B": truth.B}
swapped = truth.B.copy()
swapped[[3, 4]] = swapped[[4, 3]]
wrong = {
    "sign": {"Lambda": -truth.Lambda, "B": truth.B},  # A = exp(..) without the minus
    "time scale": {"Lambda": truth.Lambda / 2, "B": truth.B},  # LegT's factor 1/2 applied to LegS
    "imaginary": {"Lambda": -0.5 + 0.5j * truth.Lambda.imag, "B": truth.B},  # ... to the frequencies alone
    "order": {"Lambda": truth.Lambda, "B": truth.B[::-1]},  # eigenvalues sorted, B not
    "swapped": {"Lambda": truth.Lambda, "B": swapped},
    "ones": {"Lambda": truth.Lambda, "B": np.ones(N // 2)},  # B left as it is in S4D-Lin
    "clipped": {"Lambda": truth.Lambda, "B": 1j * np.minimum(2, 2 * truth.B)},  # D1 in its worst phase
}
expected = {
    "sign": ("sign", "deviates", None),
    "time scale": ("factor", "deviates", None),
    "imaginary": ("factor", "deviates", None),
    "order": ("order", "deviates", None),
    "swapped": ("swapped", "deviates", None),
    "ones": ("dropped", "known-deviation", "D2"),
    "clipped": ("clipped", "known-deviation", "D1"),
}
found = {name: find(arrays) for name, arrays in wrong.items()}
for name, finding in found.items():
    assert finding.identified == "s4d-legs" and (finding.cause, finding.verdict, finding.deviation) == expected[name]
    assert finding.cause in CAUSES and (finding.deviation is None or finding.deviation in DEVIATIONS)
    size = finding.kernel_error.l2
    print(f"{name:10} kernel off by {f'{size:.0%}' if size < 100 else f'{size:.0e}'}: {finding.reason}")
    assert size > 0.1

# %% [markdown]
r"""
Do not judge by $\Lambda$ alone: in four of the seven it is right to the last bit. And do not judge by whether the
model runs: only the first is unstable. The others are simply other kernels.
"""

# %%
assert [name for name, arrays in wrong.items() if np.max(arrays["Lambda"].real) > 0] == ["sign"]
assert sum(finding.parts["Lambda"].verdict == "exact" for finding in found.values()) == 4


def kernel(arrays, C, step, L):
    """Zero-order hold of the stored half; C observes the states in the phases of B."""
    turned = C * (-1j if arrays is wrong["clipped"] else 1)
    return s4d_kernel(arrays["Lambda"], arrays["B"], turned, step, L, multiplicity=[2] * (N // 2))


for name in list(wrong)[1:]:  # the number of `validate` by hand: observed by the sum of all states, at its step
    error = found[name].kernel_error
    # The last two are nearer to V* B than to V* B/2, and are judged by that.
    reference = {**right, "B": 2 * truth.B} if name in ("ones", "clipped") else right
    port, exact = (kernel(one, np.ones(N // 2), error.step, error.length) for one in (wrong[name], reference))
    assert abs(np.linalg.norm(port - exact) / np.linalg.norm(exact) / error.l2 - 1) < 1e-9

# %% [markdown]
r"""
For the eye rather another output: the first coordinate of LegS, whose kernel is $e^{-t}$. The right port has it up to
the noise that a diagonal restriction cannot lose ([notebook 4](04_discretization_as_a_low_pass_filter.ipynb)). One
of the wrong ports hides in that noise, and would have passed any look at a plot.
"""

# %%
step, L = 0.05, 80
first = legs.normal_eigenvectors(components=[0])[0, : N // 2]
times = step * (np.arange(L) + 0.5)  # what a hold returns belongs to the middle of the step
figure, panels = plt.subplots(2, 4, figsize=(7.2, 3.4), sharex=True, sharey=True, layout="constrained")
gaps = {}
for axes, (name, arrays) in zip(panels.flat, {"right": right, **wrong}.items(), strict=True):
    values = kernel(arrays, first, step, L) / step
    gaps[name] = np.sqrt(step * np.sum((values - np.exp(-times)) ** 2))
    axes.plot(times, values, color=COLORS["blue" if name == "right" else "vermilion"], linewidth=0.8)
    axes.plot(times, np.exp(-times), color="black", linewidth=0.6, linestyle=":")
    axes.set_title(name if values.min() < 1.7 else f"{name} (off the scale)", fontsize=8)
panels[0, 0].set(ylim=(-0.7, 1.7), xlim=(0, 4))
figure.supylabel("kernel $K_0$ (dotted: $e^{-t}$)", fontsize=8)
figure.supxlabel("time", fontsize=8)
plt.show()
print({name: f"{gap:.1e}" for name, gap in gaps.items()})
assert gaps["right"] < 1.060919 / (N * np.sqrt(step))  # claim core.sampled.zoh
visible = {name for name, gap in gaps.items() if gap > 2 * gaps["right"]}
print("not to be seen with the eye:", set(wrong) - visible)
assert set(wrong) - visible == {"swapped"}

# %% [markdown]
r"""
## Mending

Each cause names its own repair. Afterwards the verdict must be `exact`; nothing less says that the repair was the
right one.
"""

# %%
mended = {
    "sign": {"Lambda": -wrong["sign"]["Lambda"], "B": truth.B},
    "time scale": {"Lambda": 2 * wrong["time scale"]["Lambda"], "B": truth.B},
    "imaginary": {"Lambda": -0.5 + 2j * wrong["imaginary"]["Lambda"].imag, "B": truth.B},
    "order": {"Lambda": truth.Lambda, "B": np.sort(wrong["order"]["B"])[::-1]},
    "swapped": {"Lambda": truth.Lambda, "B": swapped[[0, 1, 2, 4, 3, *range(5, N // 2)]]},
    "ones": {"Lambda": truth.Lambda, "B": legs.normal_weights()[: N // 2] / 2},
    "clipped": {"Lambda": truth.Lambda, "B": legs.normal_weights()[: N // 2] / 2},
}
for name, arrays in mended.items():
    assert find(arrays).verdict == "exact", name
    assert find(arrays).kernel_error.l2 < 1e-14
assert np.all(np.diff(truth.B) < 0) and np.all(np.diff(truth.Lambda.imag) < 0)  # which is why sorting mends "order"
print("weights of the fastest and the slowest mode:", truth.B[[0, -1]].round(4))

# %% [markdown]
r"""
## Half precision

Casting is no mistake, and the verdict says so: `rounding`, since each stored number is within one unit of its own
last place. But look at the kernel. In float16 the fastest frequency, 1303, is off by up to half a unit,
$2^{-11}\cdot 1024 = \tfrac12$, and the phase $\omega\Delta l$ with it. And a logarithm is worse than the number itself:
$A = -e^a$ moves by $|\delta a|$ relatively, which for `A_log` $\approx \ln 16$ in bfloat16 is $2^{-7}$ (D16).
"""

# %%
minimal = {"log_A_real": np.log(np.full(N // 2, 0.5)), "A_imag": truth.Lambda.imag.copy()}
for dtype in (np.float64, np.float32, np.float16):
    finding = find({name: part.astype(dtype) for name, part in minimal.items()})
    part = finding.parts["Lambda"]
    print(
        f"{np.dtype(dtype).name:8} {finding.verdict:9} off by {part.max_error:.1e}, kernel by {finding.kernel_error.l2:.1e}"
    )
    assert finding.verdict in ("exact", "rounding") and part.ulps <= 1
    unit = 2.0 ** (10 - np.finfo(dtype).nmant)  # between 1024 and 2048, where the largest frequency lies
    assert part.max_error <= unit / 2 * 1.001
    assert finding.kernel_error.l2 < 100 * np.finfo(dtype).eps

A_log = np.log(np.tile(np.arange(1, 17), (4, 1)))
finding = find({"mixer.A_log": A_log.astype(ml_dtypes.bfloat16)})
print(finding.identified, finding.verdict, finding.deviation, f"{finding.max_relative_error:.4f}")
by_hand = np.abs(np.exp(A_log.astype(ml_dtypes.bfloat16).astype(float)) / np.arange(1, 17) - 1).max()
assert finding.deviation == "D16" and np.isclose(finding.max_relative_error, by_hand, rtol=1e-9)
assert by_hand <= np.expm1(2.0**-7)

# %% [markdown]
r"""
## Trained, or never initialized?

A model that has been trained no longer holds its start, and that is no mistake either. `trained` means: nearest to
this start, moved by so much. Here S4D-Lin in float32 moves at random by ever larger relative amounts: a few steps of an
optimizer are enough to be seen. In the end, moved by three times themselves, the numbers are no nearer to S4D-Lin
than random ones are to some start, and the answer is `random`.
"""

# %%
lin = ht.initialization("s4d-lin", N).Lambda
rng = np.random.default_rng(7)
noise, damping = rng.standard_normal((2, 1, N // 2))
verdicts = []
for size in (0, 1e-8, 1e-6, 1e-3, 1e-1, 3):
    moved = {
        "log_A_real": (np.log(0.5) + size * damping).astype(np.float32),
        "A_imag": (lin.imag * (1 + size * noise)).astype(np.float32),
    }
    finding = find(moved)
    verdicts.append((finding.identified, finding.verdict))
    print(f"moved by {size:5.0e}: {finding.identified}, {finding.verdict}; {finding.parts['Lambda'].why or '-'}")
assert [verdict for _, verdict in verdicts] == ["exact", "exact", "trained", "trained", "trained", "random"]
assert all(identified == "s4d-lin" for identified, _ in verdicts[:-1])
assert find({"Lambda": -rng.random(32) + 1j * rng.standard_normal(32)}).verdict in ("random", "unknown")

# %% [markdown]
r"""
## In a file, in a test suite, against another codebase

The same with files: here a safetensors file with two layers, one of which lost its $\pi$. In a test suite,
`assert_initialization` fails with the reason; beside another codebase, `compare` needs no truth at all.
"""

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.safetensors"
    layer = {"log_A_real": np.log(np.full((2, 32), 0.5)), "A_imag": np.tile(lin.imag, (2, 1))}
    lost = {**layer, "A_imag": layer["A_imag"] / np.pi}
    model = {
        f"layers.{i}.kernel.{k}": v.astype(np.float32) for i, one in enumerate((layer, lost)) for k, v in one.items()
    }
    write_tensors(path, model)
    result = ht.validate(path)
for finding in result.files[0].findings:
    print(f"{finding.layer:16} {finding.verdict} {finding.reason}".rstrip())
assert [finding.verdict for finding in result.files[0].findings] == ["exact", "deviates"]
assert result.verdict == "deviates"  # the worst of all; from the shell: exit status 1

# %%
assert_initialization(book, "s4d-legs", N=64)
complaint = ""
try:
    assert_initialization(wrong["sign"], "s4d-legs", N=64)
except AssertionError as error:
    complaint = str(error)
print(complaint)
assert "verdict is deviates" in complaint and "negate Lambda" in complaint
pair = compare({"Lambda": Lambda.conj(), "B": B.conj()}, right).pairs[0]
print(f"two codebases: {pair.states} states, eigenvalues agree to {pair.eigenvalues:.0e}, weights to {pair.B:.0e}")
assert pair.eigenvalues < 1e-12 and pair.B < 1e-12

# %% [markdown]
r"""
## What to take away

- Compare invariants, not tensors: eigenvalues as a set, $|V^*B|$, the kernel. Everything else is convention.
- `rounding` is a theorem with a bound, `deviates` comes with a cause, and the kernel error says whether to care.
- Half of all wrong ports have the right eigenvalues. Check $B$.
- Put `assert_initialization` into the test suite of whatever you port, and take eigenvalues from closed forms.

From the shell: `hippo validate model.safetensors`, with `--expect s4d-legs`, `--reference theirs.safetensors`,
`--html report.html`. To check more: `hippo verify s4d.B s4d.B.clip s4d.inv.size core.diag.float s4d.conj`. What
public codebases produce is in the documentation (validation, golden table). Papers: S4D (arXiv:2206.11893), S4
(arXiv:2111.00396), Mamba (arXiv:2312.00752).
"""
