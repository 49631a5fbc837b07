"""Rules that hold for the whole run: what may be skipped, and that no test leaves a precision changed."""

from __future__ import annotations

import importlib.metadata
import re
import signal
from collections.abc import Generator, Iterator
from typing import Any

import flint
import hypothesis
import mpmath
import pytest
from allowed_skips import ALLOWED_SKIPS

hypothesis.settings.register_profile("reproducible", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("reproducible")

# A shell starts jobs in the background with SIGINT ignored, which is inherited: what Ctrl-C does could not be tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    names = ("numpy", "scipy", "python-flint", "mpmath", "sympy", "matplotlib")
    return "libraries: " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _fail_unless_allowed(report: Any) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(re.search(allowed, reason) for allowed in ALLOWED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"skipped for a reason that tests/allowed_skips.py does not allow: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    _fail_unless_allowed(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    _fail_unless_allowed(report)
    return report


@pytest.fixture(autouse=True)
def _precisions_are_left_alone() -> Iterator[None]:
    before = flint.ctx.prec, mpmath.mp.prec
    yield
    after = flint.ctx.prec, mpmath.mp.prec
    flint.ctx.prec, mpmath.mp.prec = before
    assert after == before, "a test changed the precision of the whole process"
