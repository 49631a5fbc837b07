"""The names, signs, windows and scalings under which the literature and other codebases write the same families.

Every variant of a family is one `Convention`: a transformation of the canonical pair (A, B) of the family, for which
A = S - P P^T with S normal (see `Family.low_rank`):

    A' = sign rate D (S - rank P P^T + shift I) D^-1,      B' = rate gain D B,

where D is the identity or the diagonal matrix of the family's own rescaling (LMU). Canonical means: x' = A x + B u with
stable A, LegT and FouT on the window [0, 1]. Adding a convention is one entry in `CONVENTIONS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hippo_theory.errors import InputError

__all__ = ["CONVENTIONS", "Convention", "find_convention"]

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Convention:
    """One way of writing a family; see the module for the equation.

    Attributes
    ----------
    id : str
        The system under this name (``legt``, ``lmu``, ``fourier-decay``, ...), as the command line takes it.
    name : str
        The convention: ``default`` or the codebase or paper that writes it so.
    family : str
        The family that is transformed.
    rate, rank, shift, gain : Fraction
        Time scale; how much of the low-rank term is kept; multiple of I added; factor of B.
    sign : int
        -1 where the source writes c' = -A c + B f.
    rescaled : bool
        Whether D is the family's own diagonal rescaling instead of the identity.
    unit_mass : bool
        Whether B is also divided by the square root of the mass of the weight (a probability measure).
    even_sizes : bool
        FouT: whether an even N means N - 1 live states and a dead one (the sine of frequency 0) at index 1.
    equation : str
        The differential equation that A' and B' belong to.
    aliases : tuple of str
        What other codebases call it.
    source : str
        Where it is written so.
    """

    id: str
    name: str
    family: str
    rate: Fraction = Fraction(1)
    rank: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)
    gain: Fraction = Fraction(1)
    sign: int = 1
    rescaled: bool = False
    unit_mass: bool = False
    even_sizes: bool = False
    equation: str = "x' = A x + B u"
    aliases: tuple[str, ...] = ()
    source: str = ""

    @property
    def normal_plus_low_rank(self) -> bool:
        """Whether (A', B') is itself written as a normal matrix minus a positive semidefinite one of low rank."""
        return not self.rescaled and not self.unit_mass and self.sign == 1


_HIPPO = "HiPPO (Gu et al. 2020, arXiv:2008.07669)"
_HTTYH = "How to Train Your HiPPO (Gu et al. 2022, arXiv:2206.12037)"
_S4 = "state-spaces/s4, src/models/hippo/hippo.py"
_SCALE = "c'(t) = -(1/t) A c(t) + (1/t) B f(t)"

CONVENTIONS: tuple[Convention, ...] = (
    Convention("legs", "default", "legs", source=_HTTYH, aliases=("legs", "LegS", "hippo")),
    Convention("legs", "s4", "legs", source=_S4, aliases=("legs",)),
    Convention("legs", "hippo2020", "legs", sign=-1, equation=_SCALE, source=_HIPPO, aliases=("legs",)),
    Convention("legt", "default", "legt", source=_HTTYH, aliases=("legt (s4 v1, v2; hippo-code)",)),
    Convention("legt", "s4", "legt", rate=HALF, source=f"{_S4} since 2022-05: window [0, 2]", aliases=("legt",)),
    Convention("legt", "hippo2020", "legt", sign=-1, equation="c' = -A c + B f", source=_HIPPO, aliases=("legt",)),
    Convention("lmu", "default", "legt", rescaled=True, source="LMU (Voelker et al. 2019)", aliases=("lmu",)),
    Convention("lmu", "s4", "legt", rescaled=True, source=_S4, aliases=("lmu",)),
    Convention(
        "lagt", "default", "lagt", source=f"{_S4} (lagt is beta = 0, tlagt is beta = 1)", aliases=("lagt", "tlagt")
    ),
    Convention("lagt", "s4", "lagt", source=_S4, aliases=("lagt", "tlagt")),
    Convention("lagt", "glagt", "lagt", unit_mass=True, source=f"{_S4} (glagt: beta = 0.01)", aliases=("glagt",)),
    Convention("lagt", "hippo2020", "lagt", sign=-1, equation="c' = -A c + B f", source=f"{_HIPPO} (beta = 1)"),
    Convention("fout", "default", "fout", source=_HTTYH, aliases=("fourier2", "fourier_double", "fout (HiPPO-Jax)")),
    Convention(
        "fout",
        "s4",
        "fout",
        rate=HALF,
        even_sizes=True,
        source=f"{_S4}: window [0, 2]",
        aliases=("fout", "fourier", "fru"),
    ),
    Convention("fout", "s4-fourier2", "fout", even_sizes=True, source=_S4, aliases=("fourier2",)),
    Convention(
        "fout",
        "hippo2020",
        "fout",
        rank=HALF,
        gain=HALF,
        source=f"{_HIPPO}, appendix D, in the real basis: A = Rot - b b^T, B = b",
    ),
    Convention("fourier-decay", "default", "fout", rank=HALF, gain=HALF, source="twice the one of state-spaces/s4"),
    Convention(
        "fourier-decay",
        "s4",
        "fout",
        rate=HALF,
        rank=HALF,
        gain=HALF,
        even_sizes=True,
        source=_S4,
        aliases=("fourier_decay", "foud (HiPPO-Jax)"),
    ),
    Convention("fourier-diagonal", "default", "fout", rank=Fraction(0), shift=-HALF, gain=HALF, source=_S4),
    Convention(
        "fourier-diagonal",
        "s4",
        "fout",
        rank=Fraction(0),
        shift=-HALF,
        gain=HALF,
        even_sizes=True,
        source=_S4,
        aliases=("fourier_diag", "foud"),
    ),
)


def find_convention(id: str, name: str = "default") -> Convention:
    """The convention `name` of the system `id`.

    Raises
    ------
    InputError
        If there is none; the message lists what there is.

    Examples
    --------
    >>> from hippo_theory.families.conventions import find_convention
    >>> find_convention("legt", "s4").rate
    Fraction(1, 2)
    """
    named = {convention.name: convention for convention in CONVENTIONS if convention.id == id}
    if not named:
        known = ", ".join(dict.fromkeys(convention.id for convention in CONVENTIONS))
        raise InputError(f"unknown family {id!r}; choose one of {known}")
    if name not in named:
        raise InputError(f"{id} has no convention {name!r}; choose one of {', '.join(named)}")
    return named[name]
