"""One body for every array library: NumPy, array-api-strict, PyTorch and JAX arrays in, the same out; gradients; errors."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from hippo_theory import kernels
from hippo_theory.errors import InputError

STRICT, TORCH, JAX = "array_api_strict", "torch", "jax"
LIBRARIES = ["numpy", STRICT, pytest.param(TORCH, marks=pytest.mark.torch), JAX]
RNG = np.random.default_rng(5)


def normal(*shape):
    return RNG.standard_normal(shape)


def complex_normal(*shape):
    return normal(*shape) + 1j * normal(*shape)


LAMBDA = -0.5 - RNG.random(4) + 1j * RNG.uniform(0.3, 8, 4)
P, Q, B, C = complex_normal(4, 2) / 4, complex_normal(4, 2) / 4, complex_normal(4), complex_normal(4)
DENSE = 0.5 * normal(4, 4)

# Name: (function of its array arguments, those arguments, whether a complex input gives a complex result).
CASES = {
    "vandermonde": (lambda C, B, A: kernels.vandermonde_kernel(C, B, A, 37), (C, B, np.exp(LAMBDA / 9)), True),
    "vandermonde-real": (
        lambda C, B, A: kernels.vandermonde_kernel(C, B, A, 37, multiplicity=[2, 2, 2, 2]),
        (C, B, np.exp(LAMBDA / 9)),
        False,
    ),
    "exponential": (lambda C, B, x: kernels.exponential_kernel(C, B, x, 37), (C, B, LAMBDA / 9), True),
    "exponential-wide": (
        lambda C, B, x: kernels.exponential_kernel(C, B, x, 37, multiplicity=[2, 1, 2, 2], wide=True),
        (C, B, LAMBDA / 9),
        False,
    ),
    "s4d-zoh": (lambda A, B, C: kernels.s4d_kernel(A, B, C, 0.1, 37, multiplicity=[2] * 4), (LAMBDA, B, C), False),
    "s4d-bilinear": (lambda A, B, C: kernels.s4d_kernel(A, B, C, 0.1, 37, method="bilinear"), (LAMBDA, B, C), True),
    "s4d-step": (
        lambda A, B, C, dt: kernels.s4d_kernel(A, B, C, dt, 37, multiplicity=[2] * 4),
        (LAMBDA, B, C, np.array([0.1, 0.2])),
        False,
    ),
    "s4d-real": (lambda A, B, C: kernels.s4d_kernel(A, B, C, 0.1, 37), (LAMBDA.real, B.real, C.real), False),
    "cosine": (
        lambda a, w, p, q: kernels.cosine_kernel(a, w, p, q, 37),
        (LAMBDA.real / 9, LAMBDA.imag / 9, B.real, B.imag),
        False,
    ),
    "recurrence": (kernels.recurrence, (DENSE, B.real, np.stack([C, B]), normal(9)), True),
    "recurrence-diagonal": (kernels.recurrence, (np.exp(LAMBDA / 9), B, C, normal(9)), True),
    "recurrence-kernel": (lambda A, B, C: kernels.recurrence_kernel(A, B, C, 9), (DENSE, B.real, C.real), False),
    "krylov": (lambda A, B, C: kernels.krylov_kernel(A, B, C, 37), (DENSE, B.real, np.stack([C, B])), True),
    "dss-exponential": (lambda A, C: kernels.dss_exponential_kernel(A, C, 0.1, 37), (LAMBDA, C), True),
    "dss-softmax": (
        lambda A, C: kernels.dss_softmax_kernel(A, C, 0.1, 37, multiplicity=[2] * 4),
        (LAMBDA * [1, -1, 1, -1], C),
        False,
    ),
    "dss-input": (lambda A: kernels.dss_softmax_input(A, 0.1, 37), (LAMBDA,), True),
    "s4": (lambda A, P, Q, B, C: kernels.s4_kernel(A, P, Q, B, C, 0.1, 36), (LAMBDA, P, Q, B, C), True),
    "s4-direct": (
        lambda A, P, Q, B, C: kernels.s4_kernel(A, P, Q, B, C, 0.1, 36, direct=True),
        (LAMBDA, P, Q, B, C),
        True,
    ),
    "s4-real": (
        lambda A, P, Q, B, C: kernels.s4_kernel(A, P, Q, B, C, 0.1, 37, damping=1.0, real=True),
        (LAMBDA.real, P.real, Q.real, B.real, np.stack([C.real, B.real])),
        False,
    ),
    "roots": (lambda w, p: kernels.root_sums(w, p, 0.1, 20, damping=1.0), (C, LAMBDA), True),
    "cauchy": (kernels.cauchy_sums, (C[None, :], LAMBDA, normal(40), normal(40)), True),
    "truncated": (lambda C, A: kernels.truncated_output(C, A, 7), (C, DENSE), True),
    "restored": (lambda C, A: kernels.restored_output(C, A, 7), (C.real, DENSE), False),
    "low-rank-matrix": (lambda A, P, Q, B: kernels.bilinear_low_rank(A, P, Q, B, 0.1)[0], (LAMBDA, P, Q, B), True),
    "low-rank": (
        lambda A, P, Q, B, C, u: kernels.low_rank_recurrence(A, P, Q, B, C, 0.1, u),
        (LAMBDA, P, Q, B, C, normal(9)),
        True,
    ),
    "scan": (kernels.linear_scan, (complex_normal(11, 2) / 2, normal(11, 2)), True),
    "scan-outputs": (
        kernels.scan_outputs,
        (np.exp(LAMBDA / 9), complex_normal(4, 3), complex_normal(2, 4), normal(13, 3)),
        True,
    ),
    "lru": (lambda nu, theta: kernels.lru_multipliers(nu, theta)[0], (normal(3), normal(3)), True),
    "lru-gain": (lambda nu, theta: kernels.lru_multipliers(nu, theta)[1], (normal(3), normal(3)), False),
    "legs-step": (lambda c, f: kernels.legs_step(c, f, 3), (normal(2, 6), normal(2)), False),
    "legs-product": (kernels.legs_product, (normal(6),), False),
    "legs-solve": (lambda r: kernels.legs_solve(r, 0.3), (normal(2, 6),), False),
}


@contextlib.contextmanager
def library(name):
    """A function that makes arrays of the library from NumPy's."""
    module = pytest.importorskip(
        name, reason="needs torch" if name == TORCH else "needs JAX" if name == JAX else "no such library"
    )
    if name == JAX:
        with module.enable_x64(True):
            yield module.numpy.asarray
    else:
        yield module.asarray


