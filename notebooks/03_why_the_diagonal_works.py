# %% [markdown]
r"""
# 3. Why the diagonal works, and in which sense

**The short answer.** S4D-LegS drops the low-rank term of LegS, keeps half of $B$, and still approaches LegS as $N$
grows, but only *weakly*: transfer functions converge at every fixed point, like $1/N$ on the imaginary axis; kernels
do not converge in $L^2$, not even pointwise at $t = 0$, and transfer functions not uniformly. What does not go away
is pushed to frequencies that grow like $N^2$, where zero-order hold averages it out, so that in practice the error
falls like $1/N$ after all. And it is special to LegS: for LagT, LegT and FouT the same step leaves an error that
never falls.

One scalar function explains all of this. Everything below is a consequence of it, and is checked against systems,
poles or exact integers that know nothing of it.
"""

# %%
# %matplotlib inline
import math
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import hippo_theory as ht
from hippo_theory.asymptotics import exact_l2_squared
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import STYLE
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import hinf_norm, l2_squared, transfer_value

plt.style.use(STYLE)
BALLS = ht.balls(256)


def show(id, **parameters):
    """A figure of the package's gallery."""
    (entry,) = find_figures([id])
    return draw(entry, **parameters)


# %% [markdown]
r"""
## One scalar function

LegS, LagT and FouT are $A = S - \tfrac12BB^\top$ with $S$ normal. Write $X(s) = (sI-A)^{-1}B$ for the vector of
transfer functions and $q(s) = 1 - B^\top X(s)$. Since
$(sI - S)X = (sI - A)X - \tfrac12BB^\top X = B - \tfrac12B(1-q) = \tfrac12B(1+q)$, the restriction $(S, \tfrac12B)$
has

$$X^D(s) = (sI-S)^{-1}\tfrac12B = \frac{X(s)}{1+q(s)}, \qquad X^D - X = -\frac{q}{1+q}X .$$

*One* factor for all $N$ states. Left a sum over the poles of the diagonal system, right the closed forms.
"""

# %%
s = Fraction(1, 3)
for family in (ht.LegS(24), ht.LagT(24), ht.FouT(25)):
    for n in (0, 1, 7, 20):
        poles = transfer_value(diagonal_kernel(family, n, BALLS), s)
        with BALLS.work() as ring:
            closed = family.transfer_function(n, s, ring) / (1 + family.inner_function(s, ring))
        assert poles.overlaps(closed) and poles.rad() < 1e-60

# %% [markdown]
r"""
The restriction is close to the full system exactly where $q$ is small. For LegS,
$q_N(s) = \prod_{k<N}\frac{s-k}{s+k+1}$. Three things can be read off.

**It vanishes at $s = 0, 1, \dots, N-1$**: there both systems agree *exactly*. At $s = 0$: the response to a constant
input is the same.
"""

# %%
legs = ht.LegS(12)
for k in range(12):
    assert legs.inner_function(k, ht.rationals()) == 0  # exact
    gap = transfer_value(diagonal_kernel(legs, 3, BALLS) - full_kernel(legs, 3, BALLS), k)  # over the poles
    assert gap.contains(0) and gap.rad() < 1e-50

# %% [markdown]
r"""
**On the imaginary axis** $|q_N(i\omega)| = |\omega|/\sqrt{\omega^2 + N^2}$: small as long as $\omega \ll N$, near 1
far beyond.
"""

# %%
for N in (16, 64, 256):
    with ht.balls(512).work() as ring:  # a product of N turning factors costs about half a bit each
        for omega in (Fraction(1, 2), 3, 20, N, N * N):
            w = ring.number(omega)
            modulus = abs(ht.LegS(N).inner_function(w * ring.imaginary_unit, ring))
            assert modulus.overlaps(w / (w * w + N * N).sqrt()) and modulus.rad() < 1e-60

# %% [markdown]
r"""
**At any fixed $s$ right of $-\tfrac12$** it falls like $N^{-1-2\mathrm{Re}\,s}$. The main experiment of the package
measures the distance of the two systems, certified, from their poles; its slopes are what $q$ says.
"""

# %%
study = ht.converge("legs", sizes=[64, 128, 256, 512], methods=["continuous"], components=[0, 1], norms=["transfer"])
for rate in study.rates:
    print(f"n = {rate.component}, s = {rate.point:8} slope {rate.slope:+.3f}, theory {rate.theory:+.1f}")
    assert abs(rate.slope - rate.theory) < 0.02  # observed: three halvings of a law in 1/N
