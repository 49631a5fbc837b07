# %% [markdown]
r"""
# 4. Discretization as a low-pass filter

**The short answer.** Zero-order hold averages a kernel over each step, which is a low-pass filter; what separates
S4D-LegS from LegS sits at frequencies up to $N^2/\pi$, and that filter removes it: the $L^2$ error is
$\sqrt{2n+1}/(N\sqrt\Delta)$. The bilinear method removes nothing. It bends the frequency axis into a circle and keeps
the energy of every mode exactly, so that the error is still there, as an echo that arrives later than most kernels
are long. Plain sampling keeps all of it too, folded onto low frequencies.

(Steps are called $\Delta$ here, kernels are divided by the step, and both sides of a comparison are discretized
alike.)
"""

# %%
# %matplotlib inline
import math
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import hippo_theory as ht
from hippo_theory.asymptotics import exact_l2_squared
from hippo_theory.discretizations import METHODS, discretize, discretize_dense
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import COLORS, STYLE, label_curves
from hippo_theory.kernels import diagonal_kernel, full_kernel

plt.style.use(STYLE)
EPSILON = np.finfo(np.float64).eps
BALLS = ht.balls(192)


def show(id, **parameters):
    """A figure of the package's gallery."""
    (entry,) = find_figures([id])
    return draw(entry, **parameters)


def gap(N, component=0, **options):
    """Certified distance between LegS and its diagonal restriction."""
    legs = ht.LegS(N)
    return ht.distance(ht.full_system(legs), ht.diagonal_restriction(legs), component=component, digits=10, **options)


# %% [markdown]
r"""
## One mode at a time

A kernel is a sum of modes $c\,e^{\lambda t}$. Every one-step method turns a mode into $c\,g(x)\,z(x)^l$ with
$x = \lambda\Delta$:

| method | $z(x)$ | $g(x)$ |
|---|---|---|
| zero-order hold | $e^x$ | $(e^x-1)/x$ |
| bilinear | $(2+x)/(2-x)$ | $2/(2-x)$ |
| sampling | $e^x$ | $1$ |

Below for the diagonal system: its modes through $z$ and $g$ in balls, and against that the dense matrices
$\bar A^l\bar B$ in floats, from `expm` and `solve`.
"""

# %%
restriction = ht.diagonal_restriction(ht.LegS(16)).to_dense()
modes = diagonal_kernel(ht.LegS(16), 0, BALLS)
for name, method in METHODS.items():
    sequence = discretize(modes, name, "0.05")
    Abar, Bbar = discretize_dense(restriction.A, restriction.B, name, "0.05")
    state = Bbar
    for lag in range(40):
        # Abar is a contraction (S + S^T = -I), so that errors of 1 unit and N terms add up over the lags, no more.
        assert abs(state[0] - float(sequence(lag))) <= 2 * (lag + 8) * EPSILON * np.linalg.norm(restriction.B)
        state = Abar @ state
    print(f"{method.title:17} {method.equation}")

# %%
figure, data = show("discretization-maps")
figure

# %% [markdown]
r"""
## Zero-order hold is an average over the step

$k_l = \frac1\Delta\int_{l\Delta}^{(l+1)\Delta}K(t)\,dt$, exactly. Checked with 24-point Gauss quadrature of the
continuous kernel: over one step its fastest mode turns by $\omega_0\Delta \approx 4$ radians, and 24 points integrate
such a wave to rounding.
"""

# %%
nodes, weights = np.polynomial.legendre.leggauss(24)
held = discretize(modes, "zoh", "0.05")
for lag in range(20):
    times = [Fraction(float((lag + (1 + node) / 2) * 0.05)) for node in nodes]
    mean = sum(weight * float(modes(time)) for weight, time in zip(weights / 2, times, strict=True))
    assert abs(mean - float(held(lag))) <= 4 * EPSILON * 8  # 8: more than any value of the kernel

# %% [markdown]
r"""
An average over $\Delta$ multiplies a frequency $\omega$ by
$|g(i\omega\Delta)| = \left|\frac{\sin(\omega\Delta/2)}{\omega\Delta/2}\right|$. Sampling does not touch it. The
bilinear method has a $g$ that falls as well, and still filters nothing; that is the next section.
"""

# %%
y = np.concatenate([np.geomspace(0.003, 3, 200), np.linspace(3, 200, 6000)])
gain = {name: np.abs(method.gain(1j * y)) for name, method in METHODS.items()}
assert np.allclose(gain["zoh"], np.abs(np.sinc(y / (2 * np.pi))), rtol=0, atol=8 * EPSILON)
assert np.array_equal(gain["sampled"], np.ones_like(y))

figure, axes = plt.subplots(figsize=(5, 2.8), layout="constrained")
names = {"zoh": ("zero-order hold", "blue"), "bilinear": ("bilinear", "vermilion"), "sampled": ("sampling", "green")}
for name, (_, color) in names.items():
    axes.loglog(y / 0.1, gain[name], color=COLORS[color], linewidth=0.8)
