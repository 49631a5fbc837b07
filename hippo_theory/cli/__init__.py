"""The command `hippo`.

Its library is cyclopts: a verb is a plain typed function and its numpydoc docstring is the help text, so that nothing is
said twice; it imports in a tenth of a second, keeps no global state, and raises its errors instead of printing usage.

A verb (in the other modules of this folder, each imported only when it is called) takes its options and returns an
`Answer`; printing it, as one JSON object or as tables, and every exit status are decided here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from hippo_theory import __version__
from hippo_theory.errors import CertificationError, InputError, MissingDependencyError

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["main"]

FINE, BAD_INPUT, NOT_CERTIFIED, INTERRUPTED = 0, 2, 3, 130

_VERBS = {
    "matrix": "systems:matrix",
    "spectrum": "systems:spectrum",
    "kernel": "systems:kernel",
    "converge": "study:converge",
    "validate": "validation:validate",
    "verify": "claims:verify",
    "cite": "claims:cite",
    "figures": "figures:figures",
    "sweep": "sweep:sweep",
    "dual": "neighbors:dual",
    "export": "tools:export",
    "list": "tools:list_things",
    "doctor": "tools:doctor",
    "bench": "tools:bench",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status: 0 fine, 1 no, 2 bad input, 3 not certified, 130 interrupted.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after `hippo`; by default those of this process.
    """
    from cyclopts import CycloptsError

    try:
        status = _run(sys.argv[1:] if argv is None else list(argv))
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        _discard_output()
        return FINE
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except CertificationError as error:
        return _fail(error, NOT_CERTIFIED)
    except (CycloptsError, InputError, MissingDependencyError) as error:
        return _fail(error, BAD_INPUT)
    except (OverflowError, ZeroDivisionError) as error:
        return _fail(f"a number is beyond what can be computed with ({error}); take a less extreme one", BAD_INPUT)
    except OSError as error:
        _discard_output()
        return _fail(error, BAD_INPUT)


def _run(argv: list[str]) -> int:
    command, bound, _ = _application(argv).parse_args(argv, exit_on_error=False, print_error=False)
    if "json" not in bound.signature.parameters:
        with suppress(SystemExit):  # how rich answers a closed pipe
            command(*bound.args, **bound.kwargs)  # the help or the version
        return FINE
    from hippo_theory.cli.output import write_json, write_tables

    bound.apply_defaults()
    answer = command(*bound.args, **bound.kwargs)
    if bound.arguments["json"]:
        write_json(bound.arguments, answer)
    else:
        write_tables(answer)
    return int(answer.status)


def _application(argv: Sequence[str]) -> App:
    """The verbs; their modules are imported when they are called, or now if all are to be described."""
    from cyclopts import App, Parameter

    application = App(
        name="hippo",
        help="Exact and certified HiPPO state space systems, their diagonal restrictions, and the distance of the two.",
        version=__version__,
        help_format="plaintext",
        default_parameter=Parameter(negative=""),
    )
    describes_all = not argv or argv[0] in ("--help", "-h")
    for name, place in _VERBS.items():
        module, function = f"{__name__}.{place}".split(":")
        command = getattr(import_module(module), function) if describes_all else f"{module}:{function}"
        application.command(command, name=name)
    return application


def _fail(error: object, status: int) -> int:
    """One line on standard error."""
    print("hippo:", " ".join(str(error).split()), file=sys.stderr)  # noqa: T201
    return status


def _discard_output() -> None:
    """Send what is still buffered for standard output nowhere, so that the interpreter does not complain at its end."""
    with suppress(AttributeError, OSError, ValueError):  # standard output need not be a file of the operating system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
