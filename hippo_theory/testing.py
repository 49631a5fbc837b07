"""Assertions for other projects' test suites."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from hippo_theory.errors import InputError
from hippo_theory.tensor_files import shown
from hippo_theory.validation import VERDICTS, Finding, validate
from hippo_theory.validation.expectations import checked_identifier

__all__ = ["assert_initialization"]


def assert_initialization(
    arrays_or_path: Mapping[str, Any] | str | os.PathLike[str],
    identifier: str,
    *,
    N: int | None = None,
    convention: str | None = None,
    verdict: str | Collection[str] = ("exact", "rounding"),
) -> None:
    r"""Assert that every initialization in arrays, a file or a folder is the one that is meant, and how exact it is.

    Parameters
    ----------
    arrays_or_path : mapping of str to array, or path
        Arrays of NumPy, PyTorch or JAX by name, a state dict for one; or whatever `hippo_theory.validate` reads.
    identifier : str
        ``s4d-legs``, ``legs``, ``mamba-real``, ...
    N : int, optional
        Full real state size: twice what is stored if one of each conjugate pair is.
    convention : str, optional
        As `hippo list conventions` names it.
    verdict : str or collection of str
        Verdicts that pass: of exact, rounding, known-deviation, random, trained, unknown, deviates.

    Raises
    ------
    AssertionError
        If anything else is found, or nothing; the message says what, where and why.
    InputError
        If `identifier` or `verdict` is none that there is, or the path does not exist.

    Examples
    --------
    In a test of a codebase that builds S4D-Lin in single precision:

    >>> import numpy as np
    >>> from hippo_theory.testing import assert_initialization
    >>> n = np.arange(32)
    >>> state = {"log_A_real": np.log(np.full(32, 0.5, np.float32)), "A_imag": (np.pi * n).astype(np.float32)}
    >>> assert_initialization(state, "s4d-lin", N=64)

    The message, if its author had forgotten pi:

    >>> try:
    ...     assert_initialization({**state, "A_imag": n.astype(np.float32)}, "s4d-lin")
    ... except AssertionError as error:
    ...     print(*str(error).split("; ")[0].split(" (Lambda: "), sep="\n")
    arrays: log_A_real, A_imag: verdict is deviates, expected exact or rounding
    imaginary parts are 1/pi times the expected, real parts are right)
    """
    __tracebackhide__ = True
    checked_identifier(identifier)
    accepted = (verdict,) if isinstance(verdict, str) else tuple(verdict)
    strange = [name for name in accepted if name not in VERDICTS]
    if strange or not accepted:
        raise InputError(f"`verdict` must be of {', '.join(VERDICTS)}; got {', '.join(map(repr, strange)) or 'none'}")
    result = validate(arrays_or_path)
    complaints = [f"{file.path}: could not be read: {file.error}" for file in result.files if file.error is not None]
    findings = [(file.path, finding) for file in result.files for finding in file.findings]
    if not findings and not complaints:
        complaints.append(f"found no initialization at all, where {identifier} was expected")
    for path, finding in findings:
        wrong = list(_differences(finding, identifier, N, convention, accepted))
        if wrong:
            place = finding.layer.rstrip("./") or ", ".join(finding.tensors)
            reason = f" ({finding.reason})" if finding.reason else ""
            complaints.append(shown(f"{path}: {place}: {'; '.join(wrong)}{reason}", 4000))
    if complaints:
        raise AssertionError("\n".join(complaints))


def _differences(
    finding: Finding, identifier: str, N: int | None, convention: str | None, accepted: Collection[str]
) -> Any:
    expected = {"identified": identifier, "N": N, "convention": convention}
    for name, value in expected.items():
        found = getattr(finding, name)
        if value is not None and found != value:
            yield f"{name} is {found}, expected {value}"
    if finding.verdict not in accepted:
        deviation = f" {finding.deviation}" if finding.deviation else ""
        yield f"verdict is {finding.verdict}{deviation}, expected {' or '.join(accepted)}"