for row in study.rows:
    assert row.kind == "certified" and row.theory.overlaps(row.error)  # the closed form against the poles

# %% [markdown]
r"""
This is *weak* convergence: the transfer function at $s$ is the integral of the kernel against $e^{-st}$, and what is
measured through any fixed smooth function converges. It needs the half in $\tfrac12B$: where $q$ is small, $(S, B)$
is twice too large.
"""

# %%
for N in (64, 256):
    half = transfer_value(diagonal_kernel(ht.LegS(N), 0, BALLS), Fraction(1, 2))
    with BALLS.work() as ring:
        exact = ht.LegS(N).transfer_function(0, Fraction(1, 2), ring)
        assert abs(half / exact - 1) < 1 / N**2 < abs(2 * half / exact - 1)  # 2 half: the whole of B

# %% [markdown]
r"""
## Not in $L^2$, and not pointwise

At $t = 0$ the kernels are $\tfrac12B$ and $B$, for every $N$. Over all of time their squared distance has a closed
form,

$$\int_0^\infty(K^D_n - K_n)^2\,dt = \frac{2n+1}{4} - \frac{1+3n(n+1)}{2N^2} \quad (n \le N-2),$$

which grows to $(2n+1)/4$, while each LegS kernel itself has the square $\tfrac12$. For $n = 0$ an error of 71 per
cent, for ever.
"""

# %%
for N in (8, 64, 256):
    for n in (0, 1, 4):
        error = diagonal_kernel(ht.LegS(N), n, BALLS) - full_kernel(ht.LegS(N), n, BALLS)
        with BALLS.work() as ring:
            assert (error(0) ** 2).overlaps(ring.number(Fraction(2 * n + 1, 4)))
            square = l2_squared(error)  # all pairs of poles
            assert square.overlaps(ring.number(exact_l2_squared(N, n))) and square.rad() < 1e-30
        assert l2_squared(full_kernel(ht.LegS(N), n, BALLS)).contains(0.5)
print("sqrt of the limit over the norm, n = 0:", round(math.sqrt(0.25 / 0.5), 4))

# %%
figure, data = show("legs-full-against-diagonal")
figure

# %% [markdown]
r"""
The upper row is what the papers' pictures show as noise. It is no noise: one damped sine for each pole, of height
near $2R_n/((2m+1)\pi)$ and frequency $\omega_m \approx N^2/((2m+1)\pi)$, $R_n = \sqrt{2n+1}$. Together they have the
strength $\tfrac12R_ne^{-t/2}$ at every time, whatever $N$; only the frequencies grow.
"""

# %%
for N in (64, 256):
    kernel = diagonal_kernel(ht.LegS(N), 0, BALLS)
    for m in range(3):
        height, frequency = 2 * abs(complex(kernel.coefficients[m])), float(kernel.rates[m].imag)
        mu = (2 * m + 1) * np.pi
        assert abs(height * mu / 2 - 1) < mu**2 / N**2  # claim core.diag.noise has the next term, mu^2/(3 N^2)
        assert abs(frequency - N**2 / mu) < mu / 4  # claim core.diag.asym: mu/6
    error = kernel - full_kernel(ht.LegS(N), 0, BALLS)
    for horizon in (1, 3):
        mean = float(l2_squared(error, horizon)) / (0.25 * (1 - math.exp(-horizon)))
        print(f"N = {N:3}, energy up to t = {horizon} over its limit: {mean:.4f}")
        assert abs(mean - 1) < 3 / N  # claim core.diag.noise.rms

# %% [markdown]
r"""
## Not uniformly in frequency

Each pole is a spike of the transfer function on the imaginary axis. The highest sits at $N^2/\pi$, and its height
does not change with $N$: the largest difference over all frequencies tends to $2R_n/\pi$, from above. In the language
of inputs: for each $N$ there are inputs of energy 1 after which the outputs differ by nearly as much, in energy.
"""

