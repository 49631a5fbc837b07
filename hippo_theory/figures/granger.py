"""Figures of federated Granger causality: convergence, what is identified, and privacy."""

from __future__ import annotations

import numpy as np

from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Data, Panels, label_curves
from hippo_theory.granger import (
    Client,
    JointSystem,
    LearningRates,
    attenuated_coupling,
    client_moments,
    distances_to_fixed_point,
    example_system,
    expected_iteration,
    fixed_point,
    gaussian_delta,
    gaussian_epsilon,
    innovation_regression,
    joint_system,
    largest_server_rate,
    observed_rate,
    predicted_rate,
    relative_error,
    scalar_attenuation,
    stationary_moments,
    zcdp_epsilon,
)

__all__ = ["granger_convergence", "granger_identifiability", "granger_privacy"]

_SOURCE = "Federated Granger causality learning (arXiv:2501.13890); our formulation and example, derived here"


@figure(
    "granger-convergence",
    title="Clients and server converge together, at a rate that is known beforehand",
    caption=(
        "Left: the distance of what client 2 learns, $\\theta_2$, and the server, $\\hat A_{21}$, to their fixed point "
        "in expectation, "
        "for three learning rates $\\gamma$ of the server; dotted, the slopes predicted from the largest eigenvalue of the "
        "iteration. Right: that eigenvalue, the factor for each step, for every $\\gamma$ (line) and the one observed over "
        "<steps> steps (dots; they differ by at most <largest_difference:.1e>). "
        "Above 1 the iteration diverges: certainly beyond $1/\\lambda_{max}(E zz^\\top)$ = <threshold:.3f> (dashed)."
    ),
    alternative=(
        "Left three falling lines on a log scale, each parallel to a dotted line. Right a curve that falls, stays flat and "
        "then rises through one shortly before a vertical dashed line, with dots on it."
    ),
    source=_SOURCE,
    panels=(1, 2),
    size=(7.2, 2.9),
    units={
        "step": "number of the step",
        "gamma": "learning rate of the server, for each row of distances",
        "distance": "Euclidean distance of (theta, A) to the fixed point",
        "slope": "predicted factor for each gamma",
        "grid": "learning rate of the server",
        "predicted": "factor for each step, from eigenvalues",
        "observed": "factor for each step, measured in the last step",
        "observed_at": "learning rate of the server",
        "steps": "steps run for each observed rate",
        "largest_difference": "between observed and predicted rate",
        "threshold": "learning rate of the server beyond which the iteration diverges",
    },
    digits=6,
)
def granger_convergence(panels: Panels, *, steps: int = 200_000, shown: int = 400, dots: int = 13) -> Data:
    """From LAPACK's eigenvalues of symmetric matrices; distances to six digits on every processor."""
    system = example_system()
    client, moments = system.clients[1], client_moments(system, 1)

    gammas = np.array([0.03, 0.1, 0.3])
    runs = [
        distances_to_fixed_point(expected_iteration(client, moments, LearningRates(0.1, 1.0, gamma)), shown)
        for gamma in gammas.tolist()
    ]
    threshold = largest_server_rate(moments)
    grid = np.geomspace(0.01, 1.3 * threshold, 120)
    places = np.geomspace(0.01, 1.2 * threshold, dots)

    def rates(values: np.ndarray) -> np.ndarray:
        return np.array(
            [predicted_rate(expected_iteration(client, moments, LearningRates(0.1, 1.0, g))) for g in values.tolist()]
        )

    observed = np.array(
        [
            observed_rate(expected_iteration(client, moments, LearningRates(0.1, 1.0, g)), steps).rate
            for g in places.tolist()
        ]
    )
    data: Data = {
        "step": np.arange(shown + 1),
        "gamma": gammas,
        "distance": np.array(runs),
        "slope": rates(gammas),
        "grid": grid,
        "predicted": rates(grid),
        "observed_at": places,
        "observed": observed,
        "steps": np.array(steps),
        "largest_difference": np.array(float(np.abs(observed - rates(places)).max())),
        "threshold": np.array(threshold),
    }
    if panels is None:
        return data
    left, right = panels
    colors = [COLORS["blue"], COLORS["vermilion"], COLORS["green"]]
    for distances, slope, color in zip(data["distance"], data["slope"], colors, strict=True):
        left.semilogy(data["step"], distances, color=color)
        # Through the last point: the slope of the long run.
        left.semilogy(data["step"], distances[-1] * slope ** (data["step"] - shown), ":", color="black", linewidth=0.8)
    left.set(xlabel="step", ylabel="distance to the fixed point", title="in expectation; dotted: predicted")
    left.set_xlim(0, shown)
    label_curves(
        left,
        [
            (float(shown), float(d[-1]), f"$\\gamma = {g:g}$", color)
            for d, g, color in zip(data["distance"], gammas.tolist(), colors, strict=True)
        ],
    )
    right.semilogx(grid, data["predicted"], color=COLORS["blue"])
    right.semilogx(places, observed, "o", color=COLORS["vermilion"], markersize=3)
    right.axhline(1, color="black", linewidth=0.6)
    right.axvline(threshold, color="black", linewidth=0.8, linestyle="--")
    right.set(xlabel="rate $\\gamma$ of the server", ylabel="factor for each step", title="rate of convergence")
    right.annotate("diverges above 1", (0.012, 1.0), xytext=(0, 5), textcoords="offset points", fontsize=7)
    return data


