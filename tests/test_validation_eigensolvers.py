"""What people's eigensolvers do to exact matrices is `rounding`, never `trained`: the bound holds for all of them."""

import numpy as np
import pytest
import scipy.linalg

import hippo_theory as ht
from hippo_theory.validation.matching import eigensolver_error

ROUNDOFF = {"complex64": 2.0**-24, "complex128": 2.0**-53}


def complex_qr(S):
    return scipy.linalg.eig(S - 0.5 * np.eye(len(S), dtype=S.dtype))[0] + 0.5


def real_qr(S):
    return scipy.linalg.eig(S.real)[0]


def hermitian(driver):
    return lambda S: 1j * scipy.linalg.eigh(-1j * S, driver=driver)[0]


SOLVERS = {
    "complex QR": complex_qr,
    "real QR": real_qr,
    "Hermitian QR": hermitian("ev"),
    "divide and conquer": hermitian("evd"),
    "bisection": hermitian("evx"),
    "relatively robust representations": hermitian("evr"),
}


def normal_part(family):
    """S = A + rank one, skew: A and its negated transpose, halved."""
    return (family.A - family.A.T) / 2


def truth_of(family):
    """Imaginary parts of the eigenvalues of the skew part, in increasing order, certified and rounded once."""
    return ht.nearest(family.normal_frequencies(ht.balls(120)))[::-1]


def same_system(S, rng):
    """The states in another order and with other signs: another matrix for a solver."""
    order, signs = rng.permutation(len(S)), rng.choice([-1, 1], len(S))
    return S[np.ix_(order, order)] * np.outer(signs, signs)


@pytest.mark.parametrize("name", SOLVERS)
def test_backward_errors_of_eigensolvers_are_within_their_bound(name):
    rng, reached = np.random.default_rng(0), 0.0
    for make in (ht.LegS, ht.LegT, ht.LagT):
        for N in (2, 3, 4, 5, 8, 16, 24, 32, 64):
            family = make(N)
            exact, S = truth_of(family), normal_part(family)
            for dtype, u in ROUNDOFF.items():
                for _ in range(3):
                    found = np.sort(SOLVERS[name](same_system(S, rng).astype(dtype)).imag)
                    error = np.abs(found - exact).max() / np.abs(exact).max()
                    reached = max(reached, error / eigensolver_error(N, u))
    assert reached <= 1
    if name in ("complex QR", "relatively robust representations"):
        assert reached > 0.4  # the bound is narrow


@pytest.mark.parametrize("dtype", ROUNDOFF)
@pytest.mark.parametrize("make", [ht.LegS, ht.LegT, ht.LagT])
def test_no_start_of_a_general_eigensolver_is_called_trained(make, dtype):
    """scipy.linalg.eig of A + P P^T: the untrained starts that a tighter bound called `trained`."""
    for N in (4, 8, 16, 32, 64):
        family = make(N)
        values, vectors = scipy.linalg.eig((family.A + family.P @ family.P.T).astype(dtype))
        B = np.linalg.solve(vectors, family.B.astype(dtype))
        (found,) = ht.validate({"Lambda": values, "B": B}).files[0].findings
        assert found.parts["Lambda"].verdict in ("exact", "rounding"), (N, found.reason)
        assert found.parts["B"].verdict in ("exact", "rounding"), (N, found.reason)
