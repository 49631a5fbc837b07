# %% [markdown]
r"""
# 1. Which HiPPO matrix?

**The short answer.** "The HiPPO matrix" of S4, S4D, DSS and S5 is **HiPPO-LegS**, written for $x' = Ax + Bu$ with the
sign that makes $A$ stable, and without the factor $1/t$ that LegS has in the paper of 2020. The other families (LegT,
LagT, FouT) differ in how they weigh the past, and each has relatives: LMU is LegT in other units, the LegT and FouT
of `state-spaces/s4` live on a window twice as long, the FouT of 2020 keeps half of the low-rank term. Signs, factors
2 and time scales are all that codebases disagree on, and this notebook pins every one of them down with a check.

Each statement below is followed by an assertion. Where balls are compared, the true values lie inside them; where
floats are compared, the tolerance is written as a number times the unit roundoff `EPSILON` times the scale of what is
compared.
"""

# %%
# %matplotlib inline
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import sympy
from flint import arb_mat

import hippo_theory as ht
from hippo_theory.families.conventions import CONVENTIONS
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import STYLE
from hippo_theory.kernels import legs_step

plt.style.use(STYLE)
EPSILON = np.finfo(np.float64).eps
EXACT, BALLS = ht.exact(), ht.balls(200)

# %% [markdown]
r"""
## A weight on the past, and the matrix that follows from it

Choose how much the input $t$ ago should count, $\omega(t) \ge 0$, and let $p_0, p_1, \dots$ be orthonormal for that
weight. The states $x_n(T) = \int_0^\infty \omega(t)\,p_n(t)\,u(T-t)\,dt$ are then the coefficients of the past in
this basis. For the right weights they obey a linear differential equation, and its matrix is *the* HiPPO matrix of
that weight.
"""

# %%
(entry,) = find_figures(["family-tree-matrices"])
figure, data = draw(entry)
figure

# %% [markdown]
r"""
For LegS, $\omega = e^{-t}$ and $p_n(t) = \sqrt{2n+1}\,P_n(2e^{-t}-1)$, and

$$A_{nk} = -\begin{cases}\sqrt{(2n+1)(2k+1)} & n > k\\ n+1 & n = k\\ 0 & n < k\end{cases} \qquad B_n = \sqrt{2n+1}.$$

The entries are exact square roots; `legs.A` is each of them rounded once.
"""

# %%
legs = ht.LegS(4)
A = legs.state_matrix(EXACT)
print(sympy.pretty(sympy.Matrix(A)))
assert np.array_equal(
    legs.A, ht.nearest(legs.state_matrix(BALLS))
)  # two routes: one square root in float64, or 200 bits

# %% [markdown]
r"""
The matrix does what the weight promises: the kernel $K_n(t) = e_n^\top e^{tA}B$, here from the exponential of the
*matrix*, is the *basis function* times the weight, $\omega(t)\,p_n(t)$. For LegS and for LagT (weight $e^{-t}$ with
$\beta = 1$) this is exact, at every $N$.
"""


# %%
def exponential_kernels(family, t):
    """exp(t A) B from the matrix itself, in balls."""
    with BALLS.work() as ring:
        A, B = ring.number(t) * family.state_matrix(ring), family.input_vector(ring)
        return np.array((arb_mat(A.tolist()).exp() * arb_mat(B[:, None].tolist())).entries())


for family in (ht.LegS(8), ht.LagT(8, beta=1)):
    for t in (Fraction(0), Fraction(1, 10), Fraction(1), Fraction(4)):
        found = exponential_kernels(family, t)
        with BALLS.work() as ring:
            promised = [family.basis(n, t, ring) * family.measure(t, ring) for n in range(8)]
        assert all(one.overlaps(other) and one.rad() < 1e-40 for one, other in zip(found, promised, strict=True))

# %% [markdown]
r"""
For the two windows, LegT and FouT, it holds only as $N \to \infty$: to forget what leaves the window one would have to
remember it, and the families use their own approximation of it instead. So the kernels leak past the end of the window,
where the weight is 0.
"""

