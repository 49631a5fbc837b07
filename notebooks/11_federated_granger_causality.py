# %% [markdown]
r"""
# 11. Federated Granger causality: who drives whom, without sending the data

**The short answer.** Clients that filter their own measurements, and a server that sees only their estimates, can learn
together by messages; the learning converges, at a rate that one eigenvalue predicts. What it converges to is not the true
coupling: who is driven by nobody is recognized exactly, but a true coupling is shrunk by a factor that we give in closed
form. Sending innovations as well repairs most of that, and privacy costs another factor, which is a ridge.

None of the paper's formulas was at hand (arXiv:2501.13890). All of this is *our formulation* of its setting, and statements
about what is identified hold for this formulation.
"""

# %%
# %matplotlib inline
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import hippo_theory as ht
from hippo_theory.figures import draw, find_figures
from hippo_theory.figures.style import STYLE
from hippo_theory.granger import (
    Client,
    LearningRates,
    attenuated_coupling,
    classical_sigma,
    client_filters,
    client_moments,
    communication,
    composed_sigma,
    coupling_of_mean_shift,
    error_covariance,
    example_system,
    expected_iteration,
    fixed_point,
    gaussian_delta,
    gaussian_epsilon,
    gradients,
    innovation_regression,
    joint_system,
    largest_server_rate,
    learn,
    losses,
    observed_rate,
    oracle_filter,
    oracle_regression,
    predicted_rate,
    relative_error,
    rounds,
    scalar_attenuation,
    simulate,
    stationary_moments,
    zcdp_epsilon,
)

plt.style.use(STYLE)
EPSILON = np.finfo(np.float64).eps


def show(id, **parameters):
    """A figure of the package's gallery."""
    (entry,) = find_figures([id])
    return draw(entry, **parameters)


# %% [markdown]
r"""
## The setting

$$h^t = A h^{t-1} + w^t, \qquad y_m^t = C_m h_m^t + v_m^t .$$

Client $m$ knows its own blocks $A_{mm}$, $C_m$ and its noise, and nothing of $A_{mn}$, $n \ne m$: these say who drives
whom. In the example client 1 drives client 2 ($A_{21} \ne 0$), and nobody drives client 1.
"""

# %%
system = example_system()
print(system.A)
true = system.A[2:, :2]
assert not system.A[:2, 2:].any() and true.any()

# %% [markdown]
r"""
## What going alone costs

Each client runs the Kalman filter of its own model. The *oracle* filters everything at once. The difference of the two
error covariances is positive definite (claim `fedgc.oracle` certifies its eigenvalues), and that of client 1 too, although
nobody drives it: what client 2 measures tells of client 1. Client 2 does not even know how wrong it is. It reports less error
than the oracle has.
"""

# %%
truth, best = error_covariance(system), oracle_filter(system).posterior
reported = [np.trace(one.posterior) for one in client_filters(system)]
for m, part in enumerate(system.state_slices):
    oracle, client = np.trace(best[part, part]), np.trace(truth[part, part])
    print(f"client {m + 1}: oracle {oracle:.5f}, client {client:.5f}, the client reports {reported[m]:.5f}")
    assert np.linalg.eigvalsh((truth - best)[part, part])[0] > 0
assert np.linalg.eigvalsh(truth - best)[0] > 3e-4
assert abs(reported[0] - np.trace(truth[:2, :2])) < 100 * EPSILON  # nobody drives it: it is right
assert reported[1] < np.trace(best[2:, 2:]) < np.trace(truth[2:, 2:])

# %% [markdown]
r"""
## Learning by messages

Client $m$ augments its estimate by a matrix $\theta_m$ of its own, $a_m = A_{mm}(\hat h_m + \theta_m y_m)$; the server
predicts $s_m = A_{mm}\hat h_m + \sum_n \hat A_{mn}\hat h_n$. The client wants $C_m a_m$ to be its next measurement, the
server wants $a_m = s_m$. One message, $g_m = 2(a_m - s_m)$, is all that a client needs of the server:

$$\frac{\partial L_s}{\partial\theta_m} = A_{mm}^\top g_m y_m^\top, \qquad
\frac{\partial L_s}{\partial\hat A_{mn}} = -g_m\hat h_n^\top, \qquad
\frac{\partial L_a}{\partial\theta_m} = -2A_{mm}^\top C_m^\top r_m y_m^\top .$$

Against central differences, which are exact for quadratics but for rounding ($\varepsilon$ over the step):
"""

