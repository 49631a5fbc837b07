# %% [markdown]
r"""
# 6. Choosing N and the step

**The short answer.** The step $\Delta$ sets how far back a state looks: about $a/\Delta$ samples, with $a = 1$ for
LegS and $\tfrac12$ for the windows of LegT and FouT; choose the range of $\Delta$ so that these cover what your data
depends on. $N$ sets what can be told apart within that memory: about $\pi$ states for each period of a signal. A
diagonal restriction asks for one thing more, $N\sqrt\Delta$ large, and what it gains in $N$ it pays for in frequency:
its spectrum reaches $N^2/\pi$, which leaves the Nyquist frequency $\pi/\Delta$ behind once $N\sqrt\Delta > \pi$, and
makes half precision useless.

Each of these is a formula, and each formula is checked below against systems that do not know it.
"""

# %%
# %matplotlib inline
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import scipy.linalg
from scipy.special import spherical_jn

import hippo_theory as ht
from hippo_theory.convolution import convolution_kernel
from hippo_theory.discretizations import discretize_dense
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import COLORS, STYLE, label_curves
from hippo_theory.initializations import step_sizes
from hippo_theory.kernels import s4d_kernel

plt.style.use(STYLE)
EPSILON = np.finfo(np.float64).eps
BALLS = ht.balls(128)


def show(id, **parameters):
    """A figure of the package's gallery."""
    (entry,) = find_figures([id])
    return draw(entry, **parameters)


def kernel_error(N, step, component=0):
    """Certified L2 distance between LegS and S4D-LegS after zero-order hold."""
    legs = ht.LegS(N)
    full, diagonal = ht.full_system(legs), ht.diagonal_restriction(legs)
    return float(ht.distance(full, diagonal, component=component, method="zoh", step=step, digits=8))


# %% [markdown]
r"""
## The step is a time scale

In continuous time the state $x_0$ remembers what is, on average, $E[\omega] = \int t\,\omega\,dt$ old. A step
$\Delta$ turns time into samples. For LegS with zero-order hold the kernel of $x_0$ is exactly geometric,
$(1-e^{-\Delta})e^{-\Delta l}$, and the mean lag is

$$\frac{1}{e^\Delta - 1} = \frac1\Delta - \frac12 + \frac\Delta{12} - \dots$$

Left the dense matrices, $e_0^\top\bar A(I-\bar A)^{-2}\bar B$; right the formula.
"""

# %%
assert [ht.LegS(8).timescale, ht.LegT(8).timescale, ht.FouT(9).timescale] == [1, 0.5, 0.5]
for N in (4, 32):
    for step in (0.001, 0.01, 0.1):
        A, B = discretize_dense(ht.LegS(N).A, ht.LegS(N).B, "zoh", step)
        once = np.linalg.solve(np.eye(N) - A, B)
        mean = (A @ np.linalg.solve(np.eye(N) - A, once))[0] / once[0]
        # 1 - e^-D, the difference of nearly equal numbers, loses log10(1/D) digits, and once more in the second solve.
        assert abs(mean * math.expm1(step) - 1) < 64 * EPSILON / step
        if N == 32:
            print(f"step {step:5}: mean lag {mean:6.1f} samples; 1/step - 1/2 = {1 / step - 0.5:.1f}")

# %% [markdown]
r"""
The usual draw, $\log\Delta$ uniform in $[\log 10^{-3}, \log 10^{-1}]$, thus gives memories of 10 to 1000 samples, the
median at 100: enough for sequences of a thousand, and too short for ten thousand. For longer sequences move the whole
range; a larger $N$ does *not* remember longer. How old is too old? LegS forgets exponentially: beyond lag $L$ lies
the share $e^{-L\Delta}$ of the weight. A window forgets at once.
"""

# %%
rng = np.random.default_rng(0)
memories = 1 / np.expm1(step_sizes(100_000, rng=rng))
print("memories, 5 %, median, 95 %:", np.quantile(memories, [0.05, 0.5, 0.95]).round())
deviation = math.log(100) * 99.5 / (2 * math.sqrt(100_000))  # of a median: 1/(2 density sqrt(draws))
assert memories.min() >= 9.5 and memories.max() < 1000
assert abs(np.median(memories) - 99.5) < 4 * deviation  # by chance in 1 of 16 000 seeds; this one is fixed