@figure(
    "granger-identifiability",
    title="What the server learns, and what is true",
    caption=(
        "Left: two scalar clients that see their states without noise; the learned coupling over the true one against the "
        "squared correlation of both states, from the minimum of the losses (dots) and in closed form (lines): it is right only "
        "for perfect correlation. $\\eta_1$ and $\\eta_2$ weigh the client's own loss and the server's. Right: "
        "relative error of $\\hat A_{21}$ in the example against the variance of the "
        "measurement noise. The joint learning misses most of it at any noise; the regression of innovations becomes exact "
        "where clients see well, within <best:.1e> at the left end."
    ),
    alternative=(
        "Left three convex curves from zero to one, on or below the diagonal, with dots on them. Right, on log scales, a flat "
        "curve near one, and one that rises from far below with slope one and meets it."
    ),
    source=_SOURCE,
    panels=(1, 2),
    size=(7.2, 2.9),
    units={
        "squared_correlation": "of both states, 1",
        "ratio": "eta_2/eta_1 of each row",
        "attenuation": "learned over true coupling in closed form, 1",
        "measured_correlation": "squared correlation of each dot",
        "measured": "learned over true coupling at the minimum of the losses, 1",
        "noise": "variance of each measurement's noise, state units squared",
        "learned_error": "relative Frobenius error of the fixed point of the joint learning",
        "innovation_error": "relative Frobenius error of the regression of innovations",
        "best": "the least of these",
    },
    digits=4,
)
def granger_identifiability(panels: Panels, *, points: int = 33) -> Data:
    """From scipy's Riccati and Lyapunov solvers, to four digits."""
    squared = np.linspace(0, 1, 101)
    ratios = np.array([0.0, 1.0, 10.0])
    measured_at, measured = [], []
    for coupling in (0.125, 0.25, 0.5, 1.0, 3.0):
        system = _scalar_clients(coupling)
        moments = stationary_moments(system)
        r2 = moments.states[0, 1] ** 2 / (moments.states[0, 0] * moments.states[1, 1])
        own = client_moments(system, 1, moments)
        found = [
            fixed_point(system.clients[1], own, LearningRates(1.0, ratio, 1.0)).coupling.item()
            for ratio in ratios.tolist()
        ]
        measured_at.append(float(r2))
        measured.append([value / coupling for value in found])
    noise = np.geomspace(1e-6, 10, points)
    errors: dict[str, list[float]] = {"learned": [], "innovation": []}
    for variance in noise.tolist():
        system = _with_noise(example_system(), variance)
        true = system.A[2:, :2]
        own = client_moments(system, 1)
        learned = fixed_point(system.clients[1], own, LearningRates(0.1, 0.1, 0.1)).coupling
        errors["learned"].append(relative_error(learned, true))
        errors["innovation"].append(relative_error(innovation_regression(system, 1), true))
    data: Data = {
        "squared_correlation": squared,
        "ratio": ratios,
        "attenuation": np.array([[scalar_attenuation(r2, ratio) for r2 in squared] for ratio in ratios]),
        "measured_correlation": np.array(measured_at),
        "measured": np.array(measured).T,
        "noise": noise,
        "learned_error": np.array(errors["learned"]),
        "innovation_error": np.array(errors["innovation"]),
        "best": np.array(min(errors["innovation"])),
    }
    if panels is None:
        return data
    left, right = panels
    colors = [COLORS["blue"], COLORS["vermilion"], COLORS["green"]]
    left.plot(squared, squared * 0 + 1, color="black", linewidth=0.6)
    left.annotate("true", (0.02, 1), xytext=(0, -8), textcoords="offset points", fontsize=7)
    for line, dots, color in zip(data["attenuation"], data["measured"], colors, strict=True):
        left.plot(squared, line, color=color)
        left.plot(measured_at, dots, "o", color=color, markersize=3)
    for height, ratio, color, side, aligned in (
        (0.5, 0, colors[0], (-4, 3), "right"),
        (0.3, 1, colors[1], (6, -6), "left"),
        (0.16, 10, colors[2], (7, -7), "left"),
    ):
        left.annotate(f"$\\eta_2/\\eta_1 = {ratio}$", _label_place(height, ratio), xytext=side, color=color, fontsize=7,
                      textcoords="offset points", ha=aligned)  # fmt: skip
    left.set(xlabel="squared correlation $r^2$", ylabel="$\\hat A_{21} / A_{21}$", xlim=(0, 1), ylim=(0, 1.08))
    left.set_title("two scalar clients")
    right.loglog(noise, data["learned_error"], color=COLORS["vermilion"])
    right.loglog(noise, data["innovation_error"], color=COLORS["blue"])
    right.set(
        xlabel="variance of the measurement noise", ylabel="relative error of $\\hat A_{21}$", title="the example"
    )
    right.set_xlim(noise[0], noise[-1])
    right.set_ylim(1e-7, 10)
    label_curves(
        right,
        [
            (float(noise[-1]), float(data["learned_error"][-1]), "joint learning", COLORS["vermilion"]),
            (float(noise[-1]), float(data["innovation_error"][-1]), "innovations", COLORS["blue"]),
        ],
    )
    return data


