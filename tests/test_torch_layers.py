"""Layers of the torch adapter: convolution against recurrence, precision, optimizer groups, several processes, import."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import socket
from dataclasses import replace

import pytest
from helpers import run_python

import hippo_theory
from hippo_theory.arithmetic import exact_fraction
from hippo_theory.discretizations import discretize_system, find_discretization, generalized_bilinear
from hippo_theory.errors import InputError
from hippo_theory.norms import h2_norm
from hippo_theory.systems import conjugate_full

torch = pytest.importorskip("torch", reason="needs torch")
ht = pytest.importorskip("hippo_theory.torch", reason="needs torch")

pytestmark = pytest.mark.torch

EPS = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}

LAYERS = {
    "s4d": lambda **given: ht.S4D.from_initialization("s4d-legs", N=9, H=3, **given),
    "s4d-euler": lambda **given: ht.S4D.from_initialization("s4d-lin", N=8, H=3, method="backward_euler", **given),
    "s4": lambda **given: ht.S4.from_initialization("legt", N=8, H=3, **given),
    "dss": lambda **given: ht.DSS.from_initialization("dss", N=8, H=3, **given),
    "dss-softmax": lambda **given: ht.DSS.from_initialization("dss", N=8, H=3, variant="softmax", **given),
    "s5": lambda **given: ht.S5.from_initialization("s5", N=8, H=3, start={"blocks": 2}, **given),
    "lru": lambda **given: ht.LRU.from_initialization(
        "lru", N=8, H=3, start={"smallest": 0.5, "largest": 0.99}, **given
    ),
}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def stepped(layer, u):
    system, state, outputs = layer.recurrence(u.shape[1]), None, []
    for lag in range(u.shape[1]):
        y, state = layer.step(u[:, lag], state, system)
        outputs.append(y)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("dtype", EPS, ids=["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_step_equals_the_convolution(name, dtype):
    layer, u = LAYERS[name](dtype=dtype), torch.randn(2, 70, 3, dtype=dtype)
    y = layer(u)
    assert y.dtype == dtype
    # FFT: log2(2 L) eps of the norms; scan and roundings of Abar: 5 L eps; c = 10 of sum |K| max |u|.
    scale = float(layer.kernel(70).abs().sum(-1).max()) * float(u.abs().max()) + float(
        layer.D.abs().max() * u.abs().max()
    )
    assert (stepped(layer, u) - y).abs().max() <= 10 * 70 * EPS[dtype] * scale


def test_the_comparison_with_steps_can_fail():
    layer, u = LAYERS["s4d"](dtype=torch.float64), torch.randn(1, 70, 3, dtype=torch.float64)
    system = layer.recurrence()
    wrong = ht.Recurrence(system.kind, system.Abar * (1 + 1e-9), system.Bbar, system.C)
    state = None
    for lag in range(70):
        y, state = layer.step(u[:, lag], state, wrong)
    assert (y - layer(u)[:, -1]).abs().max() > 1e-12


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_a_layer_is_the_sum_over_its_kernel(name):
    """y_l = sum_j K_j u_(l-j) + sum_j K'_j u_(l+j) + D u_l, written out."""
    L, dtype = 11, torch.float64
    layer, u = LAYERS[name](dtype=dtype, bidirectional=True), torch.randn(2, L, 3, dtype=dtype)
    K = layer.kernel(L)
    matrix = (
        K
        if K.ndim == 3
        else torch.stack([torch.diag_embed(k.T).permute(1, 2, 0) for k in (K[:3], K[3:])]).flatten(0, 1)
    )
    expected = layer.D * u
    for out in range(L):
        for at in range(L):
            taken = matrix[:3, :, out - at] if at <= out else 0
            taken = taken + (matrix[3:, :, at - out] if at >= out else 0)
            expected[:, out] = expected[:, out] + u[:, at] @ taken.T
    assert (layer(u) - expected).abs().max() <= 100 * L * 2.0**-52 * float(matrix.abs().max() * u.abs().max() * 3)
    with pytest.raises(InputError, match="no recurrence"):
        layer.recurrence()


@pytest.mark.parametrize("name", LAYERS)
def test_autocast_leaves_the_kernel_in_its_precision(name):
    layer, u = LAYERS[name](), torch.randn(2, 64, 3)
    expected = layer(u)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.matmul(u, u.mT).dtype == torch.bfloat16  # it does what it says
        kernel, y = layer.kernel(64), layer(u)
    assert kernel.dtype == torch.float32
    assert torch.equal(kernel, layer.kernel(64))
    assert torch.equal(y, expected)
    assert layer(u.bfloat16()).dtype == torch.bfloat16