def converted(array, single):
    return array.astype({"c": np.complex64, "f": np.float32}[array.dtype.kind]) if single else array


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("case", CASES)
def test_every_kernel_returns_what_it_was_given(case, name, single):
    """Library, device, precision; and the numbers of NumPy's float64."""
    function, arguments, is_complex = CASES[case]
    expected = np.asarray(function(*arguments))
    with library(name) as asarray:
        given = [asarray(converted(argument, single)) for argument in arguments]
        result = function(*given)
        assert type(result) is type(given[0])
        assert result.device == given[0].device
        eps = 2.0**-23 if single else 2.0**-52
        values = np.asarray(result)
    wanted = {(False, False): "f8", (True, False): "c16", (False, True): "f4", (True, True): "c8"}
    assert values.dtype == np.dtype(wanted[is_complex, single])
    assert values.shape == expected.shape
    assert np.abs(values - expected).max() <= 400 * eps * np.abs(expected).max()


# --- gradients ------------------------------------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("case", CASES)
def test_gradients_agree_with_finite_differences(case):
    torch = pytest.importorskip("torch", reason="needs torch")
    function, arguments, _ = CASES[case]
    given = [torch.asarray(argument).requires_grad_() for argument in arguments]
    assert torch.autograd.gradcheck(function, given, fast_mode=True)


