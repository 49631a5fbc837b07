# %% [markdown]
r"""
# 9. Structured state-space duality, in integers

**The short answer.** A time-varying state space system is a lower triangular matrix $M$ whose corner blocks have small
rank. If its transitions are invertible, it is also masked attention of the same width, for free. If some of them are
singular, it need not be: what counts then is not the rank of $M$ but the number of its *new columns*, block by block,
and this notebook computes both exactly, together with the dual or with the proof that there is none.

Everything below is exact: integers and fractions, no floating point, no tolerance.
"""

# %%
# %matplotlib inline
import itertools
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import hippo_theory as ht
from hippo_theory.duality import (
    TimeVaryingSystem,
    attention_matrix,
    chunked_cost,
    head_sum,
    least_dual,
    new_columns,
    one_semiseparable,
    realized_matrix,
    semiseparable_rank,
    softmax_ranks,
)
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import STYLE

plt.style.use(STYLE)

# %% [markdown]
r"""
## The matrix of a system

$$h_t = A_t h_{t-1} + b_t x_t, \qquad y_t = c_t^\top h_t \qquad\Longrightarrow\qquad
M_{ts} = c_t^\top A_t A_{t-1} \cdots A_{s+1} b_s \quad (t \ge s).$$

Every corner, rows from $t$ on and columns up to $t$ *with the diagonal*, factors through the state $h_t$: its rank is
at most $N$. The largest of these ranks is the semiseparable rank.
"""

# %%
rng = np.random.default_rng(0)
T, N = 10, 2
integers = lambda *shape: rng.integers(-2, 3, shape).astype(object)  # noqa: E731
system = TimeVaryingSystem(integers(T, N, N), integers(T, N), integers(T, N))
M = realized_matrix(system)
h = np.zeros(N, dtype=object)
x = integers(T)
for t in range(T):  # the recurrence, against the matrix
    h = system.A[t] @ h + system.B[t] * x[t]
    assert system.C[t] @ h == (M @ x)[t]
assert semiseparable_rank(M) <= N

# %% [markdown]
r"""
Leaving out the diagonal would measure something else. $I + E_{T1}$ (the identity with one more entry in the corner) has
rank 2, not 1:
"""

# %%
corner = np.eye(6, dtype=int)
corner[-1, 0] = 1
assert semiseparable_rank(corner) == 2

# %% [markdown]
r"""
## Attention, and the sum of heads

If $A_t = a_t I$, then $M = L \circ (C B^\top)$ with the mask $L_{ts} = a_t \cdots a_{s+1}$. If $A_t$ is diagonal, $M$ is
the sum of $N$ such heads of width one; mind the order $c^n (b^n)^\top$.
"""

# %%
scalar = TimeVaryingSystem(integers(T), integers(T, 3), integers(T, 3))
assert (realized_matrix(scalar) == one_semiseparable(scalar.A) * (scalar.C @ scalar.B.T)).all()

diagonal = TimeVaryingSystem(integers(T, 3), integers(T, 3), integers(T, 3))
heads = [one_semiseparable(a) * np.outer(c, b) for a, b, c in head_sum(diagonal)]
assert (realized_matrix(diagonal) == sum(heads)).all()

# %%
(entry,) = find_figures(["duality-masks"])
figure, data = draw(entry)
figure

# %% [markdown]
r"""
## When is there one masked attention of width $w$?

With invertible $A_t$ always, with $w = N$, even for dense $A_t$ (`ssd.diag.fullrank`). With singular ones the smallest
example that fails has $T = 4$: two heads give $2I + S$, $S$ the shift, and no single masked attention of width 2 does.
"""

# %%
two_heads = TimeVaryingSystem([[1, 1], [1, 0], [0, 1], [1, 0]], np.ones((4, 2)), np.ones((4, 2)))
shift = 2 * np.eye(4, dtype=int) + np.eye(4, k=-1, dtype=int)
assert (realized_matrix(two_heads) == shift).all()
assert semiseparable_rank(shift) == 2
assert new_columns(shift) == [0, 1, 2]  # three columns outside the span of those before, on the rows below
dual = least_dual(shift)
assert dual.minimum_width == 3