def share_beyond(family, step, lags):
    """How much of the weight of x_0 lies at these lags and beyond, from the dense matrices."""
    A, B = discretize_dense(family.A, family.B, "zoh", step)
    values = [(np.linalg.matrix_power(A, lag) @ np.linalg.solve(np.eye(family.N) - A, B))[0] * step for lag in lags]
    return np.array(values)


# The same mean age of 50 samples:
window, fading = share_beyond(ht.FouT(65), 0.01, [100, 200]), share_beyond(ht.LegS(65), 0.02, [100, 200])
print(f"share of the weight 100 and 200 samples ago and beyond: FouT {window.round(4)}, LegS {fading.round(4)}")
assert np.all(np.abs(window) < 1 / 65) and np.all(np.abs(fading - np.exp([-2, -4])) < 1e-12)

# %%
figure, data = show("time-scales")
figure

# %% [markdown]
r"""
## N is a resolution: about pi states for each period

How many states does the memory need to hold a signal of $f$ periods? The coefficients of $\sqrt2\cos(2\pi ft +
\varphi)$ in the Legendre basis of the window are spherical Bessel functions: averaged over the phase $\varphi$ the
squared error of the first $N$ is

$$\epsilon_N^2 = \sum_{n\ge N}(2n+1)\,j_n(\pi f)^2, \qquad \text{large while } N < \pi f,
\text{ then falling faster than exponentially.}$$

Left quadrature with the basis that the package states for LegT, right the Bessel functions.
"""

# %%
nodes, weights = np.polynomial.legendre.leggauss(80)
with BALLS.work() as ring:
    largest = ht.LegT(48)
    basis = np.array([[float(largest.basis(n, (1 + x) / 2, ring)) for x in nodes] for n in range(48)])
errors = {}
for periods in (2, 4, 8):
    waves = math.sqrt(2) * np.exp(2j * np.pi * periods * (1 + nodes) / 2) / math.sqrt(2)
    coefficients = basis @ (waves * weights / 2)
    missing = np.sqrt(np.clip(1 - np.cumsum(np.abs(coefficients) ** 2), 0, None))  # of the first 1, ..., 48
    n = np.arange(200)
    law = np.sqrt(np.cumsum(((2 * n + 1) * spherical_jn(n, np.pi * periods) ** 2)[::-1])[::-1])[1:49]
    seen = law > 1e-6  # below it 1 - (sum) has lost its digits
    assert np.all(np.abs(missing - law)[seen] <= 64 * EPSILON / law[seen])
    errors[periods] = law
    half, small = (1 + int(np.argmax(law < bound)) for bound in (0.5, 0.01))
    print(
        f"{periods} periods: error below 1/2 from N = {half}, below 1 % from N = {small}; pi f = {np.pi * periods:.1f}"
    )
    # Beyond pi f the Bessel functions fall over a width that grows like the third root of f (Airy); 4 of these widths.
    assert abs(half - np.pi * periods) < 1.5 and small < np.pi * periods + 4 * (np.pi * periods / 2) ** (1 / 3)
assert errors[8][24] > 0.3 and errors[8][39] < 1e-4

# %% [markdown]
r"""
Real signals, and the four families. (LegS here is that of 2020, which divides by $t$ and weighs all of the past alike.
What leaves a window, LegT and FouT must take from their own state, and pay for it.) Noise and chirp fall off a cliff
when $N$ reaches their periods times $\pi$; the step, which has all frequencies, never does.
"""

# %%
figure, data = show("reconstruction", sizes=(8, 16, 32, 64), samples=2048)
assert data["error_noise_legs"][-1] < 1e-3 < 0.3 < data["error_noise_legs"][1]  # N = 64 and 16
assert 0.03 < data["error_step_legs"][-1] < data["error_step_legs"][0] / 2
figure

# %% [markdown]
r"""
## Poles beyond the Nyquist frequency

The frequencies of S4D-LegS are $\omega_m = N^2/\mu - \mu/6 + \dots$, $\mu = (2m+1)\pi$, up to $N^2/\pi$. A sampled
system has no room above $\pi/\Delta$; a mode beyond it turns by more than half a circle in each step and comes back
as another frequency. Solving $\omega_m > \pi/\Delta$, about

$$\frac{N^2\Delta}{2\pi^2} = \frac{(N\sqrt\Delta)^2}{20}$$

pairs lie beyond. With $N = 64$: none at $\Delta = 0.001$, two at $0.01$, nearly half of them at $0.1$.
"""

