"""The recurrence of Mamba (S6): step sizes that depend on the input, gains, and how states depend on earlier inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import FLOAT64, Arithmetic
from hippo_theory.duality import TimeVaryingSystem
from hippo_theory.duality.activations import sigmoid, softplus
from hippo_theory.errors import InputError

__all__ = [
    "SelectiveChannel",
    "StateSensitivity",
    "channel_states",
    "channel_steps",
    "gain",
    "numbers",
    "require_positive",
    "selective_system",
    "state_sensitivities",
]

Array = NDArray[Any]
Rule = Literal["zoh", "euler"]


def numbers(values: Any, arithmetic: Arithmetic) -> Array:
    """An array of real numbers of the arithmetic.

    Raises
    ------
    InputError
        What is no real number; complex rates would lose their imaginary part.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biufO":
        raise InputError(
            f"selective systems need real numbers, got dtype {array.dtype}; give real rates, steps and inputs"
        )
    return array.astype(np.float64) if arithmetic is FLOAT64 else np.asarray(arithmetic.number(array))


def gain(steps: Any, rates: Any, rule: Rule = "zoh", arithmetic: Arithmetic = FLOAT64) -> Any:
    """What an input is multiplied by: (1 - e^(-lambda Delta)) / lambda for ``"zoh"``, Delta for ``"euler"``.

    Parameters
    ----------
    steps, rates : arrays that broadcast
        Delta and lambda > 0.
    rule : {"zoh", "euler"}
        Zero-order hold, or what Mamba's code does.
    arithmetic : Arithmetic

    Raises
    ------
    InputError
        Another rule, or a rate that is not positive.
    """
    require_positive("rates", rates)
    if rule == "euler":
        return steps + 0 * rates
    if rule != "zoh":
        raise InputError(f"`rule` must be 'zoh' or 'euler', got {rule!r}")
    if arithmetic is FLOAT64:
        return -np.expm1(-(steps * rates)) / rates
    return (1 - arithmetic.exp(-(steps * rates))) / rates


def selective_system(
    steps: Any, rates: Any, B: Any, C: Any, *, rule: Rule = "zoh", arithmetic: Arithmetic = FLOAT64
) -> TimeVaryingSystem:
    """One channel of S6: h_t = e^(-lambda Delta_t) h_(t-1) + g(Delta_t) B_t x_t, y_t = C_t^T h_t.

    Parameters
    ----------
    steps : (T,) array_like
        Delta_t >= 0; zero where softplus underflows, which keeps the state and writes nothing.
    rates : (N,) array_like, or one number
        lambda > 0, minus the diagonal of the state matrix. One number makes the scalar-identity system of Mamba-2.
    B, C : (T, N) array_like
        One row for each step.
    rule : {"zoh", "euler"}
        The gain g, see `gain`.
    arithmetic : Arithmetic
        In balls the entries of the system are balls.

    Returns
    -------
    TimeVaryingSystem
        In float64 the transitions are within (lambda Delta + 3) eps, relatively, the gains within 5 eps.

    Raises
    ------
    InputError
        If a step is negative, a rate not positive, or the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.duality import realized_matrix
    >>> from hippo_theory.selectivity import selective_system
    >>> system = selective_system([1.0, np.log(2)], [1.0], [[1], [1]], [[1], [1]])
    >>> realized_matrix(system).round(12)  # 1 - 1/e, carried on by 1/2, and 1/2
    array([[0.63212056, 0.        ],
           [0.31606028, 0.5       ]])

    Notes
    -----
    Source: Mamba (arXiv:2312.00752), whose code has the gain Delta_t; the convention of state sizes and signs is ours.
    """
    steps, rates, B, C = (numbers(value, arithmetic) for value in (steps, rates, B, C))
    if steps.ndim != 1 or rates.ndim > 1 or B.ndim != 2:
        raise InputError(
            f"`steps` must have the shape (T,), `rates` (N,) or (), `B` (T, N), got {steps.shape}, {rates.shape}, {B.shape}"
        )
    if any(step < 0 for step in steps):
        raise InputError("`steps` must not be negative; give values of softplus")
    transitions = steps * rates if rates.ndim == 0 else steps[:, None] * rates
    gains = gain(steps[:, None], rates, rule, arithmetic)
    wanted = (len(steps), len(rates) if rates.ndim else B.shape[1])
    if B.shape != wanted:
        raise InputError(f"`B` must have the shape {wanted}, one row for each step, got {B.shape}")
    return TimeVaryingSystem(arithmetic.exp(-transitions), gains * B, C)


@dataclass(frozen=True, eq=False)
class SelectiveChannel:
    """A channel whose step size and input vector depend on its own input: Delta = softplus(w x + beta), B = x u + v.

    Attributes
    ----------
    rates : (N,) array_like
        lambda > 0.
    step_weight, step_bias : number
        w and beta.
    B_weight, B_bias : (N,) array_like
        u and v.
    rule : {"zoh", "euler"}
    """

    rates: Any
    step_weight: Any
    step_bias: Any
    B_weight: Any
    B_bias: Any
    rule: Rule = "zoh"


def channel_steps(channel: SelectiveChannel, x: Any, arithmetic: Arithmetic = FLOAT64) -> Array:
    """Delta_t of an input sequence (T,)."""
    return np.asarray(softplus(_logits(channel, x, arithmetic), arithmetic))


