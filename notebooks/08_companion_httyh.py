# %% [markdown]
r"""
# 8. A reading companion for How to Train Your HiPPO

*How to Train Your HiPPO: State Space Models with Generalized Orthogonal Basis Projections* (Gu, Johnson, Timalsina,
Rudra, Ré; arXiv:2206.12037)

**The short answer.** HTTYH explains what S4's state *means*: coefficients of the past in an orthonormal basis, for
LegS exponentially warped Legendre polynomials, for FouT a Fourier basis on a window, for LegT Legendre polynomials on
a window. The LegS statements hold exactly at every $N$. Those about windows hold in the limit, with errors of order
$1/N$ that this notebook puts numbers on, and the time scale, $1$ or $\tfrac12$, is what the step must be chosen by.

How to read this: each part of the paper in turn; `verified(...)` runs the checks that the package holds for its
statements, two independent routes each; then a second look by hand, with NumPy and SciPy alone. We quote by content;
numbers of theorems are those in use in public notes on the paper.
"""

# %%
# %matplotlib inline
import math

import matplotlib.pyplot as plt
import numpy as np
import scipy.interpolate
import scipy.linalg
import scipy.special

import hippo_theory as ht
from hippo_theory.claims import load_claims
from hippo_theory.discretizations import discretize_dense
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import COLORS, STYLE, label_curves
from hippo_theory.systems import DenseSystem, transfer_function

plt.style.use(STYLE)
EPSILON = np.finfo(np.float64).eps
READ = {}


def show(id, **parameters):
    """A figure of the package's gallery."""
    (entry,) = find_figures([id])
    return draw(entry, **parameters)


def verified(*ids):
    """Run the checks of claims; each must come out as the registry says, and none undecided."""
    for result in ht.verify(list(ids), processes=1).results:
        if result.id not in ids:
            continue  # httyh.fout also asks for httyh.fout.delay, which has its own place below
        print(f"{result.id:26} {result.verdict:9}  {result.title}")
        assert result.as_expected and result.verdict not in ("UNKNOWN", "REFUTED")
        READ[result.id] = result.verdict


def gramian(A, B):
    """The integral of e^(tA) B B^T e^(tA^T) over all t >= 0."""
    return scipy.linalg.solve_continuous_lyapunov(A, -np.outer(B, B))


# %% [markdown]
r"""
## Orthogonal state space models

A time-invariant orthogonal SSM is one whose kernels are $K_n = e_n^\top e^{tA}B = p_n(t)\,\omega(t)$ with
$\int p_np_m\,\omega = \delta_{nm}$. Its state is then the vector of coefficients of the past, and truncating at $N$
the best approximation there is. Basis and measure follow from the kernels if all of infinitely many are given; from
finitely many they do not.
"""

# %%
verified("httyh.ossm", "httyh.prop1", "httyh.uniq")

# %% [markdown]
r"""
*By hand.* $\int K_nK_m\,\omega^{-1}$ with $\omega = e^{-t}$ is the Gramian of $(A+\tfrac12I, B)$: a Lyapunov equation
that LegS must solve with the identity. And the past $u(t-s) = e^{-ks}$ has the state $X(k) = (kI-A)^{-1}B$, the
square $\frac1{2k+1}$, and what $N$ coefficients miss is a product over $(k-j)/(k+j+1)$: nothing at all for
$k = 0, 1, \dots, N-1$.
"""

# %%
for N in (4, 16, 64):
    legs = ht.LegS(N)
    shifted = legs.A + np.eye(N) / 2
    assert np.abs(gramian(shifted, legs.B) - np.eye(N)).max() < 8 * N * EPSILON * np.linalg.norm(shifted)
for k in (0.5, 2.5, 7.3, 3):
    N = 8
    x = transfer_function(DenseSystem(ht.LegS(N).A, ht.LegS(N).B), k)
    j = np.arange(N)
    missed = np.prod((k - j) / (k + j + 1)) ** 2 / (2 * k + 1)
    assert abs(1 / (2 * k + 1) - np.sum(np.abs(x) ** 2) - missed) < 8 * N * EPSILON
    print(f"past e^(-{k} s): {missed * (2 * k + 1):.2e} of its energy is missed by {N} coefficients")

# %% [markdown]
r"""
New systems from old: $(A + cI, B)$ tilts, $(cA, cB)$ rescales time, a unitary change of basis turns the basis. The
tilted measure is $e^{2ct}\omega$; the authors' plotting code has $e^{ct}$, and the Gram matrix tells them apart.
"""

