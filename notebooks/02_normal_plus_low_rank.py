# %% [markdown]
r"""
# 2. Normal plus low rank

**The short answer.** No HiPPO matrix may be diagonalized: the eigenvectors of LegS are known exactly, in integers,
and their condition number passes $10^{16}$ near $N = 24$. But each HiPPO matrix becomes *normal* when one or two
columns are added, $A + PP^\top = V\Lambda V^*$ with $V$ unitary, and this changes everything: unitary transformations
lose nothing, and $\Lambda$, $V^*B$ and $V$ have closed forms. So the spectrum of LegS costs $O(N)$ operations, is
right in its last digit, and no eigensolver is called anywhere.

Each check is one of three kinds: *exact* (integers, roots), *certified* (the true value lies in the ball), or in
floats with a tolerance that is a number times `EPSILON` times a scale.
"""

# %%
# %matplotlib inline
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import scipy.linalg

import hippo_theory as ht
from hippo_theory.decompositions import (
    diagonalization_residual,
    diagonalizing_condition,
    diagonalizing_growth,
    diagonalizing_matrix,
    largest_diagonalizing_entry,
    reassembly_residual,
    rescaled_state_matrix,
    residual,
    unitarity_residual,
)
from hippo_theory.families import legs_phase
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import STYLE
from hippo_theory.systems import to_dense, transfer_function

plt.style.use(STYLE)
EPSILON = np.finfo(np.float64).eps
EXACT, BALLS = ht.exact(), ht.balls(200)


def show(id, **parameters):
    """A figure of the package's gallery."""
    (entry,) = find_figures([id])
    return draw(entry, **parameters)


# %% [markdown]
r"""
## One or two columns make it normal

A real matrix is normal if it commutes with its transpose. No $A$ does; every $S = A + PP^\top$ does, with one column
in $P$ for LegS, LagT and FouT and two for LegT. Below, exactly: entries are square roots and $\pi$, not floats.
"""

# %%
for family in (ht.LegS(5), ht.LagT(5), ht.FouT(5), ht.LegT(5)):
    A, S = family.state_matrix(EXACT), family.normal_part(EXACT)
    assert not np.array_equal(A @ A.T, A.T @ A)
    assert all((entry.expand() if hasattr(entry, "expand") else entry) == 0 for entry in (S @ S.T - S.T @ S).ravel())
    print(f"{family.name}: normal after adding rank {family.low_rank_columns}, real part {family.normal_real_part}")
assert [f(5).low_rank_columns for f in (ht.LegS, ht.LagT, ht.FouT, ht.LegT)] == [1, 1, 1, 2]

# %% [markdown]
r"""
For LegS the reason is one line, $A + A^\top = -(I + BB^\top)$. With $P = B/\sqrt2$ the sum $S = A + \tfrac12BB^\top$
is $-\tfrac12I$ plus an antisymmetric matrix.
"""

# %%
legs = ht.LegS(7)
A, B = legs.state_matrix(EXACT), legs.input_vector(EXACT)
assert np.array_equal(A + A.T, -(np.eye(7, dtype=int) + np.outer(B, B)))
S = legs.normal_part(EXACT)
assert not (S + S.T + np.eye(7, dtype=int)).any()

# %% [markdown]
r"""
The same line makes LegS harmless although it is far from normal: its numerical range lies left of $-\tfrac12$, so
that $\lVert(sI-A)^{-1}\rVert \le 1/(\mathrm{Re}\,s + \tfrac12)$, as if $A$ were normal. Errors in $A$ and $B$ are not
amplified. The picture shows the numerical ranges divided by $N^2$, and how far the resolvent on the imaginary axis
stays below its bound 2 (dotted).
"""

# %%
legs = ht.LegS(64)
for s in (0, 0.1 + 1j, 5j, 3, 40j):
    norm = np.linalg.norm(np.linalg.inv(s * np.eye(64) - legs.A), 2)
    assert norm <= (1 + 64 * EPSILON) / (s.real + 0.5)