# %%
for N in (16, 64, 256, 1024):
    counts = []
    for step in (0.001, 0.01, 0.1):
        beyond = int((ht.initialization("s4d-legs", N).Lambda.imag > np.pi / step).sum())
        counts.append(beyond)
        if N * step < 1:  # where the law for fixed m holds
            assert abs(beyond - N**2 * step / (2 * np.pi**2)) <= 1
    print(f"N = {N:4}: of {N // 2:3} pairs {counts} lie beyond pi/step for the steps 0.001, 0.01, 0.1")
    if N == 64:
        assert counts[:2] == [0, 2]
many = int((ht.initialization("s4d-legs", 4096).Lambda.imag > np.pi / 1e-4).sum())
print(f"N = 4096, step 0.0001: {many}, law {4096**2 * 1e-4 / (2 * np.pi**2):.1f}")
assert abs(many - 4096**2 * 1e-4 / (2 * np.pi**2)) <= 1
for N in (16, 64, 256):  # S4D-Lin: pi n < pi/step for every n < N/2 as long as step < 2/N
    assert ht.initialization("s4d-lin", N).Lambda.imag.max() < np.pi / (2 / N)

# %%
figure, panels = plt.subplots(1, 3, figsize=(7.2, 2.7), sharey=True, layout="constrained")
for axes, N in zip(panels, (16, 64, 256), strict=True):
    starts = {"s4d-legs": ("LegS", "blue"), "s4d-inv": ("Inv", "vermilion"), "s4d-lin": ("Lin", "green")}
    for name, (label, color) in starts.items():
        frequencies = np.sort(ht.initialization(name, N).Lambda.imag)[::-1]
        frequencies = frequencies[frequencies > 0.15]
        axes.loglog(np.arange(len(frequencies)) + 1, frequencies, ".", markersize=3, color=COLORS[color], label=label)
    for step in (0.1, 0.01, 0.001):
        axes.axhline(np.pi / step, color="0.5", linewidth=0.6, linestyle="--")
        if N == 16:
            axes.annotate(f"$\\Delta = {step}$", (8, np.pi / step), fontsize=6, ha="right", va="bottom", color="0.3")
    axes.set(title=f"$N = {N}$", xlabel="$m + 1$, by size")
    axes.xaxis.set_minor_formatter("")
panels[0].set_ylabel("frequency (dashed: $\\pi/\\Delta$)")
panels[0].legend(fontsize=7, loc="lower left", frameon=False)
plt.show()

# %% [markdown]
r"""
Is that bad? With zero-order hold no: what is beyond Nyquist has been averaged, and its weight falls by
$|\mathrm{sinc}|$. All that these poles buy is the convergence of the next section.
"""

# %%
N, step = 256, 0.1
start = ht.initialization("s4d-legs", N)
x = start.Lambda * step
held = np.abs((np.exp(x) - 1) / x)
beyond = start.Lambda.imag > np.pi / step
print(
    f"{beyond.sum()} of {N // 2} pairs beyond: gain at most {held[beyond].max():.2f}, on average {held[beyond].mean():.3f}"
)
# |g| <= (1 + e^(-D/2))/|x|: the triangle inequality.
assert np.all(held <= (1 + np.exp(-step / 2)) / np.abs(x) * (1 + 8 * EPSILON)) and held[beyond].max() < 2 / np.pi

# %% [markdown]
r"""
## What a diagonal restriction asks for

After zero-order hold the kernels of S4D-LegS are off by $\sqrt{2n+1}/(N\sqrt\Delta)$ in $L^2$
([notebook 4](04_discretization_as_a_low_pass_filter.ipynb)), those of LegS have the norm $1/\sqrt2$. For a relative
error $\epsilon$ in the state $n$ therefore

$$N \ge \frac{1}{\epsilon}\sqrt{\frac{2(2n+1)}{\Delta}} .$$

The smaller the step, the more states: for 10 per cent at $\Delta = 0.001$ it takes 450 of them, even for $n = 0$. The
law is checked where it says: certified distances on its line.
"""