# %%
legt, late = ht.LegT(8), Fraction(3, 2)
with BALLS.work() as ring:
    leak = legt.kernel(0, late, ring)  # by the exponential of a matrix of balls
    assert legt.measure(late, ring) == 0 and abs(leak) > 0.01  # certain: all of the ball is above 0.01
print("LegT, N = 8, half a window too late: K_0(3/2) =", ht.decimal_ball(leak, 8).value)

# %% [markdown]
r"""
## The sign

The paper of 2020 writes $c' = -Ac + Bf$ with a *positive* diagonal; everything since S4 writes $x' = Ax + Bu$ with
the minus inside. Taken for one another the system explodes. The package keeps the equation with the matrix, and
refuses to treat one as the other.
"""

# %%
legs, positive = ht.LegS(8), ht.make_family("legs", 8, convention="hippo2020")
assert np.array_equal(positive.A, -legs.A) and np.array_equal(positive.B, legs.B)
assert np.array_equal(np.diag(legs.A), -np.arange(1, 9.0))  # triangular: these are the eigenvalues
print(positive.form.equation)
try:
    ht.full_system(positive)
except ht.InputError as error:
    print(error)
else:
    raise AssertionError("a matrix that belongs to another equation was taken")

# %% [markdown]
r"""
## The factor $1/t$

LegS of 2020 is $c' = \frac1t(Ac + Bf)$: the coefficients of *all* of $f$ on $[0, t]$, uniformly weighed. S4 drops the
$1/t$. That is another system, with a fading memory, and one substitution joins the two: $t = e^\tau$ turns one into
the other. So what the S4 system makes of $e^{j\tau}$ is what the system of 2020 makes of the power $t^j$, namely its
coefficients in shifted Legendre polynomials:

$$X_n(j) = e_n^\top(jI - A)^{-1}B = \int_0^1 x^j\sqrt{2n+1}\,P_n(2x-1)\,dx .$$

Left the closed form of the package, right the integral, both exact.
"""

# %%
x = sympy.Symbol("x")
for n in range(4):
    for j in range(4):
        integral = sympy.integrate(sympy.expand(x**j * sympy.sqrt(2 * n + 1) * sympy.legendre(n, 2 * x - 1)), (x, 0, 1))
        assert sympy.simplify(legs.transfer_function(n, j, EXACT) - integral) == 0
print(sympy.Matrix([[legs.transfer_function(n, j, EXACT) for n in range(4)] for j in range(4)]))

# %% [markdown]
r"""
The upper right triangle is zero: a power $j < n$ has no $n$-th coefficient. And a constant input ($j = 0$) is
remembered as $e_0$ by both, which is the quickest test that a LegS matrix and its input vector belong together. There
are two conventions for the index of a step of the time-varying system; the one in the code keeps $e_0$, the one of
the paper does so only in the limit.
"""

# %%
assert np.array_equal(-legs.A @ np.eye(8)[0], legs.B)  # -A^-1 B = e_0, without a rounding: column 0 of A is -B
off: dict[str, list[float]] = {"code": [], "paper": []}
for convention, drift in off.items():
    state = np.eye(8)[0]
    for k in range(1, 801):
        state = legs_step(state, np.array(1.0), k, convention=convention)
        drift.append(float(np.linalg.norm(state - np.eye(8)[0])))
print("off after 100, 200, 400, 800 steps:", [f"{off['paper'][L - 1]:.4f}" for L in (100, 200, 400, 800)], "(paper)")
assert max(off["code"]) <= 8 * EPSILON  # e_0 is a fixed point of every step: what is rounded off does not add up
assert off["paper"][99] > off["paper"][199] > off["paper"][399] > off["paper"][799] > 0.01  # falls like (log L)/L

# %% [markdown]
r"""
## Windows and factors of two

`state-spaces/s4` stores half of the LegT (and FouT) of the papers: $A/2$ and $B/2$, which is the same memory on a
window of length 2. In transfer functions $X^{\mathrm{s4}}(s) = X(2s)$. The Legendre memory unit is LegT again,
$DAD^{-1}$ and $DB$ with a diagonal $D$: the same states in other units.
"""

