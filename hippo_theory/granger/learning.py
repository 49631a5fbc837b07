r"""One round of the joint learning: what clients and server send, their losses, gradients and steps.

Our formulation. In each round client m has its own estimate h^_m^(t-1), its measurements at t-1 and t, and a matrix theta_m of
its own; the server has matrices Â_mn, n != m.

    augmented client    a_m = A_mm (h^_m^(t-1) + theta_m y_m^(t-1)),    residual r_m = y_m^t - C_m a_m
    server              s_m = A_mm h^_m^(t-1) + sum_(n != m) Â_mn h^_n^(t-1)
    losses              L_a = sum_m |r_m|^2,    L_s = sum_m |a_m - s_m|^2

Clients send h^_m and a_m; the server sends g_m = dL_s/da_m = 2 (a_m - s_m) back. From it a client finds dL_s/dtheta_m without
knowing of any other: no measurement and no other client's estimate leaves its place.

    theta_m <- theta_m - eta_1 dL_a/dtheta_m - eta_2 dL_s/dtheta_m,    Â_mn <- Â_mn - gamma dL_s/dÂ_mn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError, checked_size
from hippo_theory.granger.filters import joint_gain, run_filter
from hippo_theory.granger.model import JointSystem, Recording
from hippo_theory.granger.privacy import clipped

__all__ = [
    "Gradients",
    "LearningRates",
    "Losses",
    "Parameters",
    "Round",
    "gradients",
    "learn",
    "losses",
    "predictions",
    "rounds",
    "step",
    "zero_parameters",
]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Round:
    """What one round is about, a vector for each client: h^^(t-1), y^(t-1) and y^t; floats or exact numbers."""

    estimates: tuple[Array, ...]
    previous: tuple[Array, ...]
    current: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class Parameters:
    """What is learned.

    Attributes
    ----------
    theta : tuple of (p_m, d_m) ndarray
        Of the clients.
    coupling : (P, P) ndarray
        Of the server: Â_mn off the diagonal blocks, zero on them.
    """

    theta: tuple[Array, ...]
    coupling: Array


@dataclass(frozen=True)
class LearningRates:
    """The three rates.

    Attributes
    ----------
    client : float
        eta_1, of a client for its own loss.
    message : float
        eta_2, of a client for the server's loss, whose gradient comes as a message.
    server : float
        gamma.
    """

    client: Any
    message: Any
    server: Any

    def __post_init__(self) -> None:
        for name in ("client", "message", "server"):
            value = getattr(self, name)
            try:
                fits = bool(0 <= value < float("inf"))
            except TypeError:
                fits = False
            if not fits:
                raise InputError(f"the learning rate `{name}` must be zero or positive and finite, got {value!r}")


@dataclass(frozen=True)
class Losses:
    """L_a, one for each client, and L_s."""

    clients: tuple[Any, ...]
    server: Any


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of one round.

    Attributes
    ----------
    client : tuple of (p_m, d_m) ndarray
        dL_a/dtheta_m.
    messages : tuple of (p_m,) ndarray
        dL_s/da_m, what the server sends.
    through_messages : tuple of (p_m, d_m) ndarray
        dL_s/dtheta_m.
    coupling : (P, P) ndarray
        dL_s/dÂ, zero on the diagonal blocks.
    """

    client: tuple[Array, ...]
    messages: tuple[Array, ...]
    through_messages: tuple[Array, ...]
    coupling: Array


def zero_parameters(system: JointSystem) -> Parameters:
    """All theta_m and Â_mn zero: where the learning begins."""
    theta = tuple(np.zeros((client.states, client.measurements)) for client in system.clients)
    return Parameters(theta, np.zeros(system.coupling.shape))