# %%
steps = np.geomspace(1e-3, 0.1, 60)
figure, axes = plt.subplots(figsize=(4.8, 3), layout="constrained")
labels = []
for error, color in ((0.05, "vermilion"), (0.1, "blue"), (0.2, "green")):
    sizes = math.sqrt(2) / (error * np.sqrt(steps))
    axes.loglog(steps, sizes, color=COLORS[color])
    labels.append((steps[-1], sizes[-1], f"{error:.0%} off", COLORS[color]))
for step, N in (("0.1", 45), ("0.01", 142), ("0.03", 82), ("0.1", 90), ("0.01", 70)):
    relative = kernel_error(N, step) * math.sqrt(2)
    predicted = math.sqrt(2) / (N * math.sqrt(float(step)))
    print(f"N = {N:3}, step {step:4}: relative error {relative:.3f}, law {predicted:.3f}")
    assert 0.909165 <= relative / predicted <= 1.060919  # the bracket of claim core.sampled.zoh, for N sqrt(D) >= 6
    axes.plot(float(step), N, "o", color="black", markersize=3)
    axes.annotate(
        f"{relative:.1%}", (float(step), N), fontsize=6, xytext=(-5, -8), textcoords="offset points", ha="right"
    )
axes.axhline(64, color="0.6", linewidth=0.6, linestyle=":")
axes.annotate("$N = 64$", (1.05e-3, 64), fontsize=7, va="bottom", color="0.3")
axes.set(xlabel="step $\\Delta$", ylabel="states $N$", xlim=(1e-3, 0.1), ylim=(20, 1100))
label_curves(axes, labels)
plt.show()
assert kernel_error(64, "0.001") * math.sqrt(2) > 0.5  # the usual N at the smallest usual step: more noise than kernel

# %% [markdown]
r"""
Two ways out. Keep the low-rank term: then every state is exact at *every* $N$, and $N$ is free to be what resolution
asks for. Or do not care: a trained model uses S4D-LegS as a spectrum, not as LegS.
"""

# %%
for N in (4, 64):
    found = scipy.linalg.expm(ht.LegS(N).A) @ ht.LegS(N).B  # at t = 1, from the matrix
    with BALLS.work() as ring:
        for n in range(4):
            exact = float(ht.LegS(4).kernel(n, 1, ring))
            # e^A is a contraction; scaling and squaring loses a small multiple of norm(A) units.
            assert abs(found[n] - exact) < 8 * EPSILON * np.linalg.norm(ht.LegS(N).A) * np.linalg.norm(ht.LegS(N).B)

# %% [markdown]
r"""
## What the number format allows

A rounded frequency is off by $u\,\omega$, and its phase at lag $l$ by $u\,\omega\Delta l$, while the mode has
decayed by $e^{-\Delta l/2}$. Mode by mode, with weights $|C_nB_ng_n|$ and 4 roundings on the way,

$$|\delta K_l| \le 2\sum_n |C_nB_n|\Delta|g_n|\,(8 + 4\,|\lambda_n|\Delta l)\,u\,e^{-\Delta l/2} .$$

Taken over all lags the phase term is largest at $l = 2/\Delta$, where it is $\frac{2}{e}u\,\omega$: damping, not the
length of the sequence, sets the limit. It is $u\cdot\tfrac2e\cdot\tfrac{N^2}\pi$: in single precision
$6\cdot10^{-5}$ at $N = 64$ and $10^{-2}$ at $N = 1024$, in float16 already a half at $N = 64$.
"""