# %%
paper, stored, lmu = ht.LegT(6), ht.make_family("legt", 6, convention="s4"), ht.make_family("lmu", 6)
assert np.array_equal(2 * stored.A, paper.A) and np.array_equal(2 * stored.B, paper.B)
solved = np.linalg.solve(np.eye(6) / 3 - stored.A, stored.B)  # X(1/3) of the stored matrix
closed = [float(paper.transfer_function(n, Fraction(2, 3), BALLS)) for n in range(6)]
condition = np.linalg.cond(np.eye(6) / 3 - stored.A)
assert abs(solved - closed).max() <= 2 * condition * EPSILON * max(closed)
D = lmu.B / paper.B  # the units, read off the input vectors
assert np.allclose(lmu.A, D[:, None] * paper.A / D, rtol=8 * EPSILON, atol=0)
print("LMU:", *lmu.A[:3, :3].tolist(), "B:", *lmu.B[:3].tolist())

# %% [markdown]
r"""
LagT has a twin as well: `lagt` of S4 is $\beta = 0$, whose basis is orthonormal for the weight 1; the paper's is
$\beta = 1$. They differ by $I/2$, and so their kernels by the factor $e^{-t/2}$.
"""

# %%
flat, fading = ht.LagT(6), ht.LagT(6, beta=1)
assert np.array_equal(flat.A - fading.A, np.eye(6) / 2)
t = Fraction(7, 3)
found = exponential_kernels(fading, t)
with BALLS.work() as ring:
    factor = (-ring.number(t) / 2).exp()
    assert all(found[n].overlaps(factor * flat.kernel(n, t, ring)) and found[n].rad() < 1e-40 for n in range(6))

# %% [markdown]
r"""
FouT exists twice, and here the factor 2 changes what the system *is*. With $R$ the rotation ($2\pi m$ on the side
diagonals) and $b$ the vector that is 1 at the constant and $\sqrt2$ at each cosine, the system of 2020 is
$A = R - bb^\top$, the one of *How to Train Your HiPPO* $A = R - 2bb^\top$, $B = 2b$. Only the second tends to a
window: to the input delayed by one, so that $q(s) = 1 - B^\top(sI-A)^{-1}B \to -e^{-s}$ and
$X_0(s) \to \int_0^1 e^{-st}dt$. The first remembers a staircase, which falls to a third from each window to the next:
$\frac{2}{3 - e^{-s}} = \frac23(1 + \frac13e^{-s} + \frac19e^{-2s} + \dots)$ times the same.
"""

# %%
window, staircase = ht.FouT(9), ht.make_family("fout", 9, convention="hippo2020")
b = window.B / 2
assert np.allclose(staircase.A - window.A, np.outer(b, b), rtol=4 * EPSILON, atol=4 * EPSILON * 8 * np.pi)
with BALLS.work() as ring:
    s = ring.number(Fraction(1, 2))
    decay = (-s).exp()
    for N in (65, 257, 1025):
        window, staircase = ht.FouT(N), ht.make_family("fout", N, convention="hippo2020")
        delay = -window.inner_function(s, ring)
        steps = staircase.transfer_function(0, s, ring) / window.transfer_function(0, s, ring)
        print(f"N = {N:4}: delay {ht.decimal_ball(delay, 7).value}, staircase {ht.decimal_ball(steps, 7).value}")
        assert 0.005 < N * abs(delay - decay) < 0.01  # of first order in 1/N: claim httyh.fout.delay
        assert 0.002 < N * abs(steps - 2 / (3 - decay)) < 0.004
    print(f"limits:   delay {ht.decimal_ball(decay, 7).value}, staircase {ht.decimal_ball(2 / (3 - decay), 7).value}")

# %% [markdown]
r"""
FouT needs whole pairs of cosine and sine. S4 stores an even number of states all the same: index 1 is a sine of
frequency 0, a state that nothing reaches. Under the default convention an even size is an error, not a surprise.
"""

