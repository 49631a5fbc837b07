r"""Clients, and the stationary joint system that they are parts of.

The paper's own formulas were not at hand; what follows is our formulation of its setting. Client m has a state h_m of p_m
entries and measures y_m of d_m:

    h^t = A h^(t-1) + b + w^t,    y_m^t = C_m h_m^t + v_m^t,    A = (A_mn),

with white noise w_m of covariance Q_m and v_m of covariance R_m, independent between clients. It knows A_mm, C_m, Q_m and
R_m. The blocks A_mn, n != m, say which client drives which (Granger causality); nobody knows them, nor the constant input b.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.duality.exact_matrices import fractions, regular_array
from hippo_theory.errors import InputError, checked_size

__all__ = ["Client", "JointSystem", "Recording", "example_system", "joint_system", "simulate"]

Array = NDArray[Any]


def matrix(name: str, value: Any, shape: tuple[int | None, int | None]) -> Array:
    """A read-only matrix of float64, or of exact numbers where exact numbers were given; `InputError` if it does not fit."""
    array = np.array(regular_array(name, value))
    if array.dtype.kind in "biuf":
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise InputError(f"`{name}` holds NaN or infinity; give finite numbers")
    elif array.dtype.kind == "O":
        try:
            array = fractions(array)
        except InputError as error:
            raise InputError(f"`{name}`: {error}") from None
    else:
        raise InputError(f"`{name}` must hold real numbers, got dtype {array.dtype}; give floats or Fractions")
    fits = array.ndim == 2 and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or 0 in array.shape:
        words = " x ".join("any" if want is None else str(want) for want in shape)
        raise InputError(f"`{name}` must be a matrix of {words} entries, got the shape {array.shape}")
    array.flags.writeable = False
    return array


def covariance(name: str, value: Any, size: int, definite: bool) -> Array:
    """A symmetric matrix that is positive semidefinite, or definite; `InputError` if not."""
    array = matrix(name, value, (size, size))
    floats = array.astype(np.float64)
    if not (array == array.T).all():
        raise InputError(f"`{name}` must be symmetric; give (X + X.T) / 2")
    least, largest = np.linalg.eigvalsh(floats)[[0, -1]]
    # Of a symmetric matrix eigvalsh moves eigenvalues by at most a few size * eps * norm.
    rounding = 4 * size * float(np.finfo(np.float64).eps) * float(max(largest, -least))
    if least < -rounding or (definite and least <= rounding):
        kind = "positive definite" if definite else "positive semidefinite"
        raise InputError(
            f"`{name}` must be {kind}, its least eigenvalue is {least:.3g}; add a multiple of the identity"
        )
    return array


@dataclass(frozen=True, eq=False)
class Client:
    """What one client knows: h^t = A h^(t-1) + w^t, y^t = C h^t + v^t, as if nobody drove it.

    Attributes
    ----------
    A : (p, p) ndarray
        Its own transition A_mm.
    C : (d, p) ndarray
    process_noise : (p, p) ndarray
        Covariance of w, positive semidefinite.
    measurement_noise : (d, d) ndarray
        Covariance of v, positive definite.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not finite, or a covariance is not one.

    Examples
    --------
    >>> from hippo_theory.granger import Client
    >>> Client([[0.5]], [[1.0], [2.0]], [[1.0]], [[0.1, 0.0], [0.0, 0.1]]).measurements
    2
    """

    A: Array
    C: Array
    process_noise: Array
    measurement_noise: Array

    def __post_init__(self) -> None:
        A = matrix("A", self.A, (None, None))
        if A.shape[0] != A.shape[1]:
            raise InputError(f"`A` must be square, got the shape {A.shape}")
        C = matrix("C", self.C, (None, len(A)))
        object.__setattr__(self, "A", A)
        object.__setattr__(self, "C", C)
        object.__setattr__(self, "process_noise", covariance("process_noise", self.process_noise, len(A), False))
        noise = covariance("measurement_noise", self.measurement_noise, len(C), True)
        object.__setattr__(self, "measurement_noise", noise)

    @property
    def states(self) -> int:
        """The size p of the state."""
        return len(self.A)

    @property
    def measurements(self) -> int:
        """The number d of measurements at a time."""
        return len(self.C)


def _slices(sizes: Sequence[int]) -> tuple[slice, ...]:
    ends = np.cumsum([0, *sizes]).tolist()
    return tuple(slice(a, b) for a, b in pairwise(ends))


def _block_diagonal(blocks: Sequence[Array]) -> Array:
    rows, columns = (sum(block.shape[axis] for block in blocks) for axis in (0, 1))
    whole = np.zeros((rows, columns), dtype=np.result_type(*blocks))
    r = c = 0
    for block in blocks:
        whole[r : r + len(block), c : c + block.shape[1]] = block
        r, c = r + len(block), c + block.shape[1]
    return whole


@dataclass(frozen=True, eq=False)
class JointSystem:
    """Clients and what couples them, which none of them knows.

    Attributes
    ----------
    clients : tuple of Client
        At least two.
    coupling : (P, P) ndarray
        A_mn off the diagonal blocks, zero on them; P is the sum of the clients' states.

    Raises
    ------
    InputError
        If shapes do not fit or a diagonal block is not zero.
    """

    clients: tuple[Client, ...]
    coupling: Array

    def __post_init__(self) -> None:
        clients = tuple(self.clients)
        if len(clients) < 2:
            raise InputError(f"`clients` must be at least two, got {len(clients)}")
        P = sum(client.states for client in clients)
        coupling = matrix("coupling", self.coupling, (P, P))
        object.__setattr__(self, "clients", clients)
        object.__setattr__(self, "coupling", coupling)
        for part in self.state_slices:
            if np.any(coupling[part, part] != 0):
                raise InputError("`coupling` must be zero on the diagonal blocks; these belong to `Client.A`")

    @property
    def state_slices(self) -> tuple[slice, ...]:
        """Where each client's state stands in the joint one."""
        return _slices([client.states for client in self.clients])

    @property
    def measurement_slices(self) -> tuple[slice, ...]:
        """Where each client's measurements stand among all."""
        return _slices([client.measurements for client in self.clients])

    def others(self, client: int) -> Array:
        """Indices, in the joint state, of the states of all other clients."""
        part = self.state_slices[client]
        return np.delete(np.arange(len(self.coupling)), part)

    @property
    def A_known(self) -> Array:
        """The block diagonal matrix of all A_mm, (P, P)."""
        return _block_diagonal([client.A for client in self.clients])

    @property
    def A(self) -> Array:
        """The transition of the joint state, (P, P)."""
        return np.asarray(self.A_known + self.coupling)

    @property
    def C(self) -> Array:
        """The block diagonal matrix of all C_m."""
        return _block_diagonal([client.C for client in self.clients])

    @property
    def process_noise(self) -> Array:
        """Covariance of w, block diagonal."""
        return _block_diagonal([client.process_noise for client in self.clients])

    @property
    def measurement_noise(self) -> Array:
        """Covariance of v, block diagonal."""
        return _block_diagonal([client.measurement_noise for client in self.clients])


