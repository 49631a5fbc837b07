"""Kernel modules of the torch adapter against certified kernels of the parameters that they store."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from flint import acb, arb, arb_mat

import hippo_theory
from hippo_theory.arithmetic import balls
from hippo_theory.discretizations import generalized_bilinear
from hippo_theory.errors import InputError
from hippo_theory.families import LegS
from hippo_theory.kernels import ExponentialSum, certified_kernel
from hippo_theory.systems import HalfSystem, real_form, transfer_function

torch = pytest.importorskip("torch", reason="needs torch")
ht = pytest.importorskip("hippo_theory.torch", reason="needs torch")
rounded = pytest.importorskip("hippo_theory.torch.parameters", reason="needs torch").rounded

pytestmark = pytest.mark.torch

EPS = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}
DTYPES = [torch.float32, torch.float64]
DT = 2.0**-7  # exact; its logarithm is not, so that kernels are compared at the step that is stored


def lags_of(L):
    """First lags and equidistant ones, up to the last."""
    stride = max(1, (L - 8) // 40)
    return sorted({*range(min(8, L)), *range(L - 1, 0, -stride)})


def largest_deviation(values, truth):
    with balls(200).work() as ring:
        return max(float(abs(ring.number(float(v)) - t).upper()) for v, t in zip(values, truth, strict=True))


# --- the certified kernels, in balls from the float parameters, by routes of their own --------------------------------


def stored_numbers(kernel, channel):
    """Lambda, dt, B, C of one channel as balls: the transforms of the stored numbers, not of the float results."""
    name = kernel.transform.parameter
    inverse = {
        "log_decay": lambda p: p.exp(),
        "softplus_decay": lambda p: (1 + p.exp()).log(),
        "relu_decay": lambda p: p,
        "decay": lambda p: p,
    }[name]

    def numbers(parameter):
        return parameter.detach().double().numpy()

    decay, frequency = numbers(getattr(kernel, name))[channel], numbers(kernel.frequency)[channel]
    Lambda = [acb(-inverse(arb(float(p))), arb(float(w))) for p, w in zip(decay, frequency, strict=True)]
    dt = arb(float(kernel.log_dt[channel].detach())).exp()

    def pairs(array):
        return [acb(arb(float(x)), arb(float(y))) for x, y in array]

    B = pairs(numbers(kernel.B)[channel]) if hasattr(kernel, "B") else [acb(1)] * len(Lambda)
    return Lambda, dt, B, pairs(numbers(kernel.C)[channel])


def discrete_modes(kernel, channel, L):
    """Multipliers and weights m C Bbar of a diagonal kernel in balls, written from the equation of each method."""
    Lambda, dt, B, C = stored_numbers(kernel, channel)
    name = kernel.discretization.name
    z, w = [], []
    for count, a, b, c in zip(kernel.multiplicity, Lambda, B, C, strict=True):
        x = a * dt
        if getattr(kernel, "variant", "") == "softmax":
            z.append(x.exp())
            w.append(count * c / a * (x.exp() - 1) / ((x * L).exp() - 1))
        elif name == "zoh":
            z.append(x.exp())
            w.append(count * c * b * (dt if bool(x == 0) else (x.exp() - 1) / a))
        elif name == "sampled":
            z.append(x.exp())
            w.append(count * c * b * dt)
        else:
            alpha = kernel.discretization.alpha
            alpha = arb(alpha.numerator) / alpha.denominator
            z.append((1 + (1 - alpha) * x) / (1 - alpha * x))
            w.append(count * c * b * dt / (1 - alpha * x))
    return z, w


def certified_values(kernel, channel, L):
    """Balls at `lags_of(L)`, and the largest sum of moduli of the modes."""
    with balls(220).work():
        z, w = discrete_modes(kernel, channel, L)
        none = np.array([], dtype=object)
        half = [x / 2 for x in w]
        total = ExponentialSum(none, none, np.array(half, dtype=object), np.array(z, dtype=object), 220, Fraction(1))
        sizes = [float(sum((abs(x) * abs(m) ** lag for x, m in zip(w, z, strict=True)), arb(0))) for lag in (0, L - 1)]
    return certified_kernel(total, lags_of(L), 25, relative_to="largest"), max(sizes)


def diagonal_bound(kernel, channel, L, largest):
    """The bounds of the docstrings. In float32 9 + n/2 eps (S4D), eps/2 (DSS, rounded once).

    In float64 8 + |dt A| L + N/2 of `s4d_kernel` (10 and the same for DSS), and as much again for |dt A| L and 2 eps of the
    weights: dt and Lambda are exponentials of what is stored, each rounded.
    """
    n, x = kernel.stored, (kernel.Lambda[channel] * kernel.dt[channel]).detach()
    double = (12 + 2 * float(x.abs().max()) * L + kernel.N / 2) * EPS[torch.float64]
    in_single = isinstance(kernel, ht.S4DKernel)
    single = ((9 + n / 2) if in_single else 0.5) * EPS[torch.float32] if kernel.dtype == torch.float32 else 0
    return (single + double) * largest


CASES = {
    "s4d-zoh": lambda N, dtype: ht.S4DKernel.from_initialization("s4d-legs", N=N, H=1, dt=DT, dtype=dtype),
    "s4d-bilinear": lambda N, dtype: ht.S4DKernel.from_initialization(
        "s4d-legs", N=N, H=1, dt=DT, method="bilinear", real_part="softplus", dtype=dtype
    ),
    "s4d-sampled": lambda N, dtype: ht.S4DKernel.from_initialization(
        "s4d-legs", N=N, H=1, dt=DT, method="sampled", real_part="relu", dtype=dtype
    ),
    "dss-exp": lambda N, dtype: ht.DSSKernel.from_initialization("s4d-legs", N=N, H=1, dt=DT, dtype=dtype),
    "dss-softmax": lambda N, dtype: ht.DSSKernel.from_initialization(
        "s4d-legs", N=N, H=1, dt=DT, variant="softmax", dtype=dtype
    ),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize(("N", "L"), [(2, 1), (3, 64), (64, 1000), (256, 16_384)])
@pytest.mark.parametrize("case", CASES)
def test_diagonal_kernels_lie_within_their_bound_of_the_certified_kernel(case, N, L, dtype):
    torch.manual_seed(N)
    kernel = CASES[case](N, dtype)
    truth, largest = certified_values(kernel, 0, L)
    values = kernel(L).detach().double().numpy()[0]
    assert kernel(L).dtype == dtype
    assert largest_deviation(values[lags_of(L)], truth) <= diagonal_bound(kernel, 0, L, largest)


@pytest.mark.parametrize("method", ["forward_euler", "backward_euler", generalized_bilinear("2/3")])
def test_other_discretizations(method):
    kernel = ht.S4DKernel.from_initialization("s4d-legs", N=16, H=1, dt=DT, method=method, dtype=torch.float64)
    truth, largest = certified_values(kernel, 0, 300)
    # vandermonde_kernel: 4 + 2 l + N/2, and l eps/2 of the rounded multipliers, each of a few roundings.
    bound = (8 + 6 * 300 + 8) * EPS[torch.float64] * largest
    assert largest_deviation(kernel(300).detach().numpy()[0][lags_of(300)], truth) <= bound


def certified_low_rank_kernel(kernel, L):
    """K_l = C Abar^l Bbar in balls: real matrices, a solve for Abar, baby steps and giant steps."""
    system, bits = kernel.to_system(0), 400
    half = real_form(system)
    with balls(bits).work():
        dt = arb(float(kernel.log_dt[0].detach())).exp()
        N = half.N
        identity = arb_mat([[int(i == j) for j in range(N)] for i in range(N)])
        A, B = arb_mat(half.A.tolist()), arb_mat([[b] for b in half.B.tolist()])
        inverse = (identity - A * (dt / 2)).solve(identity)
        Abar, Bbar = inverse * (identity + A * (dt / 2)), inverse * B * dt
        columns, small = Bbar, 128
        matrices = [Abar]
        for _ in range(7):
            further = (matrices[-1] * columns).tolist()
            columns = arb_mat([left + right for left, right in zip(columns.tolist(), further, strict=True)])
            matrices.append(matrices[-1] * matrices[-1])
        rows, giant = [arb_mat([half.C[0].tolist()])], matrices[7]
        while len(rows) * small < L:
            rows.append(rows[-1] * giant)
        return [
            (rows[lag // small] * arb_mat([[row[lag % small]] for row in columns.tolist()]))[0, 0] for lag in lags_of(L)
        ]


def check_low_rank(family, N, L, dtype):
    torch.manual_seed(N)
    kernel = ht.S4Kernel.from_initialization(family, N=N, H=1, dt=DT, dtype=dtype)
    values = kernel(L).detach().double().numpy()[0]
    step = kernel.recurrence()
    scale = float((step.C[0].abs().norm() * step.Bbar[0].abs().norm()).detach())
    bound = (16 + L / 2 + 2 * N) * EPS[torch.float64] * scale
    bound += EPS[torch.float32] / 2 * float(np.abs(values).max()) if dtype == torch.float32 else 0
    assert largest_deviation(values[lags_of(L)], certified_low_rank_kernel(kernel, L)) <= bound


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize(
    ("family", "N", "L"), [("legs", 2, 16_384), ("fout", 3, 64), ("legt", 3, 200), ("lagt", 16, 500)]
)
def test_low_rank_kernels_lie_within_their_bound_of_the_certified_kernel(family, N, L, dtype):
    check_low_rank(family, N, L, dtype)


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize(("family", "N"), [("legs", 64), ("legt", 64), ("fout", 65), ("legs", 256)])
def test_large_low_rank_kernels(family, N, dtype):
    check_low_rank(family, N, 16_384, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize(("N", "L"), [(2, 10), (64, 16_384), (256, 500)])
def test_kernels_of_s5_and_lru_lie_within_their_bound_of_the_certified_kernel(N, L, dtype):
    torch.manual_seed(N)
    s5 = ht.S5Kernel.from_initialization("s5", N=N, H=2, dt=DT, dtype=dtype)
    lru = ht.LRUKernel(N, 2, smallest=0.9, largest=0.999, dtype=dtype)
    for kernel in (s5, lru):
        values = kernel(L).detach().double().numpy()[1, 0][lags_of(L)]
        with balls(220).work():
            z, w = matrix_modes(kernel, 1, 0)
            none = np.array([], dtype=object)
            total = ExponentialSum(none, none, np.array(w, dtype=object), np.array(z, dtype=object), 220, Fraction(1))
            largest = 2 * float(sum((abs(x) for x in w), arb(0)))
            size = max(float(abs(m.log())) for m in z)
        truth = certified_kernel(total, lags_of(L), 25, relative_to="largest")
        bound = (12 + 2 * (size + 4) * L + N / 2) * EPS[torch.float64] * largest
        bound += EPS[torch.float32] / 2 * float(np.abs(values).max()) if dtype == torch.float32 else 0
        assert largest_deviation(values, truth) <= bound


def matrix_modes(kernel, output, channel):
    def numbers(name):
        return getattr(kernel, name).detach().double().numpy()

    z, w = [], []
    for n in range(kernel.stored):
        b, c = (acb(arb(float(x)), arb(float(y))) for x, y in (numbers("B")[n, channel], numbers("C")[output, n]))
        if isinstance(kernel, ht.LRUKernel):
            nu, theta, gamma = (arb(float(numbers(f"{name}_log")[n])).exp() for name in ("nu", "theta", "gamma"))
            z.append(acb(-nu, theta).exp())
            w.append(c * gamma * b)
        else:
            a = acb(-arb(float(numbers("log_decay")[n])).exp(), arb(float(numbers("frequency")[n])))
            x = a * arb(float(numbers("log_dt")[n])).exp()
            z.append(x.exp())
            w.append(c * b * (x.exp() - 1) / a)
    return z, w


def test_a_fast_undamped_mode_keeps_its_phase_in_float32():
    """After 16,384 lags of 100 radians each; a phase in float32 would have lost all but one digit."""
    start = ht.exact_start(HalfSystem([1000.125j], [1.0], multiplicity=[2]))
    kernel = ht.S4DKernel(start, 1, dt="0.1", real_part="relu", method="sampled")
    truth, largest = certified_values(kernel, 0, 16_384)
    values = kernel(16_384).detach().double().numpy()[0]
    assert (
        largest_deviation(values[lags_of(16_384)], truth) <= diagonal_bound(kernel, 0, 16_384, largest) < 1e-5 * largest
    )


def test_the_comparison_can_fail():
    kernel = CASES["s4d-zoh"](8, torch.float64)
    truth, largest = certified_values(kernel, 0, 64)
    values = kernel(64).detach().numpy()[0][lags_of(64)]
    bound = diagonal_bound(kernel, 0, 64, largest)
    assert largest_deviation(values * (1 + 1e-12), truth) > bound


# --- parameters ---------------------------------------------------------------------------------------------------------


def test_float32_parameters_are_the_nearest_float32_of_the_exact_values():
    kernel = ht.S4DKernel.from_initialization("s4d-inv", N=512, H=1, dt="0.1")
    with balls(300).work() as ring:
        N = 512
        exact = [ring.number(N) / ring.pi * (ring.number(N) / (2 * n + 1) - 1) for n in range(N // 2)]
        for stored, value in zip(kernel.frequency[0].detach().tolist(), exact, strict=True):
            assert bool(abs(arb(stored) - value) <= arb(float(np.spacing(np.float32(abs(stored))))) / 2)
        for stored, value in (
            (float(kernel.log_decay[0, 0].detach()), arb("0.5").log()),
            (float(kernel.log_dt[0].detach()), (arb(1) / 10).log()),
        ):
            assert bool(abs(arb(stored) - value) <= arb(float(np.spacing(np.float32(abs(stored))))) / 2)


def is_nearest(stored, exact, dtype):
    """Whether a stored number is within half the spacing of its dtype of a ball."""
    number = {torch.float32: np.float32, torch.float64: np.float64}[dtype]
    half = arb(float(np.spacing(number(abs(stored))))) / 2
    return bool(abs(arb(stored) - exact) <= half) if stored else bool(abs(exact) < arb(2) ** -200)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("real_part", ["exp", "softplus"])
def test_parameters_are_the_nearest_numbers_to_certified_ones(real_part, dtype):
    """Lambda, P, B of LegS with its low-rank term, and log dt, in balls of 300 bits."""
    N, steps = 9, ["0.1", "0.003"]
    kernel = ht.S4Kernel.from_initialization("legs", N=N, H=2, dt=steps, real_part=real_part, dtype=dtype)
    arithmetic = balls(300)
    exact = hippo_theory.normal_plus_low_rank(LegS(N), arithmetic)
    with arithmetic.work():
        for n in range((N + 1) // 2):
            Lambda, B, P = acb(exact.Lambda[n]), acb(exact.B[n]), acb(exact.P[n, 0])
            decay = {"exp": lambda x: x.log(), "softplus": lambda x: (x.exp() - 1).log()}[real_part](-Lambda.real)
            pairs = [(getattr(kernel, kernel.transform.parameter)[1, n], decay), (kernel.frequency[1, n], Lambda.imag)]
            pairs += [(kernel.B[1, n, part], x) for part, x in enumerate((B.real, B.imag))]
            pairs += [(kernel.P[0, 1, n, part], x) for part, x in enumerate((P.real, P.imag))]
            for stored, value in pairs:
                assert is_nearest(float(stored.detach()), value, dtype)
        for stored, step in zip(kernel.log_dt.detach().tolist(), (arb(1) / 10, arb(3) / 1000), strict=True):
            assert is_nearest(stored, step.log(), dtype)


def test_numbers_are_rounded_once():
    """1 + 2^-24 + 2^-60: through float64 it would be a tie, and fall to 1."""
    value = 1 + Fraction(1, 2**24) + Fraction(1, 2**60)
    assert float(rounded(lambda ring: [ring.number(value)], torch.float32)) == 1 + 2.0**-23
    assert float(torch.tensor(float(value)).float()) == 1.0


def test_s5_starts_from_the_certified_values_of_legs():
    """Those of S4D-LegS, in each block, where the float64 start is only close to them."""
    blocks = ht.S4DKernel.from_initialization("s5", N=192, H=1, start={"blocks": 2}, dtype=torch.float64)
    legs = ht.S4DKernel.from_initialization("s4d-legs", N=96, H=1, dtype=torch.float64)
    for name in ("log_decay", "frequency", "B"):
        ours, theirs = getattr(blocks, name)[0], getattr(legs, name)[0]
        assert torch.equal(ours, torch.cat([theirs, theirs]))


def test_a_real_state_stays_real():
    """Whatever the parameters that a pair would have: they take no part, and no gradient."""
    kernel = ht.S4DKernel.from_initialization("s4d-legs", N=5, H=2, dtype=torch.float64)
    expected = kernel(20)
    with torch.no_grad():
        kernel.frequency[:, -1] = 3.0
        kernel.B[:, -1, 1] = 2.0
        kernel.C[:, -1, 1] = 1.0
    found = kernel(20)
    assert torch.equal(found, expected)
    found.square().sum().backward()
    assert (kernel.frequency.grad[:, -1] == 0).all()
    assert (kernel.frequency.grad[:, 0] != 0).all()
    assert kernel.to_system().Lambda[-1].imag == 0


def test_the_check_for_the_nearest_number_can_fail():
    third = arb(1) / 3
    assert is_nearest(float(np.float32(1 / 3)), third, torch.float32)
    assert not is_nearest(float(np.nextafter(np.float32(1 / 3), np.float32(1))), third, torch.float32)
    assert not is_nearest(float(np.float32(1 / 3)), third, torch.float64)


def test_starts_are_those_of_the_theory():
    for id, N in (("s4d-legs", 5), ("s4d-lin", 6), ("mamba-real", 4)):
        expected = hippo_theory.initialization(id, N)
        system = ht.S4DKernel.from_initialization(id, N=N, H=2, dtype=torch.float64).to_system(1)
        Lambda = expected.Lambda if hasattr(expected, "multiplicity") else np.sort(expected.Lambda)[::-1]
        # exp(log(x)) in float64: |log x| + 2 roundings.
        assert np.abs(system.Lambda - Lambda).max() <= 8 * 2.0**-52 * np.abs(Lambda).max()
        assert np.abs(system.B - expected.B).max() <= 2 * 2.0**-52 * np.abs(expected.B).max()
    full = hippo_theory.normal_plus_low_rank(hippo_theory.LegT(6))
    system = ht.S4Kernel.from_initialization("legt", N=6, H=1, dtype=torch.float64).to_system()
    assert np.abs(system.P - full.P[:3]).max() <= 2.0**-52 * np.abs(full.P).max()


def test_a_trained_layer_goes_back_to_the_theory():
    torch.manual_seed(1)
    layer = ht.S4D.from_initialization("s4d-lin", N=8, H=2, dt=DT, dtype=torch.float64)
    system = layer.to_system(1)
    kernel = layer.kernel(4000)[1].detach().numpy()
    s = 0.7j
    z = np.exp(s * float(layer.kernel.dt[1].detach()))
    # The zero-order hold of e^(st) approaches the transfer function; dt = 1/128 leaves 4 abs(s) dt at most.
    values = (kernel * z ** -np.arange(4000.0)).sum()
    assert abs(values - transfer_function(system, s)[0]) <= 4 * 0.7 * DT * abs(kernel).sum()
    assert abs(values - 2 * transfer_function(system, s)[0]) > 4 * 0.7 * DT * abs(kernel).sum()


@pytest.mark.parametrize("real_part", ["exp", "softplus", "relu", "none"])
@pytest.mark.parametrize("id", ["s4d-legs", "s4d-inv", "s4d-lin"])
def test_validate_knows_the_names(real_part, id):
    layer = ht.S4D.from_initialization(id, N=16, H=2, real_part=real_part)
    (finding,) = hippo_theory.validate(layer.state_dict()).files[0].findings
    assert (finding.identified, finding.verdict) == (id, "exact")
    with torch.no_grad():
        layer.kernel.frequency[:, 1] *= 1.001
    assert hippo_theory.validate(layer.state_dict()).files[0].findings[0].verdict != "exact"


@pytest.mark.parametrize("id", ["legs", "legt", "fout"])
def test_validate_knows_low_rank_layers(id):
    layer = ht.S4.from_initialization(id, N=9, H=2)
    (finding,) = hippo_theory.validate(layer.state_dict()).files[0].findings
    assert (finding.identified, finding.verdict) == (id, "exact")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ht.S4DKernel.from_initialization("s4d-lin", N=7, H=1), "even `N`"),
        (lambda: ht.S4DKernel.from_initialization("s4d-lin", N=8, H=0), "`H` must be at least 1"),
        (
            lambda: ht.S4DKernel.from_initialization("s4d-lin", N=8, H=1, dtype=torch.float16),
            "float32 or torch.float64",
        ),
        (
            lambda: ht.S4DKernel.from_initialization("s4d-lin", N=8, H=1, real_part="square"),
            "`real_part` must be one of",
        ),
        (lambda: ht.S4DKernel.from_initialization("fout", N=7, H=1, real_part="exp"), "take 'relu' or 'none'"),
        (lambda: ht.S4DKernel.from_initialization("s4d-lin", N=8, H=2, dt=[0.1, 0.1, 0.1]), "one step or 2 steps"),
        (lambda: ht.S4DKernel.from_initialization("s4d-lin", N=8, H=2, dt=-1), "`dt` must be positive"),
        (lambda: ht.S4DKernel.from_initialization("s4d-lin", N=8, H=2, C=torch.ones(3)), "`C` must broadcast"),
        (lambda: ht.S4Kernel.from_initialization("s4d-lin", N=8, H=2), "no low-rank form"),
        (lambda: ht.DSSKernel.from_initialization("dss", N=8, H=2, variant="max"), "exp or softmax"),
        (lambda: ht.LRUKernel(7, 2), "use 6 or 8"),
        (lambda: ht.DSSKernel.from_initialization("dss", N=8, H=2, variant="softmax").recurrence(), "give `L`"),
    ],
)
def test_errors_name_the_argument_and_a_way_out(make, message):
    with pytest.raises(InputError, match=message):
        make()


# --- gradients, the compiler, the text ------------------------------------------------------------------------------------

MODULES = {
    "s4d": lambda dtype: ht.S4DKernel.from_initialization("s4d-legs", N=4, H=2, dtype=dtype),
    "s4d-real": lambda dtype: ht.S4DKernel.from_initialization("mamba-real", N=3, H=2, method="bilinear", dtype=dtype),
    "s4d-euler": lambda dtype: ht.S4DKernel.from_initialization(
        "s4d-lin", N=4, H=2, method="backward_euler", dtype=dtype
    ),
    "s4": lambda dtype: ht.S4Kernel.from_initialization("legs", N=3, H=1, dtype=dtype),
    "s4-rank-2": lambda dtype: ht.S4Kernel.from_initialization(
        "legt", N=2, H=1, dt="0.1", dtype=dtype, real_part="none"
    ),
    "dss": lambda dtype: ht.DSSKernel.from_initialization("dss", N=4, H=2, dtype=dtype),
    "dss-softmax": lambda dtype: ht.DSSKernel.from_initialization("dss", N=4, H=2, variant="softmax", dtype=dtype),
    "s5": lambda dtype: ht.S5Kernel.from_initialization("s5", N=4, H=2, dtype=dtype),
    "lru": lambda dtype: ht.LRUKernel(4, 2, smallest=0.5, largest=0.9, dtype=dtype),
}


@pytest.mark.parametrize("name", MODULES)
def test_gradients_pass_gradcheck_in_float64(name):
    torch.manual_seed(0)
    kernel = MODULES[name](torch.float64)
    names = [name for name, _ in kernel.named_parameters()]

    def of(*values):
        return torch.func.functional_call(kernel, dict(zip(names, values, strict=True)), (6,))

    given = [parameter.detach().clone().requires_grad_() for parameter in kernel.parameters()]
    assert torch.autograd.gradcheck(of, given)


COMPILED = MODULES | {
    f"s4-rank-2-of-{N}": lambda dtype, N=N: ht.S4Kernel.from_initialization("legt", N=N, H=3, dtype=dtype)
    for N in (4, 8)
}


def check_equal(found, expected, parameters):
    """Values and gradients; c = 100 for sums taken in another order, 1000 for their gradients."""
    assert (found - expected).abs().max() <= 100 * 2.0**-52 * expected.abs().max()
    gradients = [torch.autograd.grad(value.abs().square().sum(), parameters) for value in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() <= 1000 * 2.0**-52 * theirs.abs().max()


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", COMPILED)
def test_the_compiler_takes_every_kernel_as_one_graph(name):
    """Values and gradients as without it; in 2.13 gradients of S4 are wrong unless it is an operator of its own."""
    torch.compiler.reset()
    torch.manual_seed(0)
    kernel = COMPILED[name](torch.float64)
    check_equal(torch.compile(kernel, fullgraph=True)(40), kernel(40), list(kernel.parameters()))


def of_recurrence(kernel):
    system = kernel.recurrence()
    return torch.cat([part.flatten() for part in (system.Abar, system.Bbar, system.C)])


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", [name for name in COMPILED if name != "dss-softmax"])
def test_the_compiler_takes_every_recurrence_as_one_graph(name):
    torch.compiler.reset()
    torch.manual_seed(0)
    kernel = COMPILED[name](torch.float64)
    check_equal(torch.compile(of_recurrence, fullgraph=True)(kernel), of_recurrence(kernel), list(kernel.parameters()))


def traced(function, backend="aot_eager"):
    torch.compiler.reset()
    return torch.compile(function, fullgraph=True, backend=backend)


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_traced_s4_runs_its_operators():
    """One graph for the first length and one for all others, with two nodes for what would be hundreds."""
    torch.manual_seed(0)
    kernel, nodes = MODULES["s4-rank-2"](torch.float64), []

    def graph_of(module, given):
        nodes.extend(str(node.target) for node in module.graph.nodes)
        return torch._dynamo.lookup_backend("aot_eager")(module, given)

    def both(L):
        return torch.cat([kernel(L).flatten(), of_recurrence(kernel)])

    compiled = traced(both, graph_of)
    for L in (40, 51, 64):
        check_equal(compiled(L), both(L), list(kernel.parameters()))
    for operator in ("low_rank_kernels", "low_rank_steps"):
        assert sum(operator in node for node in nodes) == 2
    assert not any("solve" in node or "matmul" in node for node in nodes)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["low_rank_kernels", "low_rank_steps"])
def test_operators_are_what_pytorch_asks_of_operators(name):
    """Schema, shapes, aliases, autograd and dynamic sizes, by PyTorch's own checks."""
    torch.manual_seed(0)
    kernel = COMPILED["s4-rank-2-of-4"](torch.float64)
    Lambda, P, B, C, dt = (part.detach().clone().requires_grad_() for part in kernel._system())
    given = (Lambda, P, B, C, dt, 12) if name == "low_rank_kernels" else (Lambda, P, B, dt)
    found = torch.library.opcheck(getattr(torch.ops.hippo_theory, name).default, given)
    assert set(found.values()) == {"SUCCESS"}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_operators_refuse_second_derivatives_and_the_plain_code_has_them():
    def second(kernel, values):
        (first,) = torch.autograd.grad(values.square().sum(), [kernel.log_dt], create_graph=True)
        return torch.autograd.grad(first.sum(), [kernel.log_dt])[0]

    torch.manual_seed(0)
    kernel = MODULES["s4"](torch.float64)
    assert second(kernel, kernel(6)).isfinite().all()
    with pytest.raises(InputError, match="no second derivatives inside a compiler"):
        second(kernel, traced(kernel, "eager")(6))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_traced_s4_keeps_its_numbers_under_modes():
    torch.manual_seed(0)
    kernel = MODULES["s4-rank-2"](torch.float32)
    expected, compiled = kernel(40).detach(), traced(kernel)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(compiled(40), expected)
    with torch.inference_mode():
        assert torch.equal(compiled(40), expected)


