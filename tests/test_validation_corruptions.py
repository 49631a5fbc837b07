"""Damaged initializations: data/corruptions.toml says what each start x damage must be called, corruptions.py makes it."""

from __future__ import annotations

import collections
import zlib

import pytest
from corruptions import DAMAGES, Case, cases, corrupted

from hippo_theory.validation.causes import CAUSES
from hippo_theory.validation.validating import validate

FINE = ("exact", "rounding")


def answer(case: Case) -> tuple[str, set[str | None], int] | None:
    """(worst verdict, causes, number of findings), or None where the damage cannot be done."""
    arrays = corrupted(case)
    if arrays is None:
        return None
    file = validate(arrays).files[0]
    if not file.findings:
        return "none", set(), 0
    causes = {part.cause for finding in file.findings for part in finding.parts.values()}
    return file.verdict, causes, len(file.findings)


def judged(chosen: list[Case]) -> tuple[collections.Counter[str], list[str]]:
    """How many are named, fine, ..., and what is not as the table says."""
    counts: collections.Counter[str] = collections.Counter()
    wrong = []
    for case in chosen:
        found = answer(case)
        if found is None:
            continue
        verdict, causes, number = found
        fine = verdict in FINE and number == 1
        if case.harmless:
            kind = "harmless, fine" if fine else "harmless, not fine"
        elif case.blind:
            kind = "blind"
        elif verdict in ("deviates", "known-deviation") and causes & set(case.causes):
            kind = "named"
        else:
            kind = "called fine" if verdict in FINE else "misnamed"
        counts[kind] += 1
        if kind not in ("harmless, fine", "blind", "named"):
            wrong.append(f"{case.label}: {kind}, {verdict} {sorted(str(cause) for cause in causes - {None})}")
    return counts, wrong


def check(chosen: list[Case]) -> collections.Counter[str]:
    counts, wrong = judged(chosen)
    visible = counts["named"] + counts["misnamed"] + counts["called fine"]
    message = f"{dict(counts)}\n" + "\n".join(wrong)
    assert not counts["harmless, not fine"], message
    assert not counts["called fine"], message
    assert counts["named"] >= 0.97 * visible, message
    return counts


def sampled(share: int, largest: int) -> list[Case]:
    """Every `share`-th case up to a size, the same ones on every machine."""
    return [case for case in cases() if largest >= case.N and zlib.crc32(case.label.encode()) % share == 0]


def test_the_table_names_what_exists():
    table = list(cases())
    assert {case.damage.partition(":")[0] for case in table} == set(DAMAGES)
    assert {cause for case in table for cause in case.causes} <= set(CAUSES)
    assert len({case.damage for case in table if not case.harmless}) >= 20
    assert all(case.causes or case.harmless or case.blind for case in table)


def test_damages_are_named_and_harmless_changes_are_not():
    counts = check(sampled(25, 16))
    assert counts["named"] > 80 and counts["harmless, fine"] > 10


def test_every_kind_of_damage_is_named_somewhere():
    seen: dict[str, Case] = {}
    for case in cases():
        if 8 <= case.N <= 9 and not case.blind:
            seen.setdefault(case.damage, case)
    check(list(seen.values()))


def test_what_is_blind_is_indeed_the_same():
    """A cell marked blind that is seen after all belongs among the visible ones: at most one in five."""
    blind = [case for case in cases() if case.blind and case.N <= 9]
    verdicts = [found[0] for case in blind if (found := answer(case)) is not None]
    assert sum(verdict in FINE for verdict in verdicts) >= 0.8 * len(verdicts)


def test_the_count_can_fail():
    """A table that expects another cause is contradicted."""
    case = next(case for case in cases() if case.damage == "lambda-sign" and not case.blind)
    other = Case(case.start, case.N, case.dtype, case.damage, ("lost",), False, "", case.settings)
    counts, wrong = judged([case, other])
    assert counts == {"named": 1, "misnamed": 1} and "lambda-sign" in wrong[0]


@pytest.mark.heavy
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("part", range(8))
def test_the_whole_table(part):
    check([case for case in cases() if zlib.crc32(case.label.encode()) % 8 == part])
