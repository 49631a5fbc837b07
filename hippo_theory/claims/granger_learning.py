"""Claims on federated Granger causality: gradients, the common potential, and rates of convergence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq

from hippo_theory.arithmetic import balls
from hippo_theory.claims.drawn import Drawn
from hippo_theory.claims.granger_balls import example_gain, learned_in_balls
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_MOST, IDENTICAL, Relation
from hippo_theory.granger import (
    Client,
    LearningRates,
    Parameters,
    Round,
    client_moments,
    example_system,
    expected_iteration,
    gradients,
    joint_system,
    predicted_rate,
    step,
)

__all__: list[str] = []

PAPER = "Federated Granger causality learning (arXiv:2501.13890)"
STEP = Fraction(1, 10**6)


def _draw(seed: int, *shape: int) -> np.ndarray:
    """Integers from -3 to 3 as Fractions."""
    values = np.random.default_rng(seed).integers(-3, 4, shape)
    return np.array([Fraction(int(v)) for v in values.ravel()], dtype=object).reshape(shape)


SIZES = ((2, 3), (1, 2), (3, 2))  # states and measurements of three clients


def _setting(seed: int) -> Drawn:
    """Three clients, parameters and a round, in integers."""
    P = sum(p for p, _ in SIZES)
    coupling, at = _draw(seed + 90, P, P), 0
    for p, _ in SIZES:
        coupling[at : at + p, at : at + p] = Fraction(0)
        at += p
    return Drawn(
        seed=seed,
        A=[_draw(seed + k, p, p) for k, (p, _) in enumerate(SIZES)],
        C=[_draw(seed + 10 + k, d, p) for k, (p, d) in enumerate(SIZES)],
        theta=[_draw(seed + 20 + k, p, d) for k, (p, d) in enumerate(SIZES)],
        coupling=coupling,
        estimates=[_draw(seed + 30 + k, p) for k, (p, _) in enumerate(SIZES)],
        previous=[_draw(seed + 40 + k, d) for k, (_, d) in enumerate(SIZES)],
        current=[_draw(seed + 50 + k, d) for k, (_, d) in enumerate(SIZES)],
    )


def _plain_losses(given: Mapping[str, Any], theta: list[Any], coupling: Any) -> tuple[list[Any], Any]:
    """L_a of each client and L_s, as sums of squares written out."""
    joint = [value for part in given["estimates"] for value in part]
    own, server, row = [], Fraction(0), 0
    for m, (p, d) in enumerate(SIZES):
        A, C, y, new = given["A"][m], given["C"][m], given["previous"][m], given["current"][m]
        moved = [given["estimates"][m][i] + sum(theta[m][i, j] * y[j] for j in range(d)) for i in range(p)]
        a = [sum(A[i, k] * moved[k] for k in range(p)) for i in range(p)]
        s = [
            sum(A[i, k] * given["estimates"][m][k] for k in range(p))
            + sum(coupling[row + i, k] * joint[k] for k in range(len(joint)))
            for i in range(p)
        ]
        own.append(sum((new[j] - sum(C[j, i] * a[i] for i in range(p))) ** 2 for j in range(d)))
        server += sum((a[i] - s[i]) ** 2 for i in range(p))
        row += p
    return own, server


def _slope(function: Callable[[], Any], array: Any, place: tuple[int, ...]) -> Any:
    """The central difference with step 1, which is the derivative of a quadratic exactly."""
    kept = array[place]
    array[place] = kept + 1
    above = function()
    array[place] = kept - 1
    below = function()
    array[place] = kept
    return (above - below) / 2


def _packaged(given: Mapping[str, Any]) -> tuple[Any, Parameters, Round]:
    """The same setting as objects of the package; the covariances are of no effect here."""
    clients = [Client(A, C, np.eye(len(A)), np.eye(len(C))) for A, C in zip(given["A"], given["C"], strict=True)]
    system = joint_system(clients, {})
    moment = Round(tuple(given["estimates"]), tuple(given["previous"]), tuple(given["current"]))
    return system, Parameters(tuple(given["theta"]), given["coupling"]), moment


@claim(
    "fedgc.grad",
    title="The gradients of both losses, and the message from which a client finds its own",
    statement=r"With $a_m = A_{mm}(\hat h_m + \theta_m y_m)$, $s_m = A_{mm} \hat h_m + \sum_{n \ne m} \hat A_{mn} \hat h_n$, "
    r"$r_m = y_m^t - C_m a_m$, $L_a = \sum_m |r_m|^2$, $L_s = \sum_m |a_m - s_m|^2$ (estimates and $y_m$ at $t-1$): "
    r"$\partial L_a / \partial \theta_m = -2 A_{mm}^\top C_m^\top r_m y_m^\top$; the message is "
    r"$g_m = \partial L_s / \partial a_m = 2 (a_m - s_m)$, and $\partial L_s / \partial \theta_m = A_{mm}^\top g_m y_m^\top$, "
    r"$\partial L_s / \partial \hat A_{mn} = -g_m \hat h_n^\top$.",
    source=f"{PAPER}, its augmented clients, server and losses; our formulation",
    domain="three clients of (p, d) = (2, 3), (1, 2), (3, 2), integers of two fixed seeds, all entries, exact",
    routes=(
        "the formulas, in the code of the package",
        "central differences of the losses written out, exact for quadratics",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"own": -2 * (1 + STEP)},
        {"message": 2 * (1 + STEP)},
        {"message": -2},
        {"through": 1 + STEP},
        {"server": -1 - STEP},
        {"server": 1},
    ],
    tags=("granger", "exact"),
    related=("fedgc.potential",),
)
class GradientFormulas:
    """The package's gradients, each over its constant, times the constants of the statement."""

    def cases(effort: str) -> Iterator[Case]:
        for seed in (0, 1) if effort == "quick" else range(6):
            yield {"setting": _setting(1000 * seed)}

    def claimed(case: Case, *, own: Any = -2, message: Any = 2, through: Any = 1, server: Any = -1) -> list[Any]:
        given = case["setting"]
        found = gradients(*_packaged(given))
        flat: list[Any] = []
        for m in range(len(SIZES)):
            A, C, y = given["A"][m], given["C"][m], given["previous"][m]
            a = A @ (given["estimates"][m] + given["theta"][m] @ y)
            rows = slice(sum(q for q, _ in SIZES[:m]), sum(q for q, _ in SIZES[: m + 1]))
            joint = np.concatenate(given["estimates"])
            g = message * (a - A @ given["estimates"][m] - given["coupling"][rows] @ joint)
            formula = own * np.outer(A.T @ C.T @ (given["current"][m] - C @ a), y)
            chained = through * np.outer(A.T @ g, y)
            row = server * np.outer(g, joint)
            row[:, rows] = Fraction(0)
            for mine, packaged in (
                (formula, found.client[m]),
                (chained, found.through_messages[m]),
                (row, found.coupling[rows]),
            ):
                # A package that computes anything else is no witness.
                good = own != -2 or message != 2 or through != 1 or server != -1 or bool((mine == packaged).all())
                flat += list(mine.ravel()) if good else ["the package differs"] * mine.size
        return flat

    def computed(case: Case) -> list[Any]:
        given = case["setting"]
        theta, coupling = [value.copy() for value in given["theta"]], given["coupling"].copy()
        flat, start = [], 0
        for m, (p, d) in enumerate(SIZES):
            places = [(i, j) for i in range(p) for j in range(d)]
            flat += [_slope(lambda m=m: _plain_losses(given, theta, coupling)[0][m], theta[m], at) for at in places]
            flat += [_slope(lambda: _plain_losses(given, theta, coupling)[1], theta[m], at) for at in places]
            for i in range(start, start + p):
                for j in range(len(coupling)):
                    inside = start <= j < start + p
                    flat.append(
                        Fraction(0)
                        if inside
                        else _slope(lambda: _plain_losses(given, theta, coupling)[1], coupling, (i, j))
                    )
            start += p
        return flat