# %% [markdown]
r"""
The theorem: **a dual of width $w$ exists exactly if each finest diagonal block has at most $w$ new columns.** One half is
a construction, which we multiply out; the other is a certificate, a vector for each new column that vanishes on all
columns before it, whatever stands above the diagonal.
"""

# %%
assert (attention_matrix(dual.attention) == shift).all()
assert dual.certificate.holds(shift)
for u, column in zip(dual.certificate.annihilators, dual.certificate.block.new_columns, strict=True):
    assert not (u @ shift[:, :column]).any() and u @ shift[:, column] == 1

# %% [markdown]
r"""
Both halves hold for *every* 0/1 matrix of size 4 (`hippo verify ssd.thm1 --effort full` does size 5, another 32,768).
"""

# %%
places = [(t, s) for t in range(4) for s in range(t + 1)]
wider = 0
for bits in itertools.product((0, 1), repeat=len(places)):
    candidate = np.zeros((4, 4), dtype=int)
    for place, bit in zip(places, bits, strict=True):
        candidate[place] = bit
    found = least_dual(candidate)
    assert (attention_matrix(found.attention) == candidate).all() and found.certificate.holds(candidate)
    wider += found.minimum_width > semiseparable_rank(candidate)
(entry,) = find_figures(["dual-widths"])
figure, data = draw(entry, size=4)
assert wider == data["wider"]
figure

# %% [markdown]
r"""
A skip connection is such an obstruction in disguise: one state has one new column, one state *plus a skip* has $T-1$.
Keep the skip outside of the duality.
"""

# %%
L = one_semiseparable([Fraction(1, 2)] * 8)
assert len(new_columns(L)) == 1
assert len(new_columns(L + np.eye(8, dtype=int))) == 7

# %% [markdown]
r"""
## Softmax is out of reach

For the rank-one logits $ij \ln 2$ the exponentials are the integers $2^{ij}$. A system that realizes causal softmax
needs $\lfloor (T+1)/2 \rfloor$ states. The ordinary rank says nothing (uniform causal attention has rank $T$ and one
state), and floating point does not even see it.
"""

# %%
for T in (4, 7, 12):
    ranks = softmax_ranks(T)
    assert (ranks.full, ranks.semiseparable) == (T, (T + 1) // 2)
uniform = np.tri(8, dtype=int)
assert np.linalg.matrix_rank(uniform) == 8 and semiseparable_rank(uniform) == 1
(entry,) = find_figures(["softmax-rank"])
figure, data = draw(entry)
figure

# %% [markdown]
r"""
## What the chunked algorithm costs

Attention inside chunks of $Q$ steps, a scan between them. The count is exact (a test runs the algorithm on numbers that
count what is done with them); with $N = P = 64$ the best chunk is short:
"""

# %%
costs = {Q: chunked_cost(T=4096, N=64, P=64, chunk=Q).total for Q in (1, 4, 16, 64, 256, 1024, 4096)}
best = min(costs, key=costs.get)
assert costs[best] < costs[4096] / 50  # linear, not quadratic, in the length
{Q: round(cost / 4096) for Q, cost in costs.items()}

# %% [markdown]
r"""
Fewest operations are not least time: processors like the large matrix products of long chunks, which is why
implementations take $Q$ of 64 to 256.

## What to take away

- Semiseparable rank = least state size; new columns per block = least width of masked attention. They differ exactly
  where transitions are singular.
- Every statement here is a claim: `ssd.base`, `ssd.diag`, `ssd.diag.fullrank`, `ssd.thm1`, `ssd.lowdim`, `ssd.skip`,
  `ssd.softmax`, `ssd.flops`, `ssd.chunks`.
- `hippo dual FILE.npz` answers for your own system; give integers or fractions of powers of two, since a rounded float
  is another number.

Papers: Dao and Gu, *Transformers are SSMs* (arXiv:2405.21060); Hu, Zhang, Wu and Liu, *On Structured State-Space Duality*
(arXiv:2510.04944).
"""

# %%
verification = ht.verify("ssd", processes=1)
assert verification.as_expected
verification.counts