ADAPTER = Path(hippo_theory.__file__).parent / "torch"
# Where a logarithm or an exponential is no formula of the theory: transforms of parameters and steps, their inverses in
# other layouts; and the root of a mean square.
ALLOWED = {
    "parameters.py": {"exp", "log", "expm1"},
    "kernel_base.py": {"exp", "log"},
    "matrix_kernels.py": {"exp", "log"},
    "interop.py": {"exp", "log", "expm1"},
    "experiments.py": {"sqrt"},
}
_FORMULAS = (
    "pi tau e euler_gamma sqrt rsqrt cbrt hypot power float_power pow exp exp2 expm1 log log2 log10 log1p logaddexp "
    "logsumexp sigmoid tanh softmax sin cos tan sinc asin acos atan atan2 arcsin arccos arctan arctan2 sinh cosh polar "
    "angle outer vander cumsum cumprod matrix_exp matrix_power solve inv pinv eig eigh eigvals eigvalsh gamma lgamma "
    "special legendre laguerre hermite polynomial"
)
FORMULAS = set(_FORMULAS.split())
NUMBERS = {0, 1, 2, 3, 4, 5}  # of indices, halves and pairs; others are counted where they stand
COUNTED = {
    "parameters.py": {40.0, 62, 64, 128},
    "kernel_base.py": {62, 64},
    "matrix_kernels.py": {62},
    "interop.py": {1e-4, 1e-3, 0.5},
    "optimizer_groups.py": {1e-3},
}