@pytest.mark.torch
def test_gradients_at_zero_are_finite():
    """d/dA of the zero-order-hold weight at A = 0 is dt^2 / 2."""
    torch = pytest.importorskip("torch", reason="needs torch")
    A = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    one = torch.ones(1, dtype=torch.float64)
    kernels.s4d_kernel(A, one, one, 0.5, 1)[0].backward()
    assert float(A.grad[0]) == 0.125


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")  # inside array-api-compat
@pytest.mark.parametrize("case", ["s4d", "cosine"])
def test_kernels_compile_without_a_graph_break(case):
    torch = pytest.importorskip("torch", reason="needs torch")
    functions = {
        "s4d": lambda C, B, A: kernels.s4d_kernel(A, B, C, 0.1, 37, multiplicity=(2, 2, 2, 2), check_values=False),
        "cosine": lambda C, B, A: kernels.cosine_kernel(A.real, A.imag, C.real, C.imag, 37, check_values=False),
    }
    given = [torch.asarray(array) for array in (C, B, LAMBDA)]
    compiled = torch.compile(functions[case], backend="eager", fullgraph=True)
    assert torch.equal(compiled(*given), functions[case](*given))


# --- errors ---------------------------------------------------------------------------------------------------------------

ONE = np.ones(2)
ROW = np.ones((2, 1))
NAN = np.array([1.0, np.nan])
BAD_CALLS = {
    r"`L` must be at least 1, got 0": lambda: kernels.s4d_kernel(-ONE, ONE, ONE, 0.1, 0),
    r"`L` must be an integer": lambda: kernels.vandermonde_kernel(ONE, ONE, ONE, 2.0),
    r"`C` holds NaN or infinity": lambda: kernels.s4d_kernel(-ONE, ONE, NAN, 0.1, 4),
    r"`x` holds NaN or infinity": lambda: kernels.exponential_kernel(ONE, ONE, NAN, 4),
    r"differ in N, their last length": lambda: kernels.exponential_kernel(ONE, np.ones(3), ONE, 4),
    r"do not fit; all must broadcast": lambda: kernels.exponential_kernel(np.ones((3, 2)), np.ones((4, 2)), ONE, 4),
    r"must have the shape \(\.\.\., N\) with N >= 1": lambda: kernels.exponential_kernel(ONE[:0], ONE[:0], ONE[:0], 4),
    r"must be an array, got list": lambda: kernels.exponential_kernel([1.0], ONE, ONE, 4),
    r"must be float32, float64, complex64 or complex128, got int64": lambda: kernels.legs_product(np.arange(3)),
    r"`dt` must be positive and finite, got 0": lambda: kernels.s4d_kernel(-ONE, ONE, ONE, 0, 4),
    r"`dt` must be positive and finite everywhere": lambda: kernels.s4d_kernel(-ONE, ONE, ONE, -ONE, 4),
    r"`dt` must be real": lambda: kernels.s4d_kernel(-ONE, ONE, ONE, 1j * ONE, 4),
    r"`dt` must be a number or an array, got 'x'": lambda: kernels.s4d_kernel(-ONE, ONE, ONE, "x", 4),
    r"`dt` must be one number here": lambda: kernels.bilinear_low_rank(-ONE, ROW, ROW, ONE, ONE),
    r"unknown method 'euler'; choose one of": lambda: kernels.s4d_kernel(-ONE, ONE, ONE, 0.1, 4, method="euler"),
    r"`multiplicity` must be 2 numbers": lambda: kernels.exponential_kernel(ONE, ONE, ONE, 4, multiplicity=[2, 3]),
    r"must be real; use `exponential_kernel`": lambda: kernels.cosine_kernel(1j * ONE, ONE, ONE, ONE, 4),
    r"`Abar` must have the shape \(2, 2\)": lambda: kernels.recurrence(ROW, ONE, ONE, ONE),
    r"`u` must have the shape \(any\), got \(0,\)": lambda: kernels.recurrence(ONE, ONE, ONE, ONE[:0]),
    r"`Abar` must be a matrix": lambda: kernels.krylov_kernel(ONE, ONE, ONE, 4),
    r"`C` must have the shape \(2,\) or \(K, 2\)": lambda: kernels.recurrence(ONE, ONE, np.ones(3), ONE),
    r"`Lambda` must not be 0 in DSS-softmax": lambda: kernels.dss_softmax_kernel(0 * ONE, ONE, 0.1, 4),
    r"a multiple of 2 pi i for some state": lambda: kernels.dss_softmax_kernel(0.5j * np.pi * ONE, ONE, 1.0, 4),
    r"`P` must have the shape \(2, r\)": lambda: kernels.bilinear_low_rank(-ONE, ONE, ONE, ONE, 0.1),
    r"`Q` must have the shape": lambda: kernels.bilinear_low_rank(-ONE, ROW, np.ones((2, 2)), ONE, 0.1),
    r"is a pole .* move the nodes": lambda: kernels.s4_kernel(0 * ONE, ROW, ROW, ONE, ONE, 0.1, 4),
    r"`damping` must lie between": lambda: kernels.truncated_output(ONE, np.eye(2), 4, damping=-1),
    r"same first length L >= 1": lambda: kernels.linear_scan(ONE, np.ones(3)),
    r"must be real and of the same shape": lambda: kernels.lru_multipliers(1j * ONE, ONE),
    r"`k` must be at least 1": lambda: kernels.legs_step(ONE, np.array(1.0), 0),
    r"`alpha` must lie between 0 and 1": lambda: kernels.legs_step(ONE, np.array(1.0), 1, alpha=2),
    r"unknown convention 'x'": lambda: kernels.legs_step(ONE, np.array(1.0), 1, convention="x"),
    r"`s` must be from 0 to 1e\+15, got -1": lambda: kernels.legs_solve(ONE, -1.0),
    r"`s` must be from 0 to 1e\+15, got '1'": lambda: kernels.legs_solve(ONE, "1"),
    r"`dt` must be a number or an array, got True": lambda: kernels.s4d_kernel(-ONE, ONE, ONE, True, 4),
    r"`a` and `b` must broadcast after their first length": lambda: kernels.linear_scan(
        np.ones((3, 2)), np.ones((3, 4))
    ),
    r"`theta_log` is beyond 80": lambda: kernels.lru_multipliers(ONE, 800 * ONE),
    r"`Lambda` holds 2/dt": lambda: kernels.bilinear_low_rank(20 * ONE, ROW, ROW, ONE, 0.1),
    r"is too small for the precision": lambda: kernels.bilinear_low_rank(
        *(array.astype(np.float32) for array in (-ONE, ROW, ROW, ONE)), 1e-50
    ),
    r"the softmax has no such input": lambda: kernels.dss_softmax_input(0 * ONE, 0.1, 4),
}


