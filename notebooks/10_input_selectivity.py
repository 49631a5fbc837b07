# %% [markdown]
r"""
# 10. What input selectivity buys

**The short answer.** A state that chooses its own step size can hold one token for any length of time with one number,
where a constant diagonal system needs about as many states as there are tokens; with the same trick it sums an input over a
window, and so gives Haar coefficients, whose error for a step falls like $2^{-J/2}$ where no constant system does better than
$1/(\pi\sqrt N)$. Associative recall, the task that Mamba is famous for, is another matter: it needs a convolution of width
two and a product of two tokens, and S4D with a gate solves it without anything selective.

(The layer here is $h_t = e^{-\lambda\Delta_t}h_{t-1} + g(\Delta_t)B_tx_t$, $y_t = C_t^\top h_t$, with $\Delta_t$ a softplus of
something linear in the input, and $g(\Delta) = \frac{1 - e^{-\lambda\Delta}}{\lambda}$ or, in Mamba's code, $g(\Delta) =
\Delta$. Constructions and constants are derived in this package; they follow the questions of arXiv:2506.11891.)
"""

# %%
# %matplotlib inline
import math
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import hippo_theory as ht
from hippo_theory.duality import apply_system
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import STYLE
from hippo_theory.selectivity import (
    SelectiveChannel,
    channel_states,
    fourier_error_bracket,
    fourier_error_squared,
    haar_block_bound,
    haar_block_system,
    haar_error_squared,
    haar_system,
    haar_vector,
    keep_error_bound,
    keep_system,
    lti_recall_states,
    lti_recall_system,
    mamba_recall,
    one_hot_codes,
    output_weights,
    pair_codes,
    recall_accuracy,
    recall_task,
    retention,
    retention_logit,
    s4d_recall,
    sign_code_error_bound,
    sign_code_failures,
    sign_code_width,
    sign_codes,
    silu_product,
    softplus,
    state_sensitivities,
    window_error_bound,
    window_error_bounds,
)

plt.style.use(STYLE)
EPSILON = np.finfo(np.float64).eps


def show(id, **parameters):
    """A figure of the package's gallery."""
    (entry,) = find_figures([id])
    return draw(entry, **parameters)


# %% [markdown]
r"""
## To remember is to make small steps

Over $L$ constant steps a state keeps the part $e^{-\lambda L\Delta}$. To keep $\rho$, softplus must be given
$z = \ln\left(\rho^{-1/(\lambda L)} - 1\right)$, which is close to $\ln\frac{\ln(1/\rho)}{\lambda L}$: ten times the length costs
a logit of $\ln 10$ more, not ten times as much.
"""

# %%
for L in (10, 100, 1000, 10_000):
    z = retention_logit(L, 0.5)
    y = math.log(2) / L
    print(f"half is left after {L:6} steps: logit {z:.3f}")
    # The package rounds a few times; a sum of L steps has L roundings.
    assert abs(retention(np.full(L, softplus(z)), 1.0) - 0.5) <= 4 * (L + 8) * EPSILON
    assert math.log(y) + y / 2 <= z + 1e-14 * abs(z) and z <= math.log(y) + y / 2 + y * y / 24 + 1e-14 * abs(z)

# %% [markdown]
r"""
## An input writes twice

The derivative of a later state by an input $x_s$ is $e^{-\lambda\sum_{k>s}\Delta_k}J_s$ with

$$J_s = \frac{d}{dx}\left[g(\Delta(x))B(x)x\right]_{x_s} - \lambda\Delta'(x_s)e^{-\lambda\Delta_s}h_{s-1} .$$

The second term is the gate: $x_s$ also decides how much of the past is kept. Below the whole derivative against a difference
quotient, and how large the gate's part is.
"""

# %%
channel = SelectiveChannel([0.5, 3.0], step_weight=0.75, step_bias=-0.5, B_weight=[1.0, -2.0], B_bias=[0.25, 1.0])
x = np.array([1.0, -0.5, 2.0, 0.0, -1.5])
parts = state_sensitivities(channel, x)
h = 2.0**-17
for s in range(len(x)):
    bump = h * (np.arange(len(x)) == s)
    quotient = (channel_states(channel, x + bump)[-1] - channel_states(channel, x - bump)[-1]) / (2 * h)
    # roundings of states below 10, over 2h, and h^2 times third derivatives below 100
    assert np.all(abs(parts.total[s] - quotient) <= 10 * 16 * EPSILON / h + 100 * h**2)
share = abs(parts.carried * parts.gate).sum() / abs(parts.total).sum()
print(f"sum of the gate's parts over sum of the derivatives: {share:.2f}")
assert share > 0.1