# %%
dead = ht.make_family("fout", 8, convention="s4")
assert dead.B[1] == 0 and not dead.A[1].any() and not dead.A[:, 1].any()
try:
    ht.FouT(8)
except ht.InputError as error:
    print(error)
else:
    raise AssertionError("an even size was taken")

# %% [markdown]
r"""
## All of them side by side

Every variant is one line:
$A' = \mathrm{sign}\cdot\mathrm{rate}\cdot D(S - \mathrm{rank}\,PP^\top + \mathrm{shift}\,I)D^{-1}$,
$B' = \mathrm{rate}\cdot\mathrm{gain}\cdot DB$, with $S = A + PP^\top$ the normal part of the family. Each line is
checked at a point: the closed transfer function, transformed by the convention, against a linear system solved with
the *stored* matrix.
"""

# %%
s = 0.5 + 2j
print(f"{'system':17}{'convention':13}{'sign':>5}{'rate':>6}{'rank':>6}{'shift':>7}{'gain':>6}  {'D':6} written in")
for form in CONVENTIONS:
    N = 9 if form.family == "fout" and not form.even_sizes else 8
    family = ht.make_family(form.id, N, convention=form.name, **({"beta": "0.01"} if form.unit_mass else {}))
    resolvent = s * np.eye(N) - form.sign * family.A
    solved = np.linalg.solve(resolvent, family.B)
    with ht.balls(128).work() as ring:
        closed = np.array([complex(family.transfer_function(n, s, ring)) for n in range(N)])
    assert abs(solved - closed).max() <= 2 * np.linalg.cond(resolvent) * EPSILON * abs(closed).max()
    numbers = f"{form.sign:5}{form.rate!s:>6}{form.rank!s:>6}{form.shift!s:>7}{form.gain!s:>6}"
    diagonal = "LMU's" if form.rescaled else "I"
    print(f"{form.id:17}{form.name:13}{numbers}  {diagonal:6} {form.source.split(' (')[0].split(',')[0]}")

# %% [markdown]
r"""
## If you have numbers and do not know which

Ask. `validate` finds family, convention and size from invariants, and says how far off the numbers are, in units in
the last place.
"""

# %%
for id, convention in (("legs", "default"), ("legt", "s4"), ("lmu", "default"), ("lagt", "default"), ("fout", "s4")):
    family = ht.make_family(id, 8, convention=convention)
    ((finding,),) = [file.findings for file in ht.validate({"A": family.A, "B": family.B}).files]
    print(f"{id:5} {convention:8} -> {finding.identified}, convention {finding.convention}: {finding.verdict}")
    assert (finding.identified, finding.convention, finding.verdict) == (id, convention, "exact")
((wrong,),) = [file.findings for file in ht.validate({"A": positive.A, "B": positive.B}).files]
print("with the sign of 2020:", wrong.verdict, "-", wrong.parts["A"].why)
assert wrong.identified == "legs" and wrong.verdict == "deviates"

# %% [markdown]
r"""
## What to take away

- S4's matrix is LegS: lower triangular, diagonal $-1, -2, \dots, -N$, $-A^{-1}B = e_0$. If your diagonal is positive,
  negate $A$, not $B$.
- Dropping the $1/t$ makes the memory fade like $e^{-t}$; the polynomials are the same.
- A factor 2 in $A$ *and* $B$ is a time scale. A factor 2 in the low-rank term of FouT is another system.

To check more: `hippo verify hippo.thm2.legs hippo.thm1.legt hippo.issue11 hippo.legs.disc.drift core.legs.unit
core.legt.lmu s4.nplr.legt.halved s4.nplr.fout httyh.fout.2020 httyh.fout.half`. Papers: HiPPO (arXiv:2008.07669), S4
(arXiv:2111.00396), How to Train Your HiPPO (arXiv:2206.12037). Next: [what these matrices have in
common](02_normal_plus_low_rank.ipynb).
"""
