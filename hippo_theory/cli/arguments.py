"""What the options of the verbs may hold, checked while the command line is read.

Numbers stay the strings that were typed, so that they are exact and can be echoed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from hippo_theory.arithmetic import exact_complex, exact_fraction
from hippo_theory.errors import InputError
from hippo_theory.families import Family, make_family

__all__ = [
    "Component",
    "Count",
    "Decimal",
    "Decimals",
    "Names",
    "Points",
    "Seed",
    "Size",
    "Sizes",
    "Whole",
    "chosen_family",
    "writable_file",
    "writable_folder",
]

_Reader = Callable[[str], Any]


def _whole(minimum: int) -> _Reader:
    def read(text: str) -> int:
        if not text.strip().lstrip("+-").isdecimal() or int(text) < minimum:
            raise ValueError(f"it needs a whole number of at least {minimum}, got {text!r}")
        return int(text)

    return read


def _decimal(text: str) -> str:
    exact_fraction(text)
    return text.strip()


def _point(text: str) -> str:
    exact_complex(text)
    return text.strip()


def _one(read: _Reader) -> Parameter:
    def convert(type_: Any, tokens: Sequence[Token]) -> Any:
        return read(tokens[0].value)

    return Parameter(converter=convert)


def _several(read: _Reader) -> Parameter:
    def convert(type_: Any, tokens: Sequence[Token]) -> Any:
        return tuple(read(text) for text in tokens[0].value.split(","))

    return Parameter(converter=convert, n_tokens=1)


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("a name between the commas is empty")
    return text.strip()


Size = Annotated[int, _one(_whole(1)), Parameter(name="-N")]
Count = Annotated[int, _one(_whole(1))]
Seed = Annotated[int, _one(_whole(0))]
Component = Annotated[int, _one(_whole(0))]
Decimal = Annotated[str, _one(_decimal)]
Sizes = Annotated[tuple[int, ...], _several(_whole(1))]
Whole = Annotated[tuple[int, ...], _several(_whole(0))]
Decimals = Annotated[tuple[str, ...], _several(_decimal)]
Points = Annotated[tuple[str, ...], _several(_point)]
Names = Annotated[tuple[str, ...], _several(_name)]


def chosen_family(id: str, N: int, convention: str, alpha: str, beta: str) -> Family:
    """The family that the options of a verb mean; `alpha` and `beta` are 0 for those that do not have them."""
    parameters = {"alpha": exact_fraction(alpha), "beta": exact_fraction(beta)}
    given = [name for name, value in parameters.items() if value != 0]
    if id != "lagt" and given:
        make_family(id, N, convention=convention)  # a wrong name comes first
        raise InputError(f"--{given[0]} belongs to lagt; {id} has no such parameter")
    return make_family(id, N, convention=convention, **(parameters if id == "lagt" else {}))


def writable_folder(folder: Path, option: str = "--out") -> Path:
    """The folder, made if need be, in which a file could be written just now."""
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise InputError(f"cannot write in the folder {folder}: {error.strerror}; give {option} another one") from error


def writable_file(file: Path, suffixes: Sequence[str], option: str = "--out") -> Path:
    """The file, if its name ends in one of the suffixes and its folder can be written in."""
    if file.suffix not in suffixes:
        raise InputError(f"{option} must end in {' or '.join(suffixes)}, got {str(file)!r}")
    if file.is_dir():
        raise InputError(f"{option} {file} is a folder; give a file in it")
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent} for {option} {file}; make it first")
    writable_folder(file.parent, option)
    return file