def _label_place(height: float, ratio: float) -> tuple[float, float]:
    """Where the curve of a ratio has a height."""
    return height * (1 + ratio) / (1 + ratio * height), height


def _scalar_clients(coupling: float) -> JointSystem:
    """Measurement noise too small to be seen; zero would need no filter."""
    first, second = (Client(np.array([[a]]), np.eye(1), np.eye(1), np.array([[1e-10]])) for a in (0.95, 0.125))
    return joint_system([first, second], {(1, 0): [[coupling]]})


def _with_noise(system: JointSystem, variance: float) -> JointSystem:
    clients = tuple(
        Client(client.A, client.C, client.process_noise, variance * np.eye(client.measurements))
        for client in system.clients
    )
    return JointSystem(clients, system.coupling)


@figure(
    "granger-privacy",
    title="The price of private messages",
    caption=(
        "Left: the exact $\\delta$ of the Gaussian mechanism for noise of $\\sigma$ sensitivities (lines), and what the "
        "classical formula promises for $\\epsilon \\leq 1$ (dotted), many times more. Middle: $\\epsilon$ after $k$ messages "
        "with $\\sigma = 10$ at $\\delta = 10^{-5}$, exactly and by the bound of concentrated privacy, which is "
        "<overstated:.2f> times as large at $k$ = <last>. Right: noise on the estimates that clients send shrinks what the "
        "regression of innovations finds by $S(S+\\sigma^2 I)^{-1}$ (line; dots from <samples> simulated steps): noise as "
        "large as the spread of the estimates themselves, $\\sigma$ = <spread:.2f>, takes more than half of it."
    ),
    alternative=(
        "Left four falling curves on a log scale and dotted ones far above them. Middle two rising curves close together, the "
        "bound above the exact one. Right a curve that falls from one to nearly zero, with dots on it."
    ),
    source=_SOURCE + "; curves: Balle and Wang (2018), Dwork and Roth (2014), Bun and Steinke (2016)",
    panels=(1, 3),
    size=(7.2, 2.7),
    units={
        "epsilon": "1",
        "sigma": "standard deviation of the noise over the sensitivity, for each row",
        "delta": "exact delta",
        "classical_epsilon": "1",
        "classical_delta": "delta that the classical formula promises",
        "messages": "k",
        "exact_epsilon": "after k messages",
        "bound_epsilon": "after k messages, by zero-concentrated privacy",
        "overstated": "bound over exact epsilon at the last k",
        "last": "the largest k",
        "noise": "standard deviation of the noise on estimates, units of the states",
        "remaining": "norm of the estimate over that without noise",
        "simulated": "the same from simulated data",
        "simulated_at": "standard deviation of the noise",
        "samples": "simulated steps",
        "spread": "root of the largest eigenvalue of the second moment of the estimates",
    },
    digits=6,
)
def granger_privacy(panels: Panels, *, samples: int = 20_000, seed: int = 3, points: int = 41) -> Data:
    """Exact curves are rounded from balls; the dots are from one run with fixed seeds."""
    epsilon, sigma = np.linspace(0, 3, points), np.array([1.0, 2.0, 4.0, 8.0])
    narrow = np.linspace(0.05, 1, 20)
    # sigma = sqrt(2 ln(1.25/delta)) / epsilon solved for delta.
    promised = np.array([1.25 * np.exp(-((narrow * s) ** 2) / 2) for s in sigma])
    messages = np.unique(np.geomspace(1, 1000, 25).round().astype(int))
    exact = np.array([gaussian_epsilon(1e-5, 10 / np.sqrt(k)) for k in messages.tolist()])
    bound = np.array([zcdp_epsilon(k / 200, 1e-5) for k in messages.tolist()])
    noise = np.linspace(0, 2.5, 51)
    system = example_system()
    moment, clean = client_moments(system, 1).neighbors, innovation_regression(system, 1)
    remaining = [float(np.linalg.norm(attenuated_coupling(clean, moment, s**2))) for s in noise.tolist()]
    dots = np.linspace(0, 2.5, 6)
    simulated = _simulated_norms(system, dots, samples, seed)
    data: Data = {
        "epsilon": epsilon,
        "sigma": sigma,
        "delta": np.array([[gaussian_delta(e, s) for e in epsilon.tolist()] for s in sigma.tolist()]),
        "classical_epsilon": narrow,
        "classical_delta": promised,
        "messages": messages,
        "exact_epsilon": exact,
        "bound_epsilon": bound,
        "overstated": np.array(bound[-1] / exact[-1]),
        "last": np.array(messages[-1]),
        "noise": noise,
        "remaining": np.array(remaining) / remaining[0],
        "simulated_at": dots,
        "simulated": simulated / remaining[0],
        "samples": np.array(samples),
        "spread": np.array(np.sqrt(np.linalg.eigvalsh(moment)[-1])),
    }
    if panels is None:
        return data
    left, middle, right = panels
    colors = [COLORS[name] for name in ("blue", "vermilion", "green", "purple")]
    for s, line, dotted, color in zip(sigma, data["delta"], promised, colors, strict=True):
        left.semilogy(epsilon, np.where(line > 1e-12, line, np.nan), color=color)
        left.semilogy(narrow, np.where((dotted < 1) & (dotted > 1e-12), dotted, np.nan), ":", color=color)
        seen = int(np.flatnonzero(line > 1e-10)[-1] * 0.8)
        left.annotate(
            f"{s:g}",
            (epsilon[seen], line[seen]),
            xytext=(-3, -7),
            textcoords="offset points",
            color=color,
            fontsize=7,
            ha="right",
        )
    left.set(xlabel="$\\epsilon$", ylabel="$\\delta$", ylim=(1e-12, 2), xlim=(0, 3), title="one message, by $\\sigma$")
    middle.loglog(messages, bound, color=COLORS["vermilion"])
    middle.loglog(messages, exact, color=COLORS["blue"])
    middle.set(xlabel="messages $k$", ylabel="$\\epsilon$", title="many messages")
    middle.annotate("bound", (10, float(np.interp(10, messages, bound))), xytext=(-4, 6), textcoords="offset points",
                    color=COLORS["vermilion"], fontsize=7, ha="right")  # fmt: skip
    middle.annotate("exact", (30, float(np.interp(30, messages, exact))), xytext=(4, -8), textcoords="offset points",
                    color=COLORS["blue"], fontsize=7)  # fmt: skip
    right.plot(noise, data["remaining"], color=COLORS["blue"])
    right.plot(dots, data["simulated"], "o", color=COLORS["vermilion"], markersize=3.5)
    right.set(
        xlabel="noise $\\sigma$ on estimates", ylabel="remaining norm of $\\hat A_{21}$", title="effect on the estimate"
    )
    right.set_ylim(0, None)
    return data


def _simulated_norms(system: JointSystem, sizes: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Least squares of innovations on estimates with noise, from data."""
    from hippo_theory.granger import client_filters, run_filter, simulate

    observations = simulate(system, samples + 1, seed=seed).observations
    runs = [
        run_filter(client.A, client.C, own.gain, observations[:, columns])
        for client, own, columns in zip(system.clients, client_filters(system), system.measurement_slices, strict=True)
    ]
    labels = runs[1].innovations[1:] @ np.linalg.pinv(system.clients[1].C).T
    regressors = runs[0].estimates[:-1]
    draws = np.random.default_rng(seed + 1).normal(size=regressors.shape)
    norms = []
    for size in sizes.tolist():
        found, *_ = np.linalg.lstsq(regressors + size * draws, labels)
        norms.append(float(np.linalg.norm(found)))
    return np.array(norms)