def joint_system(clients: Sequence[Client], blocks: Mapping[tuple[int, int], Any]) -> JointSystem:
    """Clients coupled by blocks A_mn, given by (m, n): client n drives client m; counted from 0.

    Raises
    ------
    InputError
        If a block does not fit, or couples a client to itself.

    Examples
    --------
    >>> from hippo_theory.granger import Client, joint_system
    >>> client = Client([[0.5]], [[1.0]], [[1.0]], [[0.1]])
    >>> joint_system([client, client], {(1, 0): [[0.3]]}).A
    array([[0.5, 0. ],
           [0.3, 0.5]])
    """
    if len(clients) < 2:
        raise InputError(
            f"`clients` must be at least two, got {len(clients)}; one client alone has nobody to couple to"
        )
    places = _slices([client.states for client in clients])
    given = {pair: np.array(block) for pair, block in blocks.items()}
    kind = np.result_type(*(client.A for client in clients), *given.values())
    coupling = np.zeros((places[-1].stop, places[-1].stop), dtype=kind)
    for pair, block in given.items():
        if pair not in product(range(len(places)), repeat=2) or pair[0] == pair[1]:
            raise InputError(f"`blocks` couples {pair}; give two different clients among 0, ..., {len(places) - 1}")
        m, n = pair
        shape = clients[m].states, clients[n].states
        coupling[places[m], places[n]] = matrix(f"blocks[{m}, {n}]", block, shape)
    return JointSystem(tuple(clients), coupling)