# %%
for n in (0, 2):
    limit = 2 * math.sqrt(2 * n + 1) / math.pi
    for N in (64, 256, 1024):
        largest = hinf_norm(ht.LegS(N), n)
        assert largest.kind == "certified"
        ratio, place = float(largest.value) / limit, float(largest.frequency) / (N**2 / math.pi)
        print(f"n = {n}, N = {N:4}: largest difference {ratio * limit:.7f} at {place:.5f} N^2/pi")
        # Next term: claim core.diag.spike.sup, its bracket.
        assert abs(ratio - 1 - math.pi**2 / (12 * N**2)) <= 7.3 * (n + 1) ** 2 / N**4 + 4 * np.finfo(float).eps
        assert abs(place - 1) < 3 / N**2
figure, data = show("transfer-spikes")
figure

# %% [markdown]
r"""
## What a machine computes is discrete

No model runs in continuous time. Zero-order hold averages each kernel over one step $\Delta$; sines of frequency
$N^2/\pi$ do not survive that, and now kernels do converge, in every sense, like $1/N$. The bilinear method and plain
sampling do not average. (Why is the subject of [the next notebook](04_discretization_as_a_low_pass_filter.ipynb).)
"""

# %%
study = ht.converge(
    "legs",
    sizes=[64, 128, 256, 512],
    steps=["0.1"],
    components=[0],
    norms=["l2", "sup"],
    methods=["zoh", "bilinear", "sampled"],
)
slopes = {(rate.method, rate.norm): rate.slope for rate in study.rates}
for (method, norm), slope in slopes.items():
    print(f"{method:9} {norm:4} N^{slope:+.2f}")
assert abs(slopes["zoh", "l2"] + 1) < 0.1 and abs(slopes["zoh", "sup"] + 1) < 0.2
assert abs(slopes["bilinear", "l2"]) < 1e-3  # not at all: the same closed form as in continuous time
assert all(row.error > 0.2 for row in study.rows if row.method == "sampled")
figure, data = show("error-against-size")
figure

# %% [markdown]
r"""
## Why only LegS

The identity with $q$ holds for every family with a rank-one term, and asks one thing: does $q$ go to zero? For LagT
$q = \bigl(\frac{s-1/2}{s+1/2}\bigr)^N$ has modulus 1 everywhere on the imaginary axis. For FouT $q \to -e^{-s}$, so
that the restriction has $\frac{1}{1-e^{-s}}$ times the window: the window repeated for ever (dotted in the picture).
For LegT the term has rank two, there is no scalar factor, and the answer is no as well.
"""

# %%
with BALLS.work() as ring:
    for N in (8, 33, 200):
        modulus = abs(ht.LagT(N).inner_function(ring.number(2) * ring.imaginary_unit, ring))
        assert modulus.contains(1) and modulus.rad() < 1e-60
    s = ring.number(Fraction(1, 2))
    assert abs(ht.FouT(1025).inner_function(s, ring) + (-s).exp()) < 0.01 / 1025
for family, sizes in (
    ("legs", (16, 64, 256)),
    ("lagt", (16, 64, 256)),
    ("fout", (15, 63, 255)),
    ("legt", (16, 32, 64)),
):
    rows = ht.converge(
        family, sizes=sizes, methods=["continuous"], components=[0], norms=["transfer"], points=["2j"]
    ).rows
    errors = [float(row.error) for row in rows]
    print(f"{family}: N = {sizes}, difference at s = 2i: " + ", ".join(f"{error:.4f}" for error in errors))
    assert all(row.kind == "certified" for row in rows)
    assert errors[-1] < 0.004 if family == "legs" else min(errors) > 0.2
figure, data = show("other-families-full-against-diagonal")
figure

# %% [markdown]
r"""
## What to take away

- "S4D-LegS converges to S4-LegS" is true weakly: at fixed frequencies, like $1/N$; not in $L^2$, not at $t=0$, not
  uniformly in frequency.
- $X^D - X = -\frac{q}{1+q}X$: *where* the two agree is where $|q|$ is small, $\omega \ll N$.
- Use $B/2$ with LegS (the original code leaves the half out; a trainable $C$ hides it). Do not drop the low-rank term
  of any other family.

To check more: `hippo verify s4d.thm3 s4d.thm3.rate s4d.thm3.l2 s4d.thm3.uniform s4d.B s4d.cor.lagt core.rank1
core.diag.exact core.diag.interp core.diag.weak core.diag.l2.norm core.diag.spike core.diag.noise ptd.thm1 ptd.thm2
core.rank1.fout`. Papers: S4D (arXiv:2206.11893), PTD (arXiv:2310.01698), DSS (arXiv:2203.14343).
"""