def test_one_multiplier_for_all_states_is_stretched_over_them():
    a, b = np.array([0.5, 2.0, -1.0]), RNG.standard_normal((3, 3))
    loop = np.empty_like(b)
    loop[0] = b[0]
    for step in (1, 2):
        loop[step] = a[step] * loop[step - 1] + b[step]
    assert np.array_equal(kernels.linear_scan(a, b), loop)
    assert np.array_equal(kernels.s4d_kernel(-ONE, ONE, ONE, np.int64(1), 4), kernels.s4d_kernel(-ONE, ONE, ONE, 1, 4))


@pytest.mark.parametrize("message", BAD_CALLS)
def test_bad_calls_are_named(message):
    with pytest.raises(InputError, match=message):
        BAD_CALLS[message]()


def test_libraries_and_devices_are_not_mixed():
    strict = pytest.importorskip(STRICT)
    with pytest.raises(InputError, match="come from different array libraries; convert them to one"):
        kernels.exponential_kernel(ONE, ONE, strict.asarray(ONE), 4)
    with pytest.raises(InputError, match="`dt` comes from another library"):
        kernels.s4d_kernel(-ONE, ONE, ONE, strict.asarray(0.1), 4)
    elsewhere = strict.asarray(ONE, device=strict.Device("device1"))
    with pytest.raises(InputError, match="are on different devices"):
        kernels.exponential_kernel(strict.asarray(ONE), strict.asarray(ONE), elsewhere, 4)