# %% [markdown]
r"""
## One state holds the $n$-th token

With $\Delta_t = \mathrm{softplus}\left(a\left(n + \frac12 - t\right)\right)$ everything before token $n$ is forgotten at
step $n$, and hardly anything happens afterwards. For zero-order hold and $\lambda = 1$

$$|y_T - x_n| \le 2\left(e^{-a/2} + \frac{e^{-a/2}}{1 - e^{-a}}\right)\max_s|x_s|$$

for every length. The sum of the moduli of the weights, less 1 at $n$, is the error for the worst input.
"""

# %%
errors = {}
for T in (20, 200, 2000, 20_000):
    weights = output_weights(keep_system(T, 7))  # a = 40
    errors[T] = abs(np.delete(weights, 6)).sum() + abs(1 - weights[6])
    print(f"T = {T:6}: worst error {errors[T]:.4e}, bound {keep_error_bound(40):.4e}")
    assert errors[T] <= keep_error_bound(40) + 16 * EPSILON  # roundings of weights near 1
assert max(errors.values()) - min(errors.values()) <= 16 * EPSILON
# Mamba's own gain does it as well, with a bound of its own.
weights = output_weights(keep_system(20_000, 7, rule="euler"))
assert abs(np.delete(weights, 6)).sum() + abs(1 - weights[6]) <= keep_error_bound(40, rule="euler") + 16 * EPSILON

# %% [markdown]
r"""
A constant diagonal system with invertible poles needs $N = \max(n, T - n + 1)$ states for the same: its kernel must vanish at
$N - 1$ neighboring lags without being zero, and a sum of fewer powers cannot (Vandermonde). Roots of unity attain this. With
positive poles, as in S4D-Real, it takes all of $T$ states (Descartes).
"""

# %%
for T, n in ((12, 5), (12, 10), (60, 25)):
    system = lti_recall_system(T, n)
    unit = (np.arange(1, T + 1) == n).astype(float)
    assert system.N == lti_recall_states(T, n) == max(n, T - n + 1)
    assert abs(output_weights(system) - unit).max() <= 2 * (T + 4) * EPSILON
exact = lti_recall_system(8, 3, positive=True)
assert exact.N == 8 and list(output_weights(exact)) == [0, 0, 1, 0, 0, 0, 0, 0]  # in exact fractions

# %%
figure, data = show("decay-and-recall")
assert data["error_40_longest"] <= data["bound_40"]
figure

# %% [markdown]
r"""
## Haar coefficients

The same falling steps with an input that is not scaled by them sum up everything from a time $t_0$ on. Three such states, with
weights $1, -2, 1$, are a Haar coefficient; the error is at most $4e^{-a/2}/(1 - e^{-a})$ times $\sum|f|$ at $\lambda = 1$.
"""

# %%
f = np.random.default_rng(0).normal(size=256)
wavelet = haar_vector(256, 65, 97, 129)
for a in (8, 16, 24, 32):
    y = apply_system(haar_system(256, 65, 97, 129, sharpness=a), f)[-1]
    bound = 4 * window_error_bound(a) * abs(f).sum()
    print(f"a = {a:2}: error {abs(y - wavelet @ f):.1e}, bound {bound:.1e}")
    assert abs(y - wavelet @ f) <= bound + 2000 * EPSILON * abs(f).sum()  # 256 steps in three states

# %% [markdown]
r"""
Mamba multiplies its input by the very step that makes it forget, so that it cannot do quite this. What it can do: make two-sided
windows out of SiLUs of the time, step by a small $\delta$ inside of the window and by next to nothing outside, and put the
signs into $B$. The error is about $\lambda(r - l)\delta$, with one state.
"""

# %%
for delta in (1e-2, 1e-3, 1e-4):
    y = apply_system(haar_block_system(256, 65, 97, 129, step=delta), f)[-1]
    on, off = haar_block_bound(256, 65, 129, step=delta)
    bound = on * abs(f[64:128]).sum() + off * abs(f).sum()
    print(f"delta = {delta:.0e}: error {abs(y - wavelet @ f):.1e}, bound {bound:.1e}")
    assert abs(y - wavelet @ f) <= bound + 1e4 * EPSILON * abs(f).sum()  # logits of size 40, 256 steps

# %%
figure, data = show("haar-windows")
assert np.all(data["block"] <= data["block_bound"])
figure

# %% [markdown]
r"""
## Rates

A step $1_{[\tau,1]}$ has one Haar coefficient a scale; $J$ of them leave exactly $\sqrt{\theta(1-\theta)}\,2^{-J/2}$,
$\theta$ the fractional part of $2^J\tau$. Its Fourier sums leave about $1/(\pi\sqrt N)$. And for the window $1_{[0,1]}$,
whatever poles a constant system of $N$ states has, the weighted squared error is at least
$\frac12 - \sum_{k\le N}\frac{4}{(2k-1)^2\pi^2} \approx \frac{1}{\pi^2N}$: the Hankel operator of the window has the singular
values $\frac{2}{(2k-1)\pi}$, and that of the system has rank $N$.
"""