def test_a_layer_mixes_outside_of_autocast():
    """Also where a subclass mixes by products of real matrices, which autocast would take in bfloat16."""

    class Toeplitz(ht.S4D):
        def _mixed(self, u):
            L = u.shape[1]
            lag = torch.arange(L)[:, None] - torch.arange(L)
            return torch.einsum("hlm,bmh->blh", self.kernel(L)[:, lag.clamp_min(0)] * (lag >= 0), u)

    layer, u = Toeplitz.from_initialization("s4d-lin", N=8, H=3), torch.randn(2, 64, 3)
    expected = layer(u)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(u), expected)
        with_cast = layer._mixed(u) + layer.D * u
    assert (with_cast - expected).abs().max() > 1e-4 * expected.abs().max()  # what the guard keeps away


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_autocast_leaves_the_recurrence_in_its_precision(name):
    layer, u = LAYERS[name](), torch.randn(2, 12, 3)
    expected = stepped(layer, u)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(stepped(layer, u), expected)


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_a_layer_makes_the_round_trip_through_pickle(name):
    layer, u = LAYERS[name](), torch.randn(1, 20, 3)
    for again in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert torch.equal(again(u), layer(u))
        assert torch.equal(stepped(again, u), stepped(layer, u))
        assert again.kernel.C is not layer.kernel.C


def test_a_discretization_with_a_weight_makes_the_round_trip_through_pickle():
    layer = ht.S4D.from_initialization("s4d-lin", N=4, H=2, method=generalized_bilinear("2/3"))
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again.kernel(9), layer.kernel(9))
    assert again.kernel.discretization.alpha == layer.kernel.discretization.alpha


def test_a_discretization_is_not_taken_for_another_one_of_its_name():
    other = replace(generalized_bilinear("2/3"), name="zoh")
    layer = ht.S4D.from_initialization("s4d-lin", N=4, H=2, method=other)
    assert torch.equal(pickle.loads(pickle.dumps(layer)).kernel.recurrence().Abar, layer.kernel.recurrence().Abar)
    nameless = ht.S4D.from_initialization("s4d-lin", N=4, H=2, method=replace(find_discretization("zoh"), name="ours"))
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(nameless)


@pytest.mark.parametrize("name", LAYERS)
def test_modules_in_narrow_types_are_refused(name):
    layer, u = LAYERS[name](), torch.randn(1, 20, 3)
    for narrow in (torch.bfloat16, torch.float16):
        with pytest.raises(InputError, match=f"float32 or float64, got {narrow}; .* torch.autocast"):
            copy.deepcopy(layer).to(narrow)(u.to(narrow))
    assert layer.double()(u.double()).dtype == torch.float64


@pytest.mark.parametrize("name", LAYERS)
def test_state_dicts_make_the_round_trip(name, tmp_path):
    first, second = LAYERS[name](trains_A=False), LAYERS[name](trains_A=False)
    u = torch.randn(1, 20, 3)
    assert not torch.equal(first(u), second(u))
    torch.save(first.state_dict(), tmp_path / "layer.pt")
    second.load_state_dict(torch.load(tmp_path / "layer.pt", weights_only=True))
    assert torch.equal(first(u), second(u))
    assert not any(key.startswith("kernel._") for key in first.state_dict())


@pytest.mark.parametrize("name", LAYERS)
def test_a_trained_layer_goes_back_to_the_theory(name):
    """Its H2 norm, by Gramians of the discretized system, is the root of the sum of squares of its kernel."""
    torch.manual_seed(1)
    layer, L = LAYERS[name](dtype=torch.float64), 60_000
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    optimizer = torch.optim.AdamW(ht.optimizer_groups(layer, lr=0.01))
    u = torch.randn(2, 50, 3, dtype=torch.float64)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        losses.append((layer(u) - u.roll(1, 1)).square().mean())
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    moved = {key for key, value in layer.state_dict().items() if (value != before[key]).any()}
    assert moved == set(before) - {"kernel.relu_decay"}  # 0 for LegT, where relu has no derivative
    with torch.no_grad():
        rule, kernel = getattr(layer.kernel, "discretization", None), layer.kernel(L)
        step = 1.0 if kernel.ndim == 3 else float(layer.kernel.dt[1])
    half = layer.to_system(1, L)
    system = conjugate_full(half)
    discrete = system if half.discrete else discretize_system(system, rule, exact_fraction(step))
    expected = float((kernel[:, 1] if kernel.ndim == 3 else kernel[1]).square().sum().sqrt())
    # Bbar takes part in the first output, which transfer functions C (z I - A)^-1 B delay by one step: the same norm.
    found = h2_norm(discrete)
    assert abs(found.value - expected) <= found.error + 1e-9 * expected
    (finding,) = hippo_theory.validate(layer.state_dict()).files[0].findings
    assert finding.verdict not in ("exact", "rounding")