@claim(
    "fedgc.potential",
    title="Two losses and three rates are one preconditioned gradient descent",
    statement=r"The steps $\theta_m \leftarrow \theta_m - \eta_1 \partial L_a - \eta_2 \partial L_s$, "
    r"$\hat A \leftarrow \hat A - \gamma\, \partial L_s$ are gradient descent with step 1 on the one quadratic "
    r"$\Phi = \eta_1 L_a + \eta_2 L_s$, preconditioned by $1$ on every $\theta_m$ and by $\gamma/\eta_2$ on $\hat A$.",
    source=f"{PAPER}, its joint iteration of two losses with separate rates; our formulation, derived here",
    domain="three clients of (p, d) = (2, 3), (1, 2), (3, 2), integers of a fixed seed, rates 1/50, 1/30, 1/70; 3 steps, exact",
    routes=("gradients of Phi by exact central differences, preconditioned", "the steps of the package"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"theta": 1 + STEP}, {"server": 1 + STEP}, {"power": 1}],
    tags=("granger", "exact"),
    related=("fedgc.grad", "fedgc.potential.rate"),
)
class Potential:
    """The second power of the preconditioner's ratio is that of eta_2."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"setting": _setting(7), "steps": 3}

    def claimed(case: Case, *, theta: Any = 1, server: Any = 1, power: int = -1) -> list[Any]:
        eta1, eta2, gamma = Fraction(1, 50), Fraction(1, 30), Fraction(1, 70)
        given = case["setting"]
        values, coupling = [value.copy() for value in given["theta"]], given["coupling"].copy()

        def phi() -> Any:
            own, shared = _plain_losses(given, values, coupling)
            return eta1 * sum(own) + eta2 * shared

        for _ in range(case["steps"]):
            moves, start, server_moves = [], 0, np.full(coupling.shape, Fraction(0), dtype=object)
            for m, (p, d) in enumerate(SIZES):
                slopes = [_slope(phi, values[m], (i, j)) for i in range(p) for j in range(d)]
                moves.append(theta * np.array(slopes, dtype=object).reshape(p, d))
                for i in range(start, start + p):
                    for j in range(len(coupling)):
                        if not start <= j < start + p:
                            server_moves[i, j] = server * gamma * eta2**power * _slope(phi, coupling, (i, j))
                start += p
            for m, move in enumerate(moves):
                values[m] -= move
            coupling -= server_moves
        return [entry for value in (*values, coupling) for entry in value.ravel()]

    def computed(case: Case) -> list[Any]:
        rates = LearningRates(Fraction(1, 50), Fraction(1, 30), Fraction(1, 70))
        system, now, moment = _packaged(case["setting"])
        for _ in range(case["steps"]):
            now = step(now, gradients(system, now, moment), rates)
        return [entry for value in (*now.theta, now.coupling) for entry in value.ravel()]


@claim(
    "fedgc.potential.rate",
    title="The linear rate of the joint iteration",
    statement=r"In expectation a client's $(\theta, \hat A_m)$ moves by an affine map, whose matrix is that of "
    r"$I - 2 \eta_1 (F^\top C^\top C F \otimes S_{yy}) - 2 \eta_2 (F^\top F \otimes S_{yy})$ and "
    r"$I - 2 \gamma (I \otimes S_{zz})$ on the diagonal, $2 \eta_2 F^\top \otimes S_{yz}$ and $2 \gamma F \otimes S_{zy}$ beside "
    r"them, $F = A_{mm}$, $z$ the others' estimates. Its eigenvalues are real, and the distance to the fixed point shrinks by "
    r"the largest of their moduli in the long run, even to $1$ part in $10^{6}$ over $2^{40}$ steps.",
    source=f"{PAPER}, on the convergence of the joint iteration; our formulation, derived here",
    domain="client 2 of the example of the package, five choices of the rates; 2^40 steps, 400 bits, radius below 1e-11",
    routes=(
        "eigenvalues of a symmetric matrix similar to this one, in float64 (within 1e-12)",
        "growth of the 2^40-th power, by repeated squaring: (trace / size)^(1/k) <= rate <= trace^(1/k)",
    ),
    relation=Relation("equal", True, 1e-6),
    expected="CERTIFIED",
    corruptions=[
        {"client": 2 * (1 + STEP)},
        {"message": 2 * (1 + STEP)},
        {"server": 2 * (1 + STEP)},
        {"mixed": 2 * (1 + STEP)},
        {"factor": 1 + STEP},
    ],
    tags=("granger",),
    related=("fedgc.potential", "fedgc.rates"),
    figure="granger-convergence",
)
class Rate:
    """All powers of two are even: eigenvalues below zero count by their modulus."""

    def cases(effort: str) -> Iterator[Case]:
        for client, message, server in ((0.125, 0.125, 0.5), (0.125, 0.125, 6.0), (0.0625, 1.0, 0.125), (0.25, 0.03125, 1.0),
                                        (0.125, 1.0, 4.0)):  # fmt: skip
            yield {"client": client, "message": message, "server": server}

    def claimed(
        case: Case, *, client: Any = 2, message: Any = 2, server: Any = 2, mixed: Any = 2, factor: Any = 1
    ) -> list[Any]:
        system = example_system()
        own, moments = system.clients[1], client_moments(system, 1)
        F, C = own.A, own.C
        eta1, eta2, gamma = case["client"], case["message"], case["server"]
        first = np.kron(
            float(client) * eta1 * F.T @ C.T @ C @ F + float(message) * eta2 * F.T @ F, moments.observations
        )
        cross = -float(mixed) * np.sqrt(eta2 * gamma) * np.kron(F.T, moments.observations_neighbors)
        last = float(server) * gamma * np.kron(np.eye(2), moments.neighbors)
        values = np.linalg.eigvalsh(np.eye(10) - np.block([[first, cross], [cross.T, last]]))
        rate = float(np.abs(values).max())
        rates = LearningRates(eta1, eta2, gamma)
        packaged = predicted_rate(expected_iteration(own, moments, rates))
        statement = (client, message, server, mixed) == (2, 2, 2, 2)
        if statement and abs(packaged - rate) > 1e-12:
            return [arb(-1)]
        return [arb(rate * float(factor), 1e-12)]

    def computed(case: Case) -> list[Any]:
        eta1, eta2, gamma = (Fraction(case[name]) for name in ("client", "message", "server"))
        with balls(400).work() as ring:
            hessian = learned_in_balls(1, example_gain(400), (eta1, eta2))[0]
            scale = [ring.number(1)] * 6 + [ring.number(gamma / eta2)] * 4
            power = arb_mat([[int(i == j) - scale[i] * hessian[i, j] for j in range(10)] for i in range(10)])
            for _ in range(40):
                power = power * power
            trace = sum((power[i, i] for i in range(10)), ring.number(0))
            upper, lower = ((part.log() / 2**40).exp() for part in (trace, trace / 10))
            return [lower.union(upper)]


@claim(
    "fedgc.rates",
    title="How fast gradient descent lowers a convex quadratic, at worst",
    statement=r"For a convex quadratic with $\eta \le 1/L$, $L$ its largest curvature, $f_k - f_* \le "
    r"\frac{|x_0 - x_*|^2}{2\eta} \frac{(2k)^{2k}}{(2k+1)^{2k+1}}$, which is below the usual "
    r"$\frac{|x_0 - x_*|^2}{2 \eta k}$; it is attained at the curvature $1/(\eta(2k+1))$.",
    source=f"{PAPER}, whose rates need convexity; the general bound is standard, the sharp one for quadratics derived here",
    domain="eta = 1, k = 1, 2, 5, 12, 62, the worst curvature times 1 + 2^-14 (within 1e-7 of the bound), and spectra of two "
    "and three; exact",
    routes=("the bound", "descent run in Fractions"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"half": 2 * (1 + STEP)}, {"two": 2 * (1 + STEP)}, {"one": 1 + STEP}],
    tags=("granger", "exact"),
    related=("fedgc.rates.contraction", "fedgc.potential.rate"),
)
class WorstCase:
    """A curvature slightly off its worst value keeps the two sides apart."""

    def cases(effort: str) -> Iterator[Case]:
        off = Fraction(1, 2**14)
        for k in (1, 2, 5, 12, 62):
            worst = Fraction(1, 2 * k + 1)
            for curvatures in (
                (worst * (1 + off),),
                (Fraction(0), worst, Fraction(1)),
                (Fraction(1, 3), Fraction(1, 50)),
            ):
                yield {"k": k, "curvatures": curvatures}

    def claimed(case: Case, *, half: Any = 2, two: Any = 2, one: Any = 1) -> list[Any]:
        k, distance = case["k"], len(case["curvatures"])
        with balls(256).work() as ring:
            n = ring.number(Fraction(two)) * k
            shifted = n + ring.number(Fraction(one))
            # The usual bound, which must be the larger one.
            usual = ring.number(Fraction(distance, 2 * k))
            bound = distance / ring.number(Fraction(half)) * (n * n.log() - shifted * shifted.log()).exp()
            return [bound, usual - bound if one == 1 else arb(-1)]

    def computed(case: Case) -> list[Any]:
        x = [Fraction(1)] * len(case["curvatures"])
        for _ in range(case["k"]):
            x = [value - curvature * value for value, curvature in zip(x, case["curvatures"], strict=True)]
        value = sum((c * v * v for c, v in zip(case["curvatures"], x, strict=True)), Fraction(0)) / 2
        return [fmpq(value.numerator, value.denominator), 0]


@claim(
    "fedgc.rates.contraction",
    title="Strong convexity makes each step a contraction",
    statement=r"For a quadratic with curvatures between $\mu > 0$ and $L$ and $\eta \le 1/L$ each step of gradient descent "
    r"multiplies the distance to the minimum by at most $1 - \eta \mu$, and no smaller factor will do.",
    source=f"{PAPER}, whose rates need strong convexity; standard",
    domain="curvatures mu = 1/7, 2/5 and 1, eta = 1, 1/2, two starts, one of them tilted by 2^-20; k = 1, 3, 10 steps",
    routes=("the bound (1 - eta mu)^(2k)", "descent run in Fractions"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"one": 1 - STEP}, {"factor": 1 + STEP}],
    tags=("granger", "exact"),
    related=("fedgc.rates",),
)
class Contraction:
    """A start tilted by 2^-20 from the flattest direction comes within 2^-40 of the bound, far below 1e-6, and not above it."""

    def cases(effort: str) -> Iterator[Case]:
        for mu in (Fraction(1, 7), Fraction(2, 5)):
            for eta in (Fraction(1), Fraction(1, 2)):
                for k in (1, 3, 10):
                    for tilt in (Fraction(1), Fraction(1, 2**20)):
                        yield {"mu": mu, "eta": eta, "k": k, "tilt": tilt}

    def claimed(case: Case, *, one: Any = 1, factor: Any = 1) -> list[Any]:
        bound = (one - factor * case["eta"] * case["mu"]) ** (2 * case["k"])
        return [fmpq(bound.numerator, bound.denominator)]

    def computed(case: Case) -> list[Any]:
        mu, eta, tilt = case["mu"], case["eta"], case["tilt"]
        # The quadratic in axes turned by the 3-4-5 triangle.
        c, s = Fraction(3, 5), Fraction(4, 5)
        H = [[c * c * mu + s * s, c * s * (mu - 1)], [c * s * (mu - 1), s * s * mu + c * c]]
        x = [c - tilt * s, s + tilt * c]
        size = x[0] ** 2 + x[1] ** 2
        for _ in range(case["k"]):
            x = [x[i] - eta * (H[i][0] * x[0] + H[i][1] * x[1]) for i in (0, 1)]
        ratio = (x[0] ** 2 + x[1] ** 2) / size
        return [fmpq(ratio.numerator, ratio.denominator)]
