"""What validation returns: parts, findings, files, each with a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hippo_theory.validation.kernel_errors import KernelError

__all__ = ["DEVIATIONS", "VERDICTS", "FileResult", "Finding", "Part", "Validation", "worst"]

# From best to worst: the verdict of a whole is the worst of the parts that the initialization fixes.
VERDICTS = ("exact", "rounding", "known-deviation", "random", "trained", "unknown", "deviates")

# Deviations that everybody has who uses the codebase, with what they do.
DEVIATIONS: dict[str, str] = {
    "D1": "state-spaces/s4 v4 clips the imaginary part of B at 2: B is not HiPPO's, and the kernel is another one",
    "D2": "the codebase's diag-legs has B = 1 instead of V* B",
    "D4": "state-spaces/s4 clamps every stored part from below (1e-4; v3: 1e-3): zeros of the spectrum are not zero",
    "D5": "state-spaces/s4 v3, v4 miss the zero frequency of foud: that mode is dropped or doubled",
    "D6": "state-spaces/s4 v4 with deterministic=True takes the exponential of the logarithmic steps again: 1.001 to 1.105",
    "D8": "HiPPO-LegS with indices from 1: LegS of size N + 1 without its first row and column",
    "D9": "s5-pytorch mixes A with indices from 0 and P with indices from 1: S is not normal, and not stable",
    "D10": "hippox pairs the wrong eigenvalues: zero pairs are not handled, or linear and inverse run over all N",
    "D15": "Hugging Face Mamba-2 stores log(1..heads) where mamba_ssm draws A from U[1, 16]",
    "D16": "the stored dtype is too coarse for A_log: A = -exp(A_log) moves by up to eps log A",
    "D22": "odd N in halves: the real eigenvalue is lost",
}


# Another system; another input; a smaller change.
_GRAVITY = ("D8", "D9", "D10", "D5", "D22", "D15", "D4", "D2", "D1", "D6", "D16")


@dataclass(frozen=True)
class Part:
    """One parameter of a finding.

    Attributes
    ----------
    verdict : str
    max_relative_error : float, optional
        Largest of abs(stored - true) / abs(true), where the truth is 0 of abs(stored - true).
    ulps : float, optional
        Largest error in units in the last place of what is stored.
    bound : float, optional
        Largest of the errors that rounding explains, each entry having its own: absolute, in the unit of the parameter
        (1/time for eigenvalues and A), as `max_error` is.
    deviation : str, optional
        Id of the known deviation, a key of `DEVIATIONS`.
    why : str
        For people.
    cause : str, optional
        What went wrong, in one word that scripts may compare: ``sign``, ``factor``, ``lost``, ``index``, ...
    max_error : float, optional
        Largest of abs(stored - true).
    excess : float, optional
        Largest of each error over its own bound, a pure number: rounding explains what is at most 1.
    """

    verdict: str
    max_relative_error: float | None = None
    ulps: float | None = None
    bound: float | None = None
    deviation: str | None = None
    why: str = ""
    cause: str | None = None
    max_error: float | None = None
    excess: float | None = None


@dataclass(frozen=True)
class Finding:
    """What one group of tensors is.

    Attributes
    ----------
    tensors : tuple of str
    layer, layout : str
    identified : str
        An initialization, ``random`` or ``unknown``.
    convention : str, optional
    N, stored, heads : int, optional
        Full real state size, stored eigenvalues, systems in the tensors.
    parts : dict of str to Part
        Lambda, P, B, C, step, ... each with its verdict.
    kernel_error : KernelError, optional
        What the errors do to the kernel.
    fixed : tuple of str
        Names of the parts that the initialization fixes, of which the verdict is the worst.
    why : str
        What concerns the finding as a whole.
    """

    tensors: tuple[str, ...]
    layer: str
    layout: str
    identified: str
    convention: str | None
    N: int | None
    stored: int | None
    heads: int | None
    parts: Mapping[str, Part]
    kernel_error: KernelError | None = None
    fixed: tuple[str, ...] = ("Lambda", "P", "B", "A")
    why: str = ""

    @property
    def verdict(self) -> str:
        """The worst of the parts that the initialization fixes; of the others where they cannot be right."""
        wrong = ("deviates", "known-deviation")
        return worst(part.verdict for name, part in self.parts.items() if name in self.fixed or part.verdict in wrong)

    @property
    def deviation(self) -> str | None:
        """The known deviation, if one was found: of several the one that changes the system most."""
        found = [part.deviation for part in self.parts.values() if part.deviation]
        return min(found, key=_GRAVITY.index, default=None)

    @property
    def max_relative_error(self) -> float | None:
        """The largest of the parts that the initialization fixes."""
        errors = [
            p.max_relative_error for n, p in self.parts.items() if n in self.fixed and p.max_relative_error is not None
        ]
        return max(errors, default=None)

    @property
    def cause(self) -> str | None:
        """What went wrong, by the worst part that says so."""
        worse = sorted(self.parts.values(), key=lambda part: -VERDICTS.index(part.verdict))
        return next((part.cause for part in worse if part.cause), None)

    @property
    def ulps(self) -> float | None:
        """The largest of the parts that the initialization fixes, in units in the last place of what is stored."""
        errors = [p.ulps for n, p in self.parts.items() if n in self.fixed and p.ulps is not None]
        return max(errors, default=None)

    @property
    def reason(self) -> str:
        """Why the verdict is what it is: the finding's own reason and those of its parts."""
        reasons = [self.why] if self.why else []
        reasons += [f"{name}: {part.why}" for name, part in self.parts.items() if part.why and part.verdict != "exact"]
        return "; ".join(reasons)


@dataclass(frozen=True)
class FileResult:
    """What one file holds, or why it could not be read."""

    path: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None

    @property
    def verdict(self) -> str:
        """The worst of its findings; ``unknown`` if there are none."""
        return worst((finding.verdict for finding in self.findings), empty="unknown")


@dataclass(frozen=True)
class Validation:
    """The result of `validate`."""

    files: tuple[FileResult, ...] = field(default_factory=tuple)

    @property
    def verdict(self) -> str:
        """The worst of the files that could be read."""
        return worst((file.verdict for file in self.files if file.error is None), empty="unknown")


def worst(verdicts: Iterable[str], empty: str = "unknown") -> str:
    """The worst of some verdicts."""
    return max(verdicts, key=VERDICTS.index, default=empty)