def channel_states(channel: SelectiveChannel, x: Any, arithmetic: Arithmetic = FLOAT64) -> Array:
    """h_0 = 0, h_1, ..., h_T, shape (T + 1, N).

    Examples
    --------
    >>> from hippo_theory.selectivity import SelectiveChannel, channel_states
    >>> channel = SelectiveChannel([1.0], step_weight=0.0, step_bias=0.0, B_weight=[0.0], B_bias=[1.0])
    >>> channel_states(channel, [1.0, 0.0]).ravel()  # a step of ln 2: half is forgotten, half is written
    array([0.  , 0.5 , 0.25])
    """
    x, rates, written = _parts(channel, x, arithmetic)
    steps = channel_steps(channel, x, arithmetic)[:, None]
    decays, added = (
        arithmetic.exp(-(steps * rates)),
        gain(steps, rates, channel.rule, arithmetic) * written * x[:, None],
    )
    states = np.asarray(arithmetic.zeros(len(x) + 1, len(rates)))
    for t in range(len(x)):
        states[t + 1] = decays[t] * states[t] + added[t]
    return states


@dataclass(frozen=True, eq=False)
class StateSensitivity:
    """The derivative of the last state by each input, in its parts; all (T, N).

    Attributes
    ----------
    carried : ndarray
        exp(-lambda (Delta_(s+1) + ... + Delta_T)): what is left of a change of h_s.
    written : ndarray
        d/dx [g(Delta(x)) B(x) x] at x_s.
    gate : ndarray
        -lambda Delta'(x_s) e^(-lambda Delta_s) h_(s-1): what x_s makes the state forget, and so writes through the gate.
    """

    carried: Array
    written: Array
    gate: Array

    @property
    def total(self) -> Array:
        """carried * (written + gate)."""
        return np.asarray(self.carried * (self.written + self.gate))


def state_sensitivities(channel: SelectiveChannel, x: Any, arithmetic: Arithmetic = FLOAT64) -> StateSensitivity:
    """The derivative of h_T by x_s: e^(-lambda S) (d[g(Delta) B x]/dx - lambda Delta' e^(-lambda Delta) h_(s-1)).

    S is the sum of the steps after s; Delta, its derivative and that of g(Delta) B x are taken at x_s.

    Parameters
    ----------
    channel : SelectiveChannel
    x : (T,) array_like
    arithmetic : Arithmetic

    Returns
    -------
    StateSensitivity
        For each input s and state n.

    Raises
    ------
    InputError
        If x is no sequence.

    Examples
    --------
    >>> from hippo_theory.selectivity import SelectiveChannel, state_sensitivities
    >>> channel = SelectiveChannel([1.0], step_weight=1.0, step_bias=0.0, B_weight=[0.0], B_bias=[1.0])
    >>> parts = state_sensitivities(channel, [3.0, 0.0])
    >>> bool(parts.gate[1, 0] < 0)  # the second input is zero and writes nothing; growing, it would erase the first
    True

    Notes
    -----
    Derived here; the decay of the product is the lemma on memory of the paper (arXiv:2506.11891). The second term is easily
    forgotten.
    """
    x, rates, written = _parts(channel, x, arithmetic)
    logits = _logits(channel, x, arithmetic)
    steps = np.asarray(softplus(logits, arithmetic))[:, None]
    slopes = (arithmetic.number(channel.step_weight) * sigmoid(logits, arithmetic))[:, None]
    decays = arithmetic.exp(-(steps * rates))
    slope_of_gain = decays if channel.rule == "zoh" else 1 + 0 * decays
    gains = gain(steps, rates, channel.rule, arithmetic)
    direct = slope_of_gain * slopes * written * x[:, None] + gains * (
        numbers(channel.B_weight, arithmetic) * x[:, None] + written
    )
    gate = -rates * slopes * decays * channel_states(channel, x, arithmetic)[:-1]
    # Summed without the step of s itself: taken away afterwards, a large one would leave nothing of the small ones.
    later = np.concatenate([np.cumsum(steps[:0:-1], axis=0)[::-1], 0 * steps[:1]])
    return StateSensitivity(np.asarray(arithmetic.exp(-(later * rates))), np.asarray(direct), np.asarray(gate))


def _logits(channel: SelectiveChannel, x: Any, arithmetic: Arithmetic) -> Array:
    return np.asarray(
        arithmetic.number(channel.step_weight) * numbers(x, arithmetic) + arithmetic.number(channel.step_bias)
    )


def require_positive(name: str, values: Any) -> None:
    """Refuse numbers that are not positive (in balls: not surely so); NaN is not."""
    for value in np.asarray(values).ravel():
        if not value > 0:
            raise InputError(f"`{name}` must be positive, got {value}; states must decay, and steps must fall")


def _parts(channel: SelectiveChannel, x: Any, arithmetic: Arithmetic) -> tuple[Array, Array, Array]:
    """Inputs, rates, and B_t for each t."""
    x = numbers(x, arithmetic)
    if x.ndim != 1 or len(x) == 0:
        raise InputError(f"`x` must be a sequence (T,), got shape {x.shape}")
    rates, weight, bias = (numbers(value, arithmetic) for value in (channel.rates, channel.B_weight, channel.B_bias))
    if arithmetic is FLOAT64 and not np.isfinite(x).all():
        raise InputError("`x` holds NaN or infinity; give finite numbers")
    if rates.ndim != 1 or not rates.shape == weight.shape == bias.shape:
        raise InputError(
            f"`rates`, `B_weight` and `B_bias` of a channel must have one shape (N,), got {rates.shape}, {weight.shape} "
            f"and {bias.shape}"
        )
    require_positive("rates", rates)
    return x, rates, weight * x[:, None] + bias