@pytest.mark.parametrize("name", LAYERS)
def test_optimizer_groups_are_those_of_the_papers(name):
    layer = LAYERS[name]()
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), layer)
    plain, slow = ht.optimizer_groups(model, lr=0.01, weight_decay=0.1)
    names = {id(parameter): key for key, parameter in layer.kernel.named_parameters()}
    assert (plain["lr"], plain["weight_decay"], slow["lr"], slow["weight_decay"]) == (0.01, 0.1, 0.001, 0.0)
    assert {names[id(parameter)] for parameter in slow["params"]} == set(names.values()) - {"C"}
    assert len(plain["params"]) + len(slow["params"]) == len(list(model.parameters()))
    assert ht.optimizer_groups(model, lr=1e-4)[1]["lr"] == 1e-4


def test_frozen_parts_are_buffers():
    layer = ht.S4D.from_initialization("s4d-lin", N=8, H=2, trains_A=False, trains_B=False, trains_dt=False)
    assert {name for name, _ in layer.named_parameters()} == {"kernel.C", "D"}
    assert {"kernel.B", "kernel.log_decay", "kernel.frequency", "kernel.log_dt"} <= set(layer.state_dict())


def test_steps_are_log_uniform_in_the_stated_range():
    layer = ht.S4D.from_initialization("s4d-lin", N=2, H=4000, dt=("0.001", "0.1"), dtype=torch.float64)
    steps = layer.kernel.log_dt.detach()
    share = (steps - steps.new_tensor(0.001).log()) / steps.new_tensor(100.0).log()
    assert 0 <= share.min() < 0.01
    assert 0.99 < share.max() <= 1
    # Kolmogorov's distance of 4000 uniform draws is below 1.95/sqrt(4000) with probability 0.999.
    assert (share.sort().values - torch.linspace(0, 1, 4000, dtype=torch.float64)).abs().max() < 1.95 / 63


def test_outputs_and_skip_are_drawn_with_the_variances_of_the_papers():
    """C of S4, S4D, DSS complex of variance 1, of S5 and LRU 1/(real entries of a row); D of variance 1."""
    made = ht.S4D.from_initialization("s4d-lin", N=64, H=500, dtype=torch.float64)
    # The mean square of k normal numbers of variance v is v within 5 v sqrt(2/k).
    for values, variance in ((made.kernel.C, 0.5), (made.D, 1.0)):
        mean = float(values.detach().square().mean())
        assert abs(mean - variance) <= 5 * variance * (2 / values.numel()) ** 0.5
    s5 = ht.S5Kernel.from_initialization("s5", N=64, H=500, dtype=torch.float64)
    for values in (s5.B, s5.C):
        columns = values.shape[1]
        mean = float(values.detach().square().mean())
        assert abs(mean * 2 * columns - 1) <= 5 * (2 / values.numel()) ** 0.5