# %%
SINGLE = 2.0**-24
L, step = 2048, 0.01
figure, axes = plt.subplots(figsize=(5.2, 3), layout="constrained")
labels = []
for N, color in ((16, "green"), (64, "blue"), (256, "vermilion")):
    start = ht.initialization("s4d-legs", N)
    pairs, C = [2] * (N // 2), np.ones(N // 2)
    truth = convolution_kernel(replace(start, C=C[None]), step, L, accuracy=1e-12).values[0]
    Lambda, B = start.Lambda.astype(np.complex64), start.B.astype(np.complex64)
    single = s4d_kernel(Lambda, B, C.astype(np.complex64), np.float32(step), L, multiplicity=pairs)
    error = np.abs(single - truth)
    x, lags = start.Lambda * step, np.arange(L)
    weights = np.abs(C * start.B * (np.exp(x) - 1) / start.Lambda)
    terms = (8 + 4 * np.outer(lags, np.abs(x))) * np.exp(-step * lags / 2)[:, None]
    bound = 2 * SINGLE * terms @ weights
    assert single.dtype == np.float32 and np.all(error <= bound)
    smooth = np.maximum.reduceat(error, np.arange(0, L, 32)) / np.abs(truth).max()
    axes.semilogy(step * np.arange(0, L, 32), smooth, color=COLORS[color], linewidth=0.9)
    axes.semilogy(step * lags, bound / np.abs(truth).max(), ":", color=COLORS[color], linewidth=0.8)
    labels.append((step * L, float(smooth[-1]), f"$N = {N}$", COLORS[color]))
    wide = s4d_kernel(start.Lambda, start.B, C, step, L, multiplicity=pairs).astype(np.float32)  # only stored in single
    largest, remaining = (np.abs(values - truth).max() / np.abs(truth).max() for values in (single, wide))
    print(f"N = {N:3}: largest error {largest:.1e}, computed in double {remaining:.1e}")
    assert remaining < 2 * SINGLE
axes.set(xlabel="time $\\Delta l$", ylabel="error, of the largest value", ylim=(1e-10, 1e-3), xlim=(0, step * L))
label_curves(axes, labels)
plt.show()

# %% [markdown]
r"""
Half precision is for activations, not for poles: storing the frequencies of S4D-LegS in float16 changes the kernel by
more than storing them in float32 by a factor of a thousand and more; with weak damping (after training) the limit
$\tfrac2e$ is gone and $u\,\omega\Delta L$ takes its place.
"""

# %%
half = {}
for N in (16, 64, 256):
    start = replace(ht.initialization("s4d-legs", N), C=np.ones((1, N // 2)))
    truth = convolution_kernel(start, 0.01, L, accuracy=1e-10).values
    for dtype in (np.float16, np.float32):
        rounded = start.Lambda.real.astype(dtype) + 1j * start.Lambda.imag.astype(dtype).astype(np.float64)
        values = convolution_kernel(replace(start, Lambda=rounded), 0.01, L, accuracy=1e-10).values
        half[N, dtype] = np.linalg.norm(values - truth) / np.linalg.norm(truth)
    print(f"N = {N:3}: kernel off by {half[N, np.float16]:.1%} in float16, {half[N, np.float32]:.0e} in float32")
    assert half[N, np.float16] > 1000 * half[N, np.float32]
assert half[256, np.float16] > 0.1 > half[16, np.float16]
weak = replace(start, Lambda=-0.001 + 1j * start.Lambda.imag)  # N = 256, hardly damped
truth = convolution_kernel(weak, 0.01, L, accuracy=1e-10).values
rounded = replace(weak, Lambda=-0.001 + 1j * weak.Lambda.imag.astype(np.float32).astype(np.float64))
values = convolution_kernel(rounded, 0.01, L, accuracy=1e-10).values
loss = np.linalg.norm(values - truth) / np.linalg.norm(truth)
print(f"N = 256, real part -0.001: off by {loss:.0e} in float32")
assert loss > 3 * half[256, np.float32]

# %% [markdown]
r"""
## What to take away

| you want | choose |
|---|---|
| a memory of $T$ samples | $\Delta \approx 1/T$ (LegS), $1/(2T)$ (windows of length 1); a range of steps for a range of $T$ |
| $f$ periods resolved within it | $N \approx \pi f$ and a few more |
| S4D-LegS to be LegS up to $\epsilon$ | $N \ge \sqrt2/(\epsilon\sqrt\Delta)$, or keep the low-rank term |
| no pole beyond Nyquist | $N\sqrt\Delta < \pi$ (LegS, Inv), $N\Delta < 2$ (Lin) |
| single precision | $N$ up to a few hundred, poles and phases in double beyond; never poles in half |

The third line and the fourth contradict each other, and zero-order hold is what makes the third the better choice.
To check more: `hippo verify httyh.timescale httyh.timescale.steps httyh.fout.half s4d.dt s4d.conj5 core.sampled.zoh
core.diag.asym core.diag.smallest`. Papers: HTTYH (arXiv:2206.12037), S4D (arXiv:2206.11893), HiPPO
(arXiv:2008.07669).
"""