def example_system() -> JointSystem:
    """Two clients of two states and three measurements each; the first drives the second (A_12 = 0, A_21 != 0).

    Examples
    --------
    >>> from hippo_theory.granger import example_system
    >>> example_system().A
    array([[ 0.75 ,  0.125,  0.   ,  0.   ],
           [-0.125,  0.625,  0.   ,  0.   ],
           [ 0.25 , -0.125,  0.5  ,  0.125],
           [ 0.125,  0.375,  0.   ,  0.625]])
    """
    # Dyadic numbers: floats and exact computations speak of the same system.
    first = Client(
        np.array([[0.75, 0.125], [-0.125, 0.625]]),
        np.array([[1.0, 0.5], [0.0, 1.0], [0.5, -0.5]]),
        np.diag([0.125, 0.125]),
        np.diag([0.25, 0.25, 0.25]),
    )
    second = Client(
        np.array([[0.5, 0.125], [0.0, 0.625]]),
        np.array([[1.0, 0.0], [0.5, 1.0], [-0.5, 0.5]]),
        np.diag([0.125, 0.125]),
        np.diag([0.25, 0.25, 0.25]),
    )
    return joint_system([first, second], {(1, 0): [[0.25, -0.125], [0.125, 0.375]]})


@dataclass(frozen=True, eq=False)
class Recording:
    """A run of a joint system: states (T, P) and observations (T, sum of d_m), read-only."""

    states: Array
    observations: Array


def simulate(system: JointSystem, steps: int, *, seed: int, input: Any = None, warm_up: int = 500) -> Recording:
    """Draw a run with Gaussian noise, the first `warm_up` steps, from a state of zero, left out.

    Parameters
    ----------
    system : JointSystem
    steps : int
    seed : int
    input : (P,) array_like, optional
        The constant b; zero by default.
    warm_up : int

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If the joint system is not stable, or `input` does not fit.

    Examples
    --------
    >>> from hippo_theory.granger import example_system, simulate
    >>> simulate(example_system(), 10, seed=0).observations.shape
    (10, 6)
    """
    steps, warm_up = checked_size("steps", steps), checked_size("warm_up", warm_up, 0)
    A = require_stable(system)
    b = constant_input(system, input)
    rng = np.random.default_rng(seed)
    total = steps + warm_up
    w, v = (
        rng.multivariate_normal(np.zeros(len(noise)), noise.astype(float), total, method="eigh")
        for noise in (system.process_noise, system.measurement_noise)
    )
    states = np.zeros((total, len(A)))
    state = np.zeros(len(A))
    for t in range(total):
        state = A @ state + b + w[t]
        states[t] = state
    observations = states @ system.C.astype(float).T + v
    for array in (states, observations):
        array.flags.writeable = False
    return Recording(states[warm_up:], observations[warm_up:])


def require_stable(system: JointSystem) -> Array:
    """The joint A in float64 if all its eigenvalues are inside the unit circle, else `InputError`."""
    A: Array = system.A.astype(np.float64)
    radius = float(np.abs(np.linalg.eigvals(A)).max())
    if radius >= 1:
        raise InputError(f"the joint system must be stable, its spectral radius is {radius:.6g}; scale A below 1")
    return A


def constant_input(system: JointSystem, input: Any) -> Array:
    """The constant input b as (P,) float64; None is zero."""
    P = len(system.coupling)
    b = np.zeros(P) if input is None else np.asarray(input, dtype=np.float64)
    if b.shape != (P,) or not np.isfinite(b).all():
        raise InputError(f"`input` must be {P} finite numbers, one for each state, got the shape {b.shape}")
    return b