for height, N in ((2.5, 16), (6, 32), (15, 64)):
    frequencies = ht.diagonal_restriction(ht.LegS(N)).Lambda.imag[: N // 2]
    axes.plot(frequencies, np.full(N // 2, height), "|", color="black", markersize=4, markeredgewidth=0.5)
    axes.annotate(f"$N={N}$", (0.035, height), va="center", fontsize=7)
axes.set(
    xlim=(0.03, 2000), ylim=(1e-3, 30), xlabel=r"frequency $\omega$", ylabel=r"$|g(i\omega\Delta)|$, $\Delta = 0.1$"
)
label_curves(axes, [(2000, float(gain[name][-1]), text, COLORS[color]) for name, (text, color) in names.items()])
plt.show()

# %% [markdown]
r"""
The ticks are the poles of S4D-LegS. All that separates it from LegS are damped sines at these frequencies (notebook
3), the fast ones of them with the largest amplitude: $a_m \approx 2R_n/\mu$ at $\omega_m \approx N^2/\mu$,
$\mu = (2m+1)\pi$, $R_n = \sqrt{2n+1}$. Filter each and add up the mean squares:

$$\sum_m\tfrac12a_m^2\,|g(i\omega_m\Delta)|^2
\approx \frac1{2\pi}\int_0^\infty\frac{2R_n^2}{\mu^2}\,\mathrm{sinc}^2\frac{N^2\Delta}{2\mu}\,d\mu =
\frac{2R_n^2}{\pi N^2\Delta}\int_0^\infty\frac{\sin^2y}{y^2}dy = \frac{R_n^2}{N^2\Delta} .$$

With the common decay $e^{-t}$ of all squares the $L^2$ error is $R_n/(N\sqrt\Delta)$: exponents $-1$ in $N$ and
$-\tfrac12$ in the step. Against the certified distance, which knows nothing of this sum:
"""

# %%
for component in (0, 1):
    for N, step in ((64, "0.1"), (256, "0.1"), (256, "0.01"), (512, "0.01"), (512, "0.03")):
        size = N * math.sqrt(float(step))
        ratio = float(gap(N, component, norm="l2", method="zoh", step=step)) * size / math.sqrt(2 * component + 1)
        print(f"n = {component}, N = {N:3}, step {step:4}: N sqrt(step) = {size:5.1f}, error over law {ratio:.3f}")
        assert 0.909165 <= ratio <= 1.060919  # the bracket of claim core.sampled.zoh, for N sqrt(step) >= 6

# %% [markdown]
r"""
So the number to look at is $N\sqrt\Delta$, not $N\Delta$. With the usual $N = 64$ and steps between $0.001$ and $0.1$
it runs from 2 to 20: at the small end the filter has hardly begun to work, and the "noise" of the continuous kernel
is all there. In the map below, lines of equal $L^2$ error are lines of equal $N\sqrt\Delta$ (dashed: the law) for
zero-order hold, and for no other method.
"""

# %%
floor = math.sqrt(exact_l2_squared(64, 0))  # in continuous time, and in the limit of small steps
for step in ("0.001", "0.01", "0.1"):
    error = float(gap(64, norm="l2", method="zoh", step=step))
    print(f"N = 64, step {step:5}: error {error:.4f}, of {floor:.4f} unfiltered")
    assert error < floor
assert float(gap(64, norm="l2", method="zoh", step="0.001")) > 0.7 * floor
figure, data = show("size-step-map")
figure

# %% [markdown]
r"""
## The bilinear method keeps every bit of energy

Take one mode, $\mathrm{Re}\,\lambda < 0$. Discretized, its energy is
$\Delta\sum_l|c\,g\,z^l|^2 = |c|^2\frac{\Delta|g|^2}{1-|z|^2}$, and for the bilinear method
$1 - |z|^2 = \frac{-8\,\mathrm{Re}\,x}{|2-x|^2}$ and $|g|^2 = \frac{4}{|2-x|^2}$. What is left is
$\frac{|c|^2}{-2\,\mathrm{Re}\,\lambda}$: the energy in continuous time, whatever the step. A mode that is too fast is
not damped; it becomes slow to decay.
"""

# %%
with BALLS.work() as ring:
    i = ring.imaginary_unit
    for real, imaginary, dt in (
        (Fraction(-1, 2), 1303, Fraction(1, 10)),
        (Fraction(-1, 2), 3, 1),
        (-20, 7, Fraction(1, 3)),
    ):
        eigenvalue, dt = ring.number(real) + ring.number(imaginary) * i, ring.number(dt)
        kept = {}
        for name, method in METHODS.items():
            g, z = method.gain(eigenvalue * dt), method.multiplier(eigenvalue * dt)
            kept[name] = dt * abs(g) ** 2 / (1 - abs(z) ** 2) * -2 * ring.number(real)
        print({name: ht.decimal_ball(part, 8).value for name, part in kept.items()})
        assert kept["bilinear"].contains(1) and kept["bilinear"].rad() < 1e-40
        assert kept["zoh"] < 1

# %% [markdown]
r"""
The map $s = \frac2\Delta\frac{z-1}{z+1}$ is an isometry of $L^2$, inner products included. Hence the squared distance
of LegS and S4D-LegS after the bilinear method is the closed form of continuous time for *every* step: no convergence,
at no $N$. Left the certified distance from the discrete poles, right that rational number:
"""

# %%
for N, component in ((8, 0), (64, 0), (64, 3), (256, 1)):
    for step in ("0.01", "0.1", "2.5"):
        found = gap(N, component, norm="l2", method="bilinear", step=step)
        with BALLS.work() as ring:
            assert (found**2).overlaps(ring.number(exact_l2_squared(N, component)))
        assert found.rad() < 1e-9

# %% [markdown]
r"""
## Where the error goes: an echo

Nobody sees it, because it comes late. A packet of frequency $\omega$ arrives with the group delay
$t(v) = (1+v^2)\ln\bigl(1+\frac{(N\Delta)^2}{4v^2}\bigr)$, $v = \omega\Delta/2$, and no packet arrives before the
least of these. Until then the bilinear method is better than zero-order hold by many orders of magnitude; afterwards
it is not, for a time of order $(N\Delta)^2$.
"""

# %%
N, step = 256, "0.1"
v = np.geomspace(0.01, 1000, 20_001)
first = float(np.min((1 + v**2) * np.log1p((N * float(step)) ** 2 / (4 * v**2))))
print(f"first arrival at t = {first:.2f}")
assert abs(first - 8.0) < 0.1  # claim core.sampled.echo
largest = {t: float(gap(N, norm="sup", method="bilinear", step=step, horizon=t)) for t in (2, 4, 6, 8, 10)}
ever, hold = (float(gap(N, norm="sup", method=method, step=step)) for method in ("bilinear", "zoh"))
print("bilinear, largest error up to t:", {t: f"{value:.1e}" for t, value in largest.items()}, f"ever {ever:.1e}")
print(f"zero-order hold, ever: {hold:.1e}")
assert largest[4] < 1e-9 < 1e-3 < largest[8] and hold / 2 < ever < 4 * hold

# %%
figure, data = show("bilinear-echo")
figure

# %% [markdown]
r"""
## Sampling: everything folds back

$k_l = K(l\Delta)$ keeps every mode at full strength; those beyond the Nyquist frequency $\pi/\Delta$ come back as
slow ones. At lag 0 the two kernels differ by half of $B$ for every $N$ and every step, and that alone bounds the
distance from below. How many poles lie beyond a frequency the phase equation of notebook 2 says without any root:
$\phi_N$ increases, and takes the value $\frac\pi2m$ at the roots.
"""

# %%
for N in (16, 256):
    for component in (0, 1, 4):
        error = discretize(
            diagonal_kernel(ht.LegS(N), component, BALLS) - full_kernel(ht.LegS(N), component, BALLS), "sampled", "0.1"
        )
        with BALLS.work() as ring:
            R = ring.sqrt(ring.number(2 * component + 1))
            assert (error(0) + R / 2).contains(0) and error(0).rad() < 1e-30
        distance = float(gap(N, component, norm="l2", method="sampled", step="0.1"))
        assert distance >= math.sqrt(2 * component + 1) / 2 * math.sqrt(0.1)
frequencies = ht.diagonal_restriction(ht.LegS(256)).Lambda.imag
beyond = int((frequencies > math.pi / 0.1).sum())
print(f"N = 256, step 0.1: {beyond} of 128 pairs of poles lie beyond the Nyquist frequency")
phase = sum(math.atan(math.pi / 0.1 / (k + 0.5)) for k in range(256))
assert beyond == sum(math.pi / 2 * m > phase for m in range(255, 0, -2))

# %% [markdown]
r"""
## What to take away

- Zero-order hold is an average over the step; it is the reason why pictures of S4D-LegS look converged. Look at
  $N\sqrt\Delta$: the relative error is about $\sqrt2/(N\sqrt\Delta)$ for $n = 0$.
- The bilinear method is an isometry. Its error is tiny before the first echo ($t \approx 8$ for $N = 256$,
  $\Delta = 0.1$) and does not converge in $L^2$; when you quote its largest error, quote the horizon.
- If a start has modes beyond $\pi/\Delta$, what the model computes depends on the method, not only on the system.

To check more: `hippo verify core.sampled.zoh core.sampled.zoh.sup core.sampled.zoh.limit core.sampled.bilinear
core.sampled.echo core.sampled.echo.quiet core.sampled.echo.tail core.sampled.impulse s4d.fig2.num s4d.eq6.zoh
s4.bilinear`. Papers: S4 (arXiv:2111.00396), S4D (arXiv:2206.11893). The map over all sizes and steps: `hippo figures
size-step-map`.
"""