# %%
verified("httyh.closure.shift", "httyh.closure.scale", "httyh.closure.unitary")
legs, c = ht.LegS(8), 0.25
tilted = legs.A + c * np.eye(8)
for factor, orthonormal in ((2, True), (1, False)):  # measure e^(factor c t) e^(-t): its inverse into the exponent
    gram = gramian(tilted + (1 - factor * c) / 2 * np.eye(8), legs.B)
    assert (np.abs(gram - np.eye(8)).max() < 1e-12) == orthonormal

# %% [markdown]
r"""
## LegS is exponentially warped Legendre

$K_n(t) = \sqrt{2n+1}\,e^{-t}P_n(2e^{-t}-1)$, for every $N > n$ and with no error; the general warping $a(t)$ gives S4's LegS
for $a = t$ and the LegS of 2020 for $a = \log t$. (Orthonormal only if $a \to -\infty$ at the start: REFINED.)
"""

# %%
verified("httyh.legs.basis", "httyh.legs.basis.all", "httyh.legs.visual", "httyh.legs.warp")
legs = ht.LegS(12)
for t in (0.05, 0.7, 3.0):
    found = scipy.linalg.expm(t * legs.A) @ legs.B
    stated = (
        np.sqrt(2 * np.arange(12) + 1) * np.exp(-t) * scipy.special.eval_legendre(np.arange(12), 2 * np.exp(-t) - 1)
    )
    # e^(tA) is a contraction; scaling and squaring loses a small multiple of norm(tA) N units.
    assert np.abs(found - stated).max() < 12 * EPSILON * max(1, t) * np.linalg.norm(legs.A) * np.linalg.norm(legs.B)

# %%
figure, data = show("measures-and-bases")
figure

# %% [markdown]
r"""
The state *is* the approximation: read it back with the basis.
"""

# %%
figure, data = show("reconstruction", sizes=(8, 16, 32, 64), samples=2048)
figure

# %% [markdown]
r"""
## LegT: a window that is not quite one

To forget $u(t-1)$ one must know it. LegT takes it from its own state, which is exact for polynomials of degree below
$N$ and approximate else. Hence its kernels leak beyond the window, with an energy of the order of $1/N$, and its delay
is the $[N-1/N]$ Padé approximant of $e^{-s}$.
"""

# %%
verified("httyh.legt", "httyh.legt.window", "httyh.legt.tail", "httyh.legt.pade", "httyh.legt.pade.order")

# %% [markdown]
r"""
*By hand.* SciPy's own Padé approximant from the Taylor coefficients; the leak as a Gramian seen from $t = 1$ on.
"""

# %%
N = 4
taylor = [(-1) ** k / math.factorial(k) for k in range(2 * N)]
numerator, denominator = scipy.interpolate.pade(taylor, N, N - 1)
legt = ht.LegT(N)
output = np.sqrt(2 * np.arange(N) + 1) * (-1.0) ** np.arange(N)
for s in (0.5, 2j, 1 + 3j):
    delay = transfer_function(DenseSystem(legt.A, legt.B, output[None]), s)[0]
    assert abs(delay - numerator(s) / denominator(s)) < 1e-10  # SciPy solves an ill-conditioned system of size N
    print(f"s = {s}: LegT {delay:.6f}, e^-s {np.exp(-s):.6f}")
for N, known in ((4, 0.0605397), (8, 0.0633745), (16, 0.0665836)):
    legt = ht.LegT(N)
    leak = N * gramian(legt.A, scipy.linalg.expm(legt.A) @ legt.B)[0, 0]
    print(f"N = {N:2}: N times the energy of K_0 beyond its window: {leak:.7f}")
    assert abs(leak - known) < 0.51e-7  # half of the last digit stated

# %% [markdown]
r"""
## FouT: the Fourier window

$A = R - 2bb^\top$, $B = 2b$ with $b = (1, \sqrt2, 0, \sqrt2, 0, \dots)$ and rotations $R$ by $2\pi m$. Its kernels tend
to the Fourier basis cut off at $t = 1$; over the *half-line* they are orthonormal for every $N$ already. It needs all
of its low-rank term: without it nothing decays, and with half of it (the system of 2020) each window is a third of
the one before.
"""

# %%
verified(
    "httyh.fout", "httyh.fout.index", "httyh.fout.transfer", "httyh.fout.gram",
    "httyh.fout.norank", "httyh.fout.2020", "httyh.fout.half",
)  # fmt: skip