figure, data = show("numerical-range-resolvent")
figure

# %% [markdown]
r"""
## Why not diagonalize $A$ itself

It is triangular, so its eigenvalues are $-1, \dots, -N$, all different, and it *is* diagonalizable. In coordinates
where all entries are integers, $H = -T^{-1}AT$ with $T = \mathrm{diag}((-1)^n\sqrt{2n+1})$, the eigenvectors are
binomial coefficients:

$$HV = V\,\mathrm{diag}(1, \dots, N), \qquad V_{ij} = \binom{i+j}{i-j} .$$
"""

# %%
print(rescaled_state_matrix(5))
print(diagonalizing_matrix(5))
assert not diagonalization_residual(64).any()  # exact integers
largest, law = largest_diagonalizing_entry(1024), diagonalizing_growth(1024, BALLS)
with BALLS.work() as ring:
    assert abs(ring.number(largest) / law - 1) < 1 / 1024  # grows like the 2N-th power of the golden ratio
print(f"the largest of them at N = 1024 has {len(str(largest))} digits")

# %% [markdown]
r"""
Scaling cannot help: of all scalings of the eigenvectors of $A$ the best still has this condition number, certified.
Near $N = 24$ nothing is left of 16 digits. (Left the entries of $V$, right their growth: the entry that S4 quotes, of
about $2^{4N/3}$, is not the largest.)
"""

# %%
for N in (8, 16, 24, 32):
    print(f"N = {N:2}: {float(diagonalizing_condition(N, BALLS)):.2e}")
assert diagonalizing_condition(16, BALLS) < 1e12 < 1 / EPSILON < diagonalizing_condition(24, BALLS)
figure, data = show("eigenvector-growth")
figure

# %% [markdown]
r"""
So it comes as it must. The kernel $e_n^\top e^{tA}B$ of $N = 48$ at $t = \tfrac12$ through the eigenvectors of $A$,
and through the unitary $V$ of the normal part (as a system in the coordinates of $V$, whose matrix is
$\Lambda - V^*P(V^*P)^*$). The picture says why: at $N = 16$ a change of $A$ by $10^{-6}$ can put an eigenvalue
anywhere in the dark lake, while those of a normal matrix move by no more than the change.
"""

# %%
legs, t = ht.LegS(48), Fraction(1, 2)
truth = np.array([float(legs.kernel(n, t, BALLS)) for n in range(48)])
eigenvalues, vectors = np.linalg.eig(legs.A)
naive = (vectors * np.exp(eigenvalues * float(t))) @ np.linalg.solve(vectors, legs.B)
system = ht.normal_plus_low_rank(legs).to_system()
dense = to_dense(system)
unitary = dense.C @ (scipy.linalg.expm(float(t) * dense.A) @ dense.B)
assert abs(naive - truth).max() > 1e-3 * abs(truth).max()  # observed: every run loses at least 13 of 16 digits
assert abs(unitary - truth).max() <= 4 * EPSILON * np.linalg.norm(legs.A, 2)
legs = ht.LegS(16)
smallest = [np.linalg.svd(-10.3 * np.eye(16) - M, compute_uv=False)[-1] for M in (legs.A, legs.A + legs.P @ legs.P.T)]
assert smallest[0] < 1e-6 and smallest[1] > 9.8 - 16 * EPSILON * np.linalg.norm(legs.A)  # 9.8: from -10.3 to -1/2
figure, data = show("pseudospectra")
figure

# %% [markdown]
r"""
## The decomposition, certified

`normal_plus_low_rank` returns $A = V(\Lambda - PP^*)V^*$ from closed forms, in float64 or in balls. In balls it is a
proof: put together again, every entry of $A - V(\Lambda - PP^*)V^*$ is a ball of radius below $10^{-40}$ that
contains zero.
"""