def test_seeds_of_torch_and_generators_fix_the_parameters():
    import numpy as np

    def made(**given):
        return ht.S4D.from_initialization("s4d-lin", N=4, H=2, **given).kernel(9)

    torch.manual_seed(3)
    first = made()
    torch.manual_seed(3)
    assert torch.equal(first, made())
    assert torch.equal(made(rng=np.random.default_rng(1)), made(rng=np.random.default_rng(1)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LAYERS["s4d"]()(torch.zeros(5, 3)), "`u` must have the shape"),
        (lambda: LAYERS["s4d"]().step(torch.zeros(5), None), r"must have the shape \(batch, 3\)"),
        (lambda: ht.S4(ht.S4DKernel.from_initialization("s4d-lin", N=4, H=2)), "must be a S4Kernel"),
        (
            lambda: ht.S4D(ht.S4DKernel.from_initialization("s4d-lin", N=4, H=3), bidirectional=True),
            "even number of channels",
        ),
        (lambda: ht.S4D.from_initialization("s4d-lin", N=4, H=2, D=torch.ones(3)), "`D` must have the shape"),
        (lambda: ht.causal_convolution(torch.zeros(3), torch.zeros(4)), "as many lags"),
        (lambda: ht.optimizer_groups(torch.nn.Linear(1, 1), lr=0), "`lr` must be positive"),
        (lambda: ht.LRU.from_initialization("dss", N=4, H=2), "starts from 'lru'"),
    ],
)
def test_errors_name_the_argument_and_a_way_out(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_the_compiler_takes_every_layer_as_one_graph(name):
    """Convolutions and scans; c = 100 for values, 1000 for gradients, as of kernels."""
    torch.compiler.reset()
    layer, u = LAYERS[name](dtype=torch.float64), torch.randn(2, 40, 3, dtype=torch.float64)
    compiled, plain = torch.compile(layer, fullgraph=True)(u), layer(u)
    assert (compiled - plain).abs().max() <= 100 * 2.0**-52 * plain.abs().max()
    parameters = list(layer.parameters())
    gradients = [torch.autograd.grad(value.square().sum(), parameters) for value in (compiled, plain)]
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() <= 1000 * 2.0**-52 * theirs.abs().max()


# --- several processes ----------------------------------------------------------------------------------------------------


def _losses(rank, size, port, results):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(ht.S4D.from_initialization("s4d-legs", N=8, H=2, dtype=torch.float64))
    u = torch.randn(4, 30, 2, dtype=torch.float64)
    wanted = u.roll(3, dims=1)
    if size > 1:
        torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(ht.optimizer_groups(model, lr=0.01))
    part, losses = slice(rank * 4 // size, (rank + 1) * 4 // size), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (model(u[part]) - wanted[part]).square().mean()
        loss.backward()
        optimizer.step()
        if size > 1:
            loss = loss.detach()
            torch.distributed.all_reduce(loss)
        losses.append(float(loss) / size)
    if size > 1:
        torch.distributed.destroy_process_group()
    if rank == 0:
        results.put(losses)


@pytest.mark.heavy
def test_two_processes_have_the_losses_of_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    found = {}
    for size in (1, 2):
        results = context.Queue()
        processes = [context.Process(target=_losses, args=(rank, size, port, results)) for rank in range(size)]
        for process in processes:
            process.start()
        found[size] = results.get(timeout=200)
        for process in processes:
            process.join(timeout=60)
            assert process.exitcode == 0
    assert found[1][0] > found[1][-1]
    # Means of two halves against one mean: a few roundings, carried through 5 steps.
    assert max(abs(a - b) for a, b in zip(found[1], found[2], strict=True)) <= 1000 * 2.0**-52 * found[1][0]


# --- import ----------------------------------------------------------------------------------------------------------------


def test_importing_the_package_does_not_import_torch():
    assert run_python("-c", "import sys, hippo_theory; assert 'torch' not in sys.modules").returncode == 0
    assert run_python("-c", "import sys, hippo_theory.torch; assert 'torch' not in sys.modules").returncode == 1


def test_without_torch_the_error_names_the_extra():
    code = "import sys; sys.modules['torch'] = None\nimport hippo_theory.torch"
    result = run_python("-c", code)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith('needs PyTorch: pip install "hippo_theory[torch]"')
    assert "MissingDependencyError" in result.stderr


# --- GPU -------------------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("name", LAYERS)
def test_a_gpu_computes_what_the_processor_computes(name):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    layer, u = LAYERS[name](dtype=torch.float64), torch.randn(2, 500, 3, dtype=torch.float64)
    expected = layer(u)
    found = layer.cuda()(u.cuda()).cpu()
    assert (found - expected).abs().max() <= 1000 * 500 * 2.0**-52 * expected.abs().max()


def test_the_row_of_the_gpu_bench_runs_small_on_a_processor():
    from hippo_theory.bench.torch import s4d_layer_row

    row = s4d_layer_row(2, 8, 64, 1, "cpu", repeats=1)
    assert row["ratio"] > 0
    assert row["memory_ratio"] is None
    assert (
        row["error"] <= (9 + 2) * 2.0**-23 * 4
    )  # c n eps; the sum of moduli is at most 4 times the largest value here
    assert row["peer_error"] <= 100 * 2.0**-23