# %%
half = 20
N, m = 2 * half + 1, np.arange(1, half + 1)
rotation, b = np.zeros((N, N)), np.zeros(N)
rotation[2 * m - 1, 2 * m], rotation[2 * m, 2 * m - 1] = -2 * np.pi * m, 2 * np.pi * m
b[0], b[2 * m - 1] = 1, np.sqrt(2)
fout = ht.FouT(N)
assert np.abs(fout.A - (rotation - 2 * np.outer(b, b))).max() < 4 * EPSILON * 2 * np.pi * half
assert np.abs(fout.B - 2 * b).max() < 4 * EPSILON * 2
assert np.abs(gramian(fout.A, fout.B) - np.eye(N)).max() < 8 * N * EPSILON * np.linalg.norm(fout.A)
for weight, share, name in ((2, 0.0, "2022"), (1, 1 / 3, "2020"), (0, 1.0, "no low rank")):
    step, x, energies = scipy.linalg.expm(0.005 * (rotation - weight * np.outer(b, b))), 2 * b, []
    for _ in range(600):
        energies.append(x[0] ** 2)
        x = step @ x
    windows = np.sqrt(np.reshape(energies, (3, 200)).mean(axis=1))
    print(f"{name:12} root mean square of K_0 in three windows: {windows.round(3)}")
    assert abs(windows[2] / windows[1] - share) < 0.02 or (share == 0 and windows[1] < 0.3)

# %%
figure, data = show("fout-window")
figure

# %% [markdown]
r"""
## Delays and spikes

The output $y = 2b^\top x - u$ of FouT is a delay by one window: all-pass, exact at the frequencies of its basis, right
in its moments 0, 1 and 2, and at a fixed frequency off by $1/N$. It is not uniformly close, and no finite $N$ makes a
spike.
"""

