"""The exceptions of the package; each is a subclass of the built-in that a caller would expect."""

from __future__ import annotations

from typing import Any

__all__ = ["CertificationError", "InputError", "MissingDependencyError", "TensorFileError", "checked_size"]


class InputError(ValueError):
    """An argument is outside what a function accepts; the message names it, what was given, and a way out."""


class TensorFileError(InputError):
    """A file of tensors cannot be read: absent, damaged, of a format that is not read, or refused with the reason."""


class CertificationError(ArithmeticError):
    """A value could not be enclosed as tightly as was asked; more working precision, or a weaker demand, is needed."""


class MissingDependencyError(ImportError):
    """An optional library is needed; the message says which extra installs it."""


def checked_size(name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int if it is an integer of at least `minimum`, else raise `InputError`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InputError(f"`{name}` must be an integer, got {value!r}; give a whole number of at least {minimum}")
    size = int(value.__index__())
    if size < minimum:
        raise InputError(f"`{name}` must be at least {minimum}, got {size}")
    return size