# %%
for family in (ht.LegS(12), ht.LagT(12), ht.FouT(11), ht.LegT(12), ht.make_family("legt", 12, convention="s4")):
    certificate = reassembly_residual(family, BALLS)
    assert certificate.contains_zero and certificate.radius < Fraction(1, 10**40)
    parts = ht.normal_plus_low_rank(family)  # float64 now: the residual in balls is its true backward error
    assert residual(parts, BALLS).magnitude <= 16 * EPSILON * np.linalg.norm(family.A, 2)
    assert unitarity_residual(parts, BALLS).magnitude <= 12 * EPSILON

# %% [markdown]
r"""
What cannot be written so says so. LMU is LegT in other units; a diagonal similarity of a normal matrix is not normal.
"""

# %%
try:
    ht.normal_plus_low_rank(ht.make_family("lmu", 6))
except ht.InputError as error:
    print(error)
else:
    raise AssertionError("a decomposition was given where there is none")

# %% [markdown]
r"""
## The spectrum without an eigensolver

The eigenvalues of $S$ for LegS are $-\tfrac12 + iw$ where

$$\phi_N(w) = \sum_{k=0}^{N-1}\arctan\frac{w}{k+\frac12} = \frac\pi2 m, \qquad m = N-1, N-3, \dots, -(N-1) .$$

$\phi_N$ increases: one root for each $m$, all of them simple, none missed. The package finds them from $\log\Gamma$;
here they are put into the plain sum of arctangents, in balls.
"""

# %%
legs = ht.LegS(64)
frequencies = legs.normal_frequencies(BALLS)
with BALLS.work() as ring:
    for m, w in zip(range(63, -64, -2), frequencies, strict=True):
        total = sum(((w / (k + ring.number(Fraction(1, 2)))).atan() for k in range(64)), ring.number(0))
        assert (total - ring.pi * m / 2).contains(0) and total.rad() < 1e-50
print("w_0 of N = 64:", ht.decimal_ball(frequencies[0], 40).value)
figure, data = show("spectra")
figure

# %% [markdown]
r"""
A dense eigensolver finds the same numbers, but its error is relative to the *largest* eigenvalue, and they range from
$N^2/\pi$ down to $\tfrac{\pi/2}{\ln N}$ or so. At $N = 1024$ the small ones have lost several digits; the closed form
has not.
"""

# %%
legs = ht.LegS(1024)
found = np.linalg.eigvalsh(-1j * (legs.A + legs.P @ legs.P.T))[::-1]
spectrum = legs.normal_spectrum().imag
assert abs(found - spectrum).max() <= 8 * EPSILON * spectrum[0]  # the promise of the eigensolver, c = 8, and it is kept
relative = abs(found - spectrum) / abs(spectrum)
assert relative[0] < 16 * EPSILON and relative[511] > 1000 * EPSILON  # largest and smallest: observed
with BALLS.work() as ring:
    certain = legs_phase.frequencies(1024, ring, np.array([0, 255, 511]))
    for index, w in zip((0, 255, 511), certain, strict=True):
        assert abs(w - ring.number(float(spectrum[index]))) <= 2 * np.spacing(
            spectrum[index]
        )  # 2 units in the last place

# %% [markdown]
r"""
Each root costs $O(1)$ by Stirling's series, so a million of them cost a second or two. The largest agrees with its
own asymptotic series $w_0 = N^2/\pi - \pi/6 + 0.6063\dots/N^2 + \dots$, the smallest with
$\tfrac{\pi/2}{\ln N + \gamma + 2\ln2}$.
"""