def formulas(source):
    """What a syntax tree holds of constants, functions and libraries that formulas are made of."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in FORMULAS:
            found.add(node.attr)
        if isinstance(node, ast.Name) and node.id in FORMULAS:
            found.add(node.id)
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [getattr(node, "module", None) or "", *[alias.name for alias in node.names]]
            found |= {
                module for module in modules if module.split(".")[0] in {"math", "cmath", "scipy", "mpmath", "sympy"}
            }
            found |= {alias.name for alias in node.names if alias.name in FORMULAS}
        whole = (
            isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and isinstance(node.right.value, int)
        )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not whole:
            found.add("power")
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"getattr", "eval", "exec", "__import__"}:
            names = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            found |= {name for name in names if name in FORMULAS}
    return found


def numbers(source):
    """Numbers that are not small whole ones."""
    found = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    return {value for value in found if isinstance(value, int | float | complex) and value not in NUMBERS | {1j}}


@pytest.mark.parametrize("path", sorted(ADAPTER.glob("*.py")), ids=lambda path: path.name)
def test_no_formula_of_the_theory_stands_in_the_adapter(path):
    source = path.read_text(encoding="utf-8")
    assert formulas(source) <= ALLOWED.get(path.name, set())
    if path.name != "experiments.py":  # whose numbers are sizes of experiments and of figures
        assert numbers(source) <= COUNTED.get(path.name, set())


def test_the_check_of_formulas_can_fail():
    assert formulas("import math\nx = math.pi * math.sqrt(2) + 2 ** 0.5") == {"math", "pi", "sqrt", "power"}
    assert formulas("from torch import sin as s\nx = getattr(torch, 'cosh')(1)") == {"sin", "cosh"}
    assert numbers("x = 3.14159 * y + 2 + 0.5") == {3.14159, 0.5}