# %%
data = rounds(system, simulate(system, 2001, seed=0))
parameters = learn(system, data[:50], LearningRates(0.05, 0.05, 0.2))[-1]
found, moment, size = gradients(system, parameters, data[60]), data[60], 1e-4
for place in np.ndindex(2, 3):
    values = []
    for sign in (1, -1):
        theta = [value.copy() for value in parameters.theta]
        theta[1][place] += sign * size
        moved = losses(system, type(parameters)(tuple(theta), parameters.coupling), moment)
        values.append(np.array([moved.clients[1], moved.server]))
    own, shared = (values[0] - values[1]) / (2 * size)
    scale = 10 * EPSILON / size * max(values[0].max(), 1)
    assert abs(own - found.client[1][place]) <= scale and abs(shared - found.through_messages[1][place]) <= scale

# %% [markdown]
r"""
Two losses and three learning rates are one preconditioned gradient descent, on $\Phi = \eta_1L_a + \eta_2L_s$ (claim
`fedgc.potential`, exact). In expectation it is an affine map with real eigenvalues; the largest modulus is the rate.
"""

# %%
client, moments = system.clients[1], client_moments(system, 1)
for rates in (LearningRates(0.1, 1.0, 0.1), LearningRates(0.1, 1.0, 0.5), LearningRates(0.1, 1.0, 6.0)):
    iteration = expected_iteration(client, moments, rates)
    predicted, observed = predicted_rate(iteration), observed_rate(iteration, 200_000).rate
    print(f"gamma = {rates.server}: predicted {predicted:.6f}, observed {observed:.6f}")
    assert abs(predicted - observed) < 1e-6
assert predicted > 1 and rates.server > largest_server_rate(moments)  # too fast a server: divergence

# %%
figure, data_shown = show("granger-convergence")
figure

# %% [markdown]
r"""
## What is learned

At the fixed point $\hat A_m E[zz^\top] = A_{mm}\theta_mE[y_mz^\top]$: the label that the server learns is made of client
$m$'s *own* past. That has a good side and a bad one.

**Good:** if nobody drives a client, its innovations are white, $\theta_m = 0$, and nobody is blamed. (This needs the right
gain: see the counterexample of claim `fedgc.ident.undriven`.)

**Bad:** a true coupling appears only as far as the driven client's past shows it.
"""

# %%
rates = LearningRates(0.1, 0.1, 0.1)
nobody = fixed_point(system.clients[0], client_moments(system, 0), rates)
assert np.abs(nobody.coupling).max() < 100 * EPSILON

learned = fixed_point(client, moments, rates)
label = client.A @ learned.theta @ moments.observations_neighbors
assert np.abs(learned.coupling @ moments.neighbors - label).max() < 1e3 * EPSILON
print(f"relative error of the learned coupling: {relative_error(learned.coupling, true):.3f}")
assert relative_error(learned.coupling, true) > 0.9

# %% [markdown]
r"""
For two scalar clients that see their states without noise the factor is exact. With the correlation $r$ of the states

$$\frac{\hat A_{21}}{A_{21}} = \frac{r^2}{1 + \frac{\eta_2}{\eta_1}(1 - r^2)} .$$
"""

# %%
assert scalar_attenuation(Fraction(1, 2), 1) == Fraction(1, 3)
assert scalar_attenuation(1, 7) == 1  # only perfect correlation is learned as it is
scalars = [Client([[a]], [[1.0]], [[1.0]], [[1e-10]]) for a in (0.9, 0.3)]
pair = joint_system(scalars, {(1, 0): [[0.7]]})
second = stationary_moments(pair)
squared = second.states[0, 1] ** 2 / (second.states[0, 0] * second.states[1, 1])
factor = fixed_point(scalars[1], client_moments(pair, 1, second), LearningRates(1.0, 2.0, 1.0)).coupling.item() / 0.7
print(f"r^2 = {squared:.4f}: learned {factor:.6f} of the truth")
assert abs(factor - scalar_attenuation(squared, 2.0)) < 1e-8  # some multiples of the noise 1e-10 that is left