def predictions(
    system: JointSystem, parameters: Parameters, round: Round
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """The predictions a_m of the augmented clients and s_m of the server; of `system` only what clients know is used."""
    joint = np.concatenate(round.estimates)
    augmented, served = [], []
    for m, (client, rows) in enumerate(zip(system.clients, system.state_slices, strict=True)):
        augmented.append(client.A @ (round.estimates[m] + parameters.theta[m] @ round.previous[m]))
        served.append(client.A @ round.estimates[m] + parameters.coupling[rows] @ joint)
    return tuple(augmented), tuple(served)


def losses(system: JointSystem, parameters: Parameters, round: Round) -> Losses:
    """Both losses of one round; exact for exact numbers."""
    augmented, served = predictions(system, parameters, round)
    residuals = [y - client.C @ a for client, y, a in zip(system.clients, round.current, augmented, strict=True)]
    differences = [a - s for a, s in zip(augmented, served, strict=True)]
    return Losses(tuple(r @ r for r in residuals), sum(e @ e for e in differences))


def gradients(system: JointSystem, parameters: Parameters, round: Round) -> Gradients:
    r"""The gradients of both losses of one round.

        dL_a/dtheta_m = -2 A_mm^T C_m^T r_m y_m^T        dL_s/da_m = 2 (a_m - s_m)
        dL_s/dtheta_m = A_mm^T (dL_s/da_m) y_m^T         dL_s/dÂ_mn = -(dL_s/da_m) h^_n^T

    with y_m at t-1. Exact for exact numbers; in float64 each is a short product, rounded.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.granger import Round, example_system, gradients, zero_parameters
    >>> system = example_system()
    >>> ones = Round((np.ones(2),) * 2, (np.ones(3),) * 2, (np.ones(3),) * 2)
    >>> gradients(system, zero_parameters(system), ones).messages  # clients and server agree at zero
    (array([0., 0.]), array([0., 0.]))
    """
    augmented, served = predictions(system, parameters, round)
    joint = np.concatenate(round.estimates)
    own, messages, through, rows_of_coupling = [], [], [], []
    for m, (client, rows) in enumerate(zip(system.clients, system.state_slices, strict=True)):
        residual = round.current[m] - client.C @ augmented[m]
        message = 2 * (augmented[m] - served[m])
        own.append(np.outer(-2 * (client.A.T @ (client.C.T @ residual)), round.previous[m]))
        messages.append(message)
        through.append(np.outer(client.A.T @ message, round.previous[m]))
        row = -np.outer(message, joint)
        row[:, rows] = 0
        rows_of_coupling.append(row)
    return Gradients(tuple(own), tuple(messages), tuple(through), np.concatenate(rows_of_coupling))


def step(parameters: Parameters, found: Gradients, rates: LearningRates) -> Parameters:
    """The parameters after one round."""
    theta = tuple(
        value - rates.client * own - rates.message * through
        for value, own, through in zip(parameters.theta, found.client, found.through_messages, strict=True)
    )
    return Parameters(theta, parameters.coupling - rates.server * found.coupling)


def rounds(system: JointSystem, recording: Recording, *, gains: Sequence[Any] | None = None) -> list[Round]:
    """The rounds of a recording: each client filters its own measurements, from an estimate of zero.

    Parameters
    ----------
    system : JointSystem
        Only what its clients know is used.
    recording : Recording
    gains : sequence of (p_m, d_m) array_like, optional
        By default the clients' own steady gains.

    Returns
    -------
    list of Round
        One fewer than there are measurements.

    Raises
    ------
    InputError
        If a gain does not fit its client.
    """
    gain = joint_gain(system, gains)
    seen = [recording.observations[:, columns] for columns in system.measurement_slices]
    runs = [
        run_filter(client.A, client.C, gain[rows, columns], Y).estimates
        for client, rows, columns, Y in zip(
            system.clients, system.state_slices, system.measurement_slices, seen, strict=True
        )
    ]
    return [
        Round(tuple(run[t - 1] for run in runs), tuple(Y[t - 1] for Y in seen), tuple(Y[t] for Y in seen))
        for t in range(1, len(recording.observations))
    ]


def learn(
    system: JointSystem,
    data: Sequence[Round],
    rates: LearningRates,
    *,
    start: Parameters | None = None,
    batch: int = 1,
    message_noise: float = 0.0,
    gradient_noise: float = 0.0,
    clip: float | None = None,
    seed: int = 0,
) -> list[Parameters]:
    """Run the learning over rounds, one step for each `batch` of them, with the mean of their gradients.

    Noise for privacy is Gaussian: of the standard deviation `message_noise` on every estimate and augmented prediction that is
    sent up, of `gradient_noise` on every gradient message that is sent down. The server computes with what it receives. Without
    `clip` messages have no bounded sensitivity, and noise alone makes nothing private.

    Parameters
    ----------
    system : JointSystem
        Only what its clients know is used.
    data : sequence of Round
    rates : LearningRates
    start : Parameters, optional
        Zero by default.
    batch : int
        Rounds that fill no batch at the end are left out.
    message_noise, gradient_noise : float
        Standard deviations.
    clip : float, optional
        Every message is shortened to this norm before its noise is added: its sensitivity is twice that.
    seed : int

    Returns
    -------
    list of Parameters
        After each step, the start first.

    Raises
    ------
    InputError
        If there are fewer rounds than a batch, a deviation is negative or not finite, or `clip` is not positive.

    Examples
    --------
    >>> from hippo_theory.granger import LearningRates, example_system, learn, rounds, simulate
    >>> system = example_system()
    >>> data = rounds(system, simulate(system, 100, seed=0))
    >>> len(learn(system, data, LearningRates(0.01, 0.01, 0.05), batch=10))
    10
    """
    batch = checked_size("batch", batch)
    if batch > len(data):
        raise InputError(f"`batch` must be between 1 and the number of rounds, {len(data)}, got {batch}")
    for name, deviation in (("message_noise", message_noise), ("gradient_noise", gradient_noise)):
        if not 0 <= deviation < np.inf:
            raise InputError(f"`{name}` must be a standard deviation, zero or positive and finite, got {deviation!r}")
    if clip is not None and not 0 < clip < np.inf:
        raise InputError(f"`clip` must be a positive bound, or None for messages as they are; got {clip!r}")
    rng = np.random.default_rng(seed)
    path = [zero_parameters(system) if start is None else start]
    for first in range(0, len(data) - batch + 1, batch):
        now = path[-1]
        batched = data[first : first + batch]
        found = [_private_gradients(system, now, one, message_noise, gradient_noise, clip, rng) for one in batched]
        path.append(step(now, _mean(found), rates))
    return path


def _private_gradients(
    system: JointSystem,
    parameters: Parameters,
    round: Round,
    up: float,
    down: float,
    clip: float | None,
    rng: np.random.Generator,
) -> Gradients:
    """Gradients from messages that are clipped and noisy; a client's own loss never leaves it and is neither."""
    exact = gradients(system, parameters, round)
    if up == down == 0 and clip is None:
        return exact

    def sent(message: Array, deviation: float) -> Array:
        bounded = message if clip is None else clipped(message, clip)
        return np.asarray(bounded + rng.normal(0, deviation, message.shape))

    augmented, _ = predictions(system, parameters, round)
    estimates = tuple(sent(value, up) for value in round.estimates)
    _, served = predictions(system, parameters, Round(estimates, round.previous, round.current))
    joint = np.concatenate(estimates)
    messages, through, coupling = [], [], np.zeros_like(exact.coupling)
    for m, (client, rows) in enumerate(zip(system.clients, system.state_slices, strict=True)):
        message = 2 * (sent(augmented[m], up) - served[m])
        coupling[rows] = -np.outer(message, joint)
        coupling[rows, rows] = 0
        messages.append(sent(message, down))
        through.append(np.outer(client.A.T @ messages[-1], round.previous[m]))
    return Gradients(exact.client, tuple(messages), tuple(through), coupling)


def _mean(found: Sequence[Gradients]) -> Gradients:
    if len(found) == 1:
        return found[0]

    def mean(name: str) -> tuple[Array, ...]:
        parts = zip(*(getattr(one, name) for one in found), strict=True)
        return tuple(np.asarray(np.mean(part, axis=0)) for part in parts)

    coupling = np.asarray(np.mean([one.coupling for one in found], axis=0))
    return Gradients(mean("client"), mean("messages"), mean("through_messages"), coupling)