# %%
verified("httyh.fout.delay", "httyh.fout.spike", "httyh.dirac")
errors = []
for N in (17, 33, 65, 129):
    fout = ht.FouT(N)
    system = DenseSystem(fout.A, fout.B, fout.B[None])
    axis = np.array([0.3, 2.0, 11.0, 100.0, 3000.0]) * 1j
    delay = transfer_function(system, axis)[:, 0] - 1
    modes = transfer_function(system, 2j * np.pi * m[: N // 2])[:, 0] - 1
    assert np.abs(np.abs(delay) - 1).max() < 1e-10 and np.abs(modes - 1).max() < 1e-9  # solves near the poles
    errors.append(abs(delay[1] - np.exp(-axis[1])))
    expected = abs(axis[1]) * abs(1 - np.exp(-axis[1])) ** 2 / (np.pi**2 * N)
    assert abs(errors[-1] / expected - 1) < 3 / N
    # Far beyond its frequencies the state is at rest and y = -u, where the delay is +u.
    beyond = transfer_function(system, 2j * np.pi * 100 * N)[0] - 1
    assert abs(beyond - 1) > 1.99
print("error of the delay at s = 2i:", np.round(errors, 5))

# %%
figure, data = show("delay-network", sizes=(8, 16, 32))
figure

# %% [markdown]
r"""
## How many states approximate a kernel

As usually quoted (Theorem 8): an $L$-Lipschitz kernel on $[0, 1]$ is approximated by FouT to within $\epsilon$ for
$N \ge (L/\pi\epsilon)^2 + 2$. True, with the best possible constant, and nearly attained by the plainest of kernels,
the ramp $K = t$. The version for smoother kernels needs one more hypothesis: that the kernel and its derivatives
match at the two ends.
"""

# %%
verified("httyh.thm8", "httyh.thm8.equality", "httyh.thm8.sharp", "httyh.thm8.smooth")

# %% [markdown]
r"""
*By hand.* Three kernels with slope at most 1 by the fast Fourier transform of many samples: the ramp and a parabola,
which jump at the ends, and a triangle, which does not.
"""

# %%
samples = 2**16
grid = (np.arange(samples) + 0.5) / samples
kernels = {"ramp": grid, "parabola": grid**2 / 2, "triangle": np.abs(grid - 0.5)}
sizes = 2 ** np.arange(3, 11)
figure, axes = plt.subplots(figsize=(4.8, 3), layout="constrained")
bound = 1 / (np.pi * np.sqrt(sizes - 2))
labels = []
for (name, values), color in zip(kernels.items(), ("blue", "green", "purple"), strict=True):
    energy = np.abs(np.fft.rfft(values) / samples) ** 2
    found = np.array([np.sqrt(2 * energy[(N - 2) // 2 + 1 :].sum()) for N in sizes])
    assert np.all(found <= bound)
    axes.loglog(sizes, found, ".-", color=COLORS[color])
    labels.append((sizes[-1], found[-1], name, COLORS[color]))
    if name == "ramp":
        # Folding adds to the square the energy beyond the samples, a relative N/samples.
        exact = np.sqrt(scipy.special.polygamma(1, (sizes - 2) // 2 + 1) / (2 * np.pi**2))
        assert np.all(np.abs(found / exact - 1) < sizes / samples)
        print(f"ramp, N = 128: error {found[4]:.6f}, bound {bound[4]:.6f}")
        assert abs(found[4] - 0.028245) < 3e-6 and found[-1] > 0.99 * bound[-1]
axes.loglog(sizes, bound, ":", color="black")
axes.set(xlabel="states $N$", ylabel="error in $L_2[0, 1]$ (dotted: bound)")
label_curves(axes, labels)
plt.show()

# %% [markdown]
r"""
## Time scales and normalization

$E[\omega] = \int t\,\omega$ is 1 for LegS and $\tfrac12$ for a window of length 1; a step $\Delta$ makes of it a memory
of about $E[\omega]/\Delta$ samples. (The stored LegT and FouT are halved, so that theirs is 1 too.) For a probability
measure the constant input has the constant state $e_0$: $Ae_0 = -B$.
"""

# %%
verified("httyh.timescale", "httyh.timescale.steps", "httyh.norm", "httyh.norm.code")
for family, age in ((ht.LegS(16), 1), (ht.LegT(16), 0.5), (ht.FouT(17), 0.5)):
    once = np.linalg.solve(family.A, family.B)  # -A^-1 B is the response to 1, A^-2 B its first moment
    moment = np.linalg.solve(family.A, once)[0]
    assert np.abs(once + np.eye(family.N)[0]).max() < 64 * EPSILON * np.linalg.cond(family.A)
    assert abs(moment - age) < 64 * EPSILON * np.linalg.cond(family.A) ** 2
    assert family.timescale == age
stored = ht.make_family("legt", 16, convention="s4")
assert stored.timescale == 1 and np.array_equal(2 * stored.A, ht.LegT(16).A)
A, B = discretize_dense(ht.LegS(16).A, ht.LegS(16).B, "zoh", 0.02)
lags = (
    np.linalg.solve(np.eye(16) - A, np.linalg.solve(np.eye(16) - A, B))[0] / np.linalg.solve(np.eye(16) - A, B)[0] - 1
)
print(f"mean lag at the step 0.02: {lags:.4f} samples")
assert 49.5 < lags < 49.5 + 0.02 / 12 + 1e-9

# %%
figure, data = show("time-scales")
figure

# %% [markdown]
r"""
## LagT, and the tables

The paper discourages LagT, for not realizing the exponential weight it is said to have. Right: the stored system
($\beta = 0$) weighs all of the past alike; $A = -\mathrm{tril}(1)$ ($\beta = 1$) is the one with $\omega = e^{-t}$.
"""

# %%
verified("httyh.lagt", "httyh.lra.average")
plain, fading = ht.LagT(8), ht.make_family("lagt", 8, beta=1)
assert np.abs(gramian(plain.A, plain.B) - np.eye(8)).max() < 1e-13  # weight 1
assert np.abs(gramian(fading.A + np.eye(8) / 2, fading.B) - np.eye(8)).max() < 1e-13  # weight e^-t
assert np.abs(gramian(plain.A + np.eye(8) / 4, plain.B) - np.eye(8)).max() > 0.1  # and not e^(-t/2)
scores = {86.09: (59.60, 86.82, 90.90, 88.65, 94.20, 96.35), 77.90: (57.88, 86.34, 89.66, 89.07, 94.46, 50)}
assert all(abs(np.mean(row) - printed) < 0.005 + 1e-12 for printed, row in scores.items())

# %% [markdown]
r"""
## What to take away

- LegS means what the paper says, at every $N$: projections on $\sqrt{2n+1}\,P_n(2e^{-t}-1)$ with weight $e^{-t}$.
- Windows are limits. FouT and LegT miss theirs by $1/N$, each in its own way: FouT is all-pass, LegT is Padé.
- Choose the step by the time scale ([notebook 6](06_choosing_N_and_the_step.ipynb)); check whose LegT is halved.
- Tilting a measure takes $e^{2ct}$; smoothness alone does not buy a Fourier rate, ends must match.

Nothing was left out: the cells above ran every claim about this paper that the package holds.
"""

# %%
held = {id for id, claim in load_claims().items() if claim.paper == "httyh"}
assert set(READ) == held
print(len(held), "claims:", {verdict: list(READ.values()).count(verdict) for verdict in sorted(set(READ.values()))})

# %% [markdown]
r"""
With more sizes and points each: `hippo verify httyh --effort full`; as a page, `hippo verify httyh --html httyh.html`. To
cite a check: `hippo cite httyh.legs.basis`. Papers beside this one: HiPPO (arXiv:2008.07669), LMU (Voelker et al.,
NeurIPS 2019), S4D (arXiv:2206.11893), [the companion for S4D](07_companion_s4d.ipynb).
"""