# %%
N = 10**6
spectrum = ht.LegS(N).normal_spectrum().imag
assert abs(spectrum[0] - (N**2 / np.pi - np.pi / 6)) <= 4 * np.spacing(spectrum[0])
smallest = (np.pi / 2) / (np.log(N) + np.euler_gamma + 2 * np.log(2))
print(f"N = 10^6: from {spectrum[0]:.6e} down to {spectrum[N // 2 - 1]:.9f}, about {smallest:.4f}")
assert abs(spectrum[N // 2 - 1] / smallest - 1) < 0.01
assert np.all(np.diff(spectrum) < 0)

# %% [markdown]
r"""
The other families have closed spectra too: $2\pi m$ for FouT and $\tfrac12\cot\frac{(2j+1)\pi}{2N}$ for LagT, both
with real part 0. (LegT solves an equation in spherical Bessel functions, claim `core.legt.secular`.)
"""

# %%
fout, lagt = ht.FouT(9).normal_spectrum(), ht.LagT(8).normal_spectrum()
assert np.array_equal(fout.real, np.zeros(9)) and np.array_equal(lagt.real, np.zeros(8))
assert np.allclose(fout.imag, 2 * np.pi * np.arange(4, -5, -1), rtol=4 * EPSILON, atol=0)
slope = 0.5 + 2 * lagt.imag[0] ** 2  # of the cotangent at its steepest place, where it magnifies the rounding of pi
assert np.allclose(
    lagt.imag, 0.5 / np.tan((2 * np.arange(8) + 1) * np.pi / 16), rtol=0, atol=2 * slope * np.pi * EPSILON
)

# %% [markdown]
r"""
## What S4 does with it

Woodbury's formula turns the resolvent of $\Lambda - PP^*$ into four sums over $\Lambda$, $O(N)$ a point instead of
$O(N^3)$. Against the closed form of LegS, in which no matrix occurs:
"""

# %%
legs = ht.LegS(64)
system = ht.normal_plus_low_rank(legs).to_system()
points = np.array([0.5, 0.25 + 1j, 2j, 30j])
woodbury = transfer_function(system, points)
with BALLS.work() as ring:
    closed = np.array([[complex(legs.transfer_function(n, s, ring)) for n in range(64)] for s in points.tolist()])
assert abs(woodbury - closed).max() <= 8 * EPSILON * abs(closed).max()

# %% [markdown]
r"""
And it is why the low-rank term is best kept *tied* when it is trained. $\Lambda - PP^*$ with
$\mathrm{Re}\,\Lambda < 0$ is stable for every $P$, since $x^*(\Lambda - PP^*)x$ has a negative real part; with an
untied $Q$ nothing keeps $\Lambda - PQ^*$ stable.
"""

# %%
random = np.random.default_rng(0)
Lambda = ht.diagonal_restriction(ht.LegS(32)).Lambda
tied, untied = [], []
for _ in range(50):
    P, Q = random.normal(size=(2, 32, 2)) @ np.array([1, 1j]) * 3
    tied.append(np.linalg.eigvals(np.diag(Lambda) - np.outer(P, P.conj())).real.max())
    untied.append(np.linalg.eigvals(np.diag(Lambda) - np.outer(P, Q.conj())).real.max())
assert max(tied) <= -0.5 + 4 * EPSILON * (abs(Lambda[0]) + 9 * 2 * 32 * 4)
assert sum(value > 0 for value in untied) > 25  # observed, this seed
print(f"unstable out of 50: {sum(value > 0 for value in tied)} tied, {sum(value > 0 for value in untied)} untied")

# %% [markdown]
r"""
## What to take away

- Never call an eigensolver on $A$. Call nothing on $A + PP^\top$ either: its spectrum is a formula.
- $A = V(\Lambda - PP^*)V^*$ with $V$ unitary; for LegS, LagT and FouT $P$ is $B$ times a number.
- LegS is not normal, but $A + A^\top = -(I + BB^\top)$ bounds its resolvent as if it were.

To check more: `hippo verify s4.thm1 s4.lem3.2 s4.lem3.2.growth s4.woodbury s4.sashimi core.legs.sym
core.legs.sym.resolvent core.diag.phase core.diag.vectors core.diag.smallest core.lagt.eig core.legt.secular.roots
ptd.thm4.unperturbed`. Papers: S4 (arXiv:2111.00396), PTD (arXiv:2310.01698). Next: [what happens when the low-rank
term is dropped](03_why_the_diagonal_works.ipynb).
"""