# %% [markdown]
r"""
Two better estimates, by regression on $z$. If client $m$ sends its innovation $C_m^+ r_m$ as well, only the errors of the
filters remain as a bias, which vanishes where clients see well. And on the oracle's estimates the regression is *exact*, since
the oracle's error is orthogonal to them.
"""

# %%
print(f"innovations: {relative_error(innovation_regression(system, 1), true):.3f}")
assert relative_error(innovation_regression(system, 1), true) < 0.5
assert relative_error(oracle_regression(system), system.A) < 1e3 * EPSILON
figure, data_shown = show("granger-identifiability")
figure

# %% [markdown]
r"""
## A shift of the means

Disturb client 1 by a constant input. Then $\hat A_{21}E\hat h_1 \to A_{21}\mu_1 + A_{22}e$, $e$ the bias of the filter of
client 2: the effect along *one* direction is learned, with that bias, and the matrix is still wrong.
"""

# %%
shift = np.array([1000.0, 0, 0, 0])
direction, value = coupling_of_mean_shift(system, 1, shift)
shifted = fixed_point(client, client_moments(system, 1, stationary_moments(system, input=shift)), rates).coupling
assert np.abs(shifted @ direction - value).max() < 1e-6 * np.abs(value).max()  # falls as 1/shift^2
assert relative_error(shifted, true) > 0.5

# %% [markdown]
r"""
## Privacy

Noise on a message of sensitivity $\Delta$ buys $(\epsilon, \delta)$ exactly as the Gaussian curve says; $k$ messages are one
message with $\sigma/\sqrt k$. The classical formula is safe for $\epsilon \le 1$ and much too careful; the bound of
concentrated privacy is close.
"""

# %%
for epsilon in (0.1, 0.5, 1.0):
    assert gaussian_delta(epsilon, classical_sigma(epsilon, 1e-5)) < 1e-5 / 200
for k in (1, 10, 100):
    exact, bound = gaussian_epsilon(1e-5, composed_sigma([10] * k)), zcdp_epsilon(k / 200, 1e-5)
    print(f"k = {k:3}: epsilon {exact:.3f}, bound {bound:.3f}")
    assert exact < bound < 1.5 * exact
shrunk = attenuated_coupling(innovation_regression(system, 1), moments.neighbors, 0.25)
assert np.allclose(innovation_regression(system, 1, state_noise=0.25), shrunk, rtol=0, atol=1e3 * EPSILON)
figure, data_shown = show("granger-privacy")
figure

# %% [markdown]
r"""
Noise on what clients send up is a ridge, $A S (S + \sigma^2 I)^{-1}$; noise on gradients only adds variance. And the saving in
communication is $1 - 2p/d$, which needs many measurements for each state:
"""

# %%
wide = [Client(np.eye(2) / 2, np.ones((8, 2)), np.eye(2), np.eye(8))] * 2
assert communication(joint_system(wide, {})).saving == 0.5
assert communication(system).saving < 0  # three measurements for two states: raw data would be less

# %% [markdown]
r"""
## What to take away

- The joint learning converges, at a predictable rate, as long as $\gamma < 1/\lambda_{\max}(E zz^\top)$ (with feedback a
  little less).
- Convergence is not identification: in this formulation $\hat A_{mn} = 0$ can be trusted to mean that nobody drives client
  $m$ (with the right gain), its size cannot. Regress innovations if you need the size.
- All statements are claims: `hippo verify fedgc`. Figures: `granger-convergence`, `granger-identifiability`,
  `granger-privacy`. Papers: Mohanty, Mohamed, Ramanan and Gebraeel (arXiv:2501.13890); Balle and Wang (2018) for the privacy
  curve.
"""

# %%
verification = ht.verify("fedgc", processes=1)
assert verification.as_expected
verification.counts