# %%
third = Fraction(1, 3)
assert haar_error_squared(third, 8) == Fraction(2, 9) / 2**8
with ht.balls(128).work() as ring:
    for N in (8, 32, 128, 512):
        squared = fourier_error_squared(third, N, ring)
        ratio = float(ring.sqrt(squared)) * math.pi * math.sqrt(N)
        print(f"Fourier, N = {N:3}: error times pi sqrt(N) = {ratio:.4f}")
        middle, radius = fourier_error_bracket(third, N, ring)
        assert abs(squared - middle) <= radius
for N in (4, 64, 256):
    # the sum of 1/(k - 1/2)^2 beyond N is 1/N - 1/(12 N^3) + ...
    assert abs(window_error_bounds(N)[1] * math.pi**2 * N - 1) <= 1 / (12 * N**2) + 16 * N * EPSILON
figure, data = show("separation-rates")
assert np.all(data["legt"] > data["hankel"][: len(data["legt"])])
figure

# %% [markdown]
r"""
## Associative recall

Pairs of a key and a value, then the keys again: which value went with each? One layer of Mamba stores $\sum_j k_jv_j^\top$ if its
$B$ holds the code of the *previous* token, which a convolution of width two provides. Steps may be constant. Take the
convolution away and key and value never meet.
"""

# %%
task = recall_task(64, 32, seed=1)
codes = one_hot_codes(64)
for variant in ("mamba", "mamba2"):
    for convolution in (True, False):
        accuracy = recall_accuracy(mamba_recall(task, codes, variant=variant, convolution=convolution), task)
        print(f"{variant:6}, {'with' if convolution else 'without'} the convolution: accuracy {accuracy}")
        assert accuracy == (1.0 if convolution else 0.0)

# %% [markdown]
r"""
S4D has constant $A$, $B$, $C$, and cannot put a token into them. But four SiLUs multiply signs, and two more make a gate that
multiplies by a code of the query:

$$\frac{f(a+b) - f(a-b)}{2\tanh 1} = ab \quad (a, b \in \{-1, 0, 1\}),\qquad f(s) = \mathrm{silu}(s) + \mathrm{silu}(-s) .$$

With one channel a pair of a key and a value, recall is exact again, and fails again without the convolution.
"""

# %%
signs = np.array([-1.0, 0.0, 1.0])
assert abs(silu_product(signs[:, None], signs) - np.outer(signs, signs)).max() <= 4 * EPSILON
for convolution in (True, False):
    accuracy = recall_accuracy(s4d_recall(task, pair_codes(64), convolution=convolution), task)
    print(f"S4D with a gate, {'with' if convolution else 'without'} the convolution: accuracy {accuracy}")
    assert accuracy == (1.0 if convolution else 0.0)

# %% [markdown]
r"""
$V^2$ channels are many. With random signs for the codes the margin of the right value over another has mean $1$ and variance
$(2\kappa - 1)/D$ in $D$ channels, and a query goes wrong with probability at most $Ve^{-D/4\kappa}$ for $\kappa \ge 2$ pairs,
so that $D = 4\kappa\ln(V/\delta)$ channels are enough for a failure rate of $\delta$. Over 1,000 draws:
"""

# %%
enough = sign_code_width(64, 16, 0.01)
widths = [64, 128, 256, 384, enough]
failures = sign_code_failures(64, 16, widths, draws=1000)
for D, failed in zip(widths, failures, strict=True):
    bound = sign_code_error_bound(64, 16, D)
    print(f"D = {D:3}: {failed:.3f} of the draws fail, bound {min(bound, 1):.3f}")
    assert failed <= min(bound, 1)
assert enough == math.ceil(4 * 16 * math.log(64 / 0.01)) == 561
drawn = recall_task(64, 16, seed=2)
assert recall_accuracy(s4d_recall(drawn, sign_codes(64, enough, enough, seed=3)), drawn) == 1.0

# %%
figure, data = show("recall-accuracy")
assert data["one_hot"] == 1 and data["without"] == 0
figure

# %% [markdown]
r"""
## To take away

- Selectivity is about *time*: one state recalls one token at any length, with logits that grow like the logarithm of the
  length; constant systems need as many states as half the tokens at least.
- The gate belongs to the derivative.
- It gives windows and so Haar coefficients, which for steps are exponentially better than anything constant.
- Associative recall is about *products of tokens*: convolution and gate do it, selective steps are not needed; selective $B$
  and $C$ move width $d$ into state size $N$.

Check the statements with `hippo verify s6`, among them `s6.decay.s6`, `s6.keepn`, `s6.lti.keepn`, `s6.haar.block`,
`s6.s4d.rate`, `s6.mqar.s6` and `s6.mqar.s4d`. Papers: Mamba (arXiv:2312.00752), input selectivity in Mamba (arXiv:2506.11891),
Mamba-2 (arXiv:2405.21060).
"""
