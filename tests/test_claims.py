"""The registry of claims: every check holds, every corruption makes it fail, and its two routes share nothing."""

from __future__ import annotations

import json
import multiprocessing
import re
import runpy
from pathlib import Path

import pytest

from hippo_theory.claims import PAPERS, citation, find_claims, load_claims, verify
from hippo_theory.claims.coverage import coverage
from hippo_theory.claims.registry import claim
from hippo_theory.claims.relations import AT_LEAST, AT_MOST, EQUAL, IDENTICAL, WITHIN, near
from hippo_theory.claims.verifying import check, functions_called
from hippo_theory.cli import main
from hippo_theory.errors import InputError
from hippo_theory.report.verification import typeset

CLAIMS = load_claims()
# What any two routes may have in common: numbers, and the errors that they raise.
COMMON = ("hippo_theory.arithmetic", "hippo_theory.errors")


@pytest.mark.heavy
@pytest.mark.parametrize("id", CLAIMS)
def test_every_verdict_is_the_expected_one(id):
    result = check(CLAIMS[id], "quick")
    assert result.as_expected, (result.verdict, result.why, result.evidence[:2])
    assert result.evidence and result.covered


@pytest.mark.heavy
@pytest.mark.parametrize("id", CLAIMS)
def test_every_corruption_is_seen(id):
    for corruption in CLAIMS[id].corruptions:
        result = check(CLAIMS[id], "quick", corruption)
        assert result.verdict != CLAIMS[id].expected, corruption
        assert result.evidence, f"{corruption} raises instead of failing: {result.why}"


def shared_functions(id):
    """What both routes of a claim run through, in a process of its own: caches are empty there."""
    case = next(iter(CLAIMS[id].cases("quick")))
    claimed = functions_called(lambda: CLAIMS[id].claimed(case))
    computed = functions_called(lambda: CLAIMS[id].computed(case))
    return {name for name in claimed & computed if not name.startswith(COMMON)}


@pytest.mark.heavy
def test_no_two_routes_share_a_function():
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        shared = dict(zip(CLAIMS, pool.map(shared_functions, CLAIMS, chunksize=1), strict=True))
    assert {id: names for id, names in shared.items() if names} == {}


def test_most_verdicts_are_rigorous():
    expected = [one.expected for one in CLAIMS.values()]
    rigorous = sum(verdict in ("PROVED", "CERTIFIED", "REFINED", "REFUTED") for verdict in expected)
    assert rigorous >= 0.6 * len(expected)
    assert expected.count("UNKNOWN") <= 5


def test_statements_can_be_typeset_and_sources_are_honest():
    for one in CLAIMS.values():
        statements = [one.statement, *([one.counterexample.statement] if one.counterexample else [])]
        for statement in statements:
            assert statement.count("$") % 2 == 0, one.id
            page = typeset(statement)
            assert page.count("<math") == statement.count("$") // 2 and "\\" not in page, one.id
        assert "prints" not in one.source or "[MEM]" not in one.source
        assert set(one.related) <= set(CLAIMS), (one.id, set(one.related) - set(CLAIMS))
        assert citation(one).count("@") == (2 if PAPERS[one.paper].arxiv else 1) or "@" in one.title


def test_every_row_of_the_notes_has_claims_or_a_reason():
    rows = coverage()
    assert [row.row for row in rows if not row.claims and not row.why] == []
    assert [row.row for row in rows if row.claims and row.why] == []


def test_a_claim_belongs_to_the_row_with_the_longest_id():
    rows = {row.row: row.claims for row in coverage()}
    assert rows["s4d.fig2"] == ("s4d.fig2",) and rows["s4d.fig2.num"] == ("s4d.fig2.num",)
    assert not set(rows["core.lagt"]) & set(rows["core.lagt.eig"])


def test_the_rows_are_those_of_the_notes():
    notes = Path(__file__).parents[2] / "shared" / "theory"
    if not notes.exists():
        pytest.skip("needs ../shared")
    in_tables = re.compile(r"\| ((?:[a-z0-9]+\.[A-Za-z0-9_./-]+)|dfout) ?(?:\([^|]*\) )?\|")
    in_headings = re.compile(r"### ([a-z0-9]+\.[A-Za-z0-9_.-]+)")
    found: dict[str, None] = {}
    for name, pattern in (("papers.md", in_tables), ("adjacent.md", in_headings)):
        lines = (notes / name).read_text().splitlines()
        found |= dict.fromkeys(match[1].strip() for match in map(pattern.match, lines) if match)
    assert sorted(found) == sorted(row.row for row in coverage())


def test_the_page_of_claims_is_the_generated_one():
    root = Path(__file__).parents[1]
    text = runpy.run_path(str(root / "docs" / "make_claims_page.py"))["page"]()
    assert (root / "docs" / "claims.md").read_text(encoding="utf-8") == text, "run python docs/make_claims_page.py"


# --- the machinery, on small checks of its own ----------------------------------------------------------------------------


class Squares:
    """(n + 1)^2 = n^2 + 2n + 1."""

    def cases(effort):
        yield from ({"n": n} for n in range(3 if effort == "quick" else 9))

    def claimed(case, *, middle=2):
        return case["n"] ** 2 + middle * case["n"] + 1

    def computed(case):
        return (case["n"] + 1) * (case["n"] + 1)


def declared(**changes):
    described = {
        "title": "A square",
        "statement": "$(n+1)^2 = n^2+2n+1$",
        "source": "school",
        "domain": "n = 0, 1, 2",
        "routes": ("expanded", "multiplied"),
        "relation": IDENTICAL,
        "expected": "CERTIFIED",
        "corruptions": [{"middle": 3}],
    }
    return {**described, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": " "}, "has no source"),
        ({"corruptions": []}, "has no corruption"),
        ({"corruptions": [{"middel": 3}]}, "no constant of `claimed`"),
        ({"expected": "TRUE"}, "none of PROVED"),
        ({"expected": "OBSERVED"}, "must say why"),
        ({"expected": "REFINED"}, "needs a counterexample"),
    ],
)
def test_a_claim_without_what_it_needs_is_refused_at_import(changes, message):
    with pytest.raises(InputError, match=message):
        claim("core.test", **declared(**changes))(type("Check", (), dict(vars(Squares))))
    assert "core.test" not in CLAIMS


def test_an_id_is_used_once_and_belongs_to_a_paper():
    with pytest.raises(InputError, match="belongs to none of the papers"):
        claim("school.square", **declared())(type("Check", (), dict(vars(Squares))))
    taken = next(iter(CLAIMS))
    with pytest.raises(InputError, match="is registered twice"):
        claim(taken, **declared())(type("Check", (), dict(vars(Squares))))


def test_a_check_holds_and_its_corruption_fails():
    claim("core.test", **declared())(type("Check", (), dict(vars(Squares))))
    try:
        one = CLAIMS["core.test"]
        assert check(one).verdict == "CERTIFIED" and check(one).cases == 3 and check(one, "full").cases == 9
        failed = check(one, "quick", {"middle": 3})
        assert failed.verdict == "REFUTED" and failed.evidence[0]["case"] == "n = 1"
    finally:
        del CLAIMS["core.test"]


def test_relations():
    from flint import arb

    assert IDENTICAL.judge([1, 2], [1, 2]).holds and IDENTICAL.judge([1], [1, 2]).holds is False
    wide = arb("1 +/- 0.1")
    assert (
        EQUAL.judge(arb(1), arb(1)).holds
        and EQUAL.judge(wide, arb(1)).holds is None
        and EQUAL.judge(arb(2), wide).holds is False
    )
    assert (
        AT_MOST.judge(2, 1).holds and AT_MOST.judge(1, 2).holds is False and AT_MOST.judge(arb(1), wide).holds is None
    )
    assert AT_LEAST.judge(1, 2).holds and AT_LEAST.judge(2, 1).holds is False
    assert WITHIN.judge(wide, arb("1.05 +/- 0.01")).holds and WITHIN.judge(wide, arb(2)).holds is False
    assert WITHIN.judge(wide, arb("1.1 +/- 0.01")).holds is None, "an end inside the ball decides nothing"
    assert near(1e-3).judge(1.0, 1.0005).holds and near(1e-3).judge(1.0, 1.002).holds is False


def test_functions_called_sees_what_runs():
    from hippo_theory.families import LegS

    assert any(name.endswith("Family.state_matrix") for name in functions_called(lambda: LegS(5).A))


# --- the command ------------------------------------------------------------------------------------------------------------


def test_verify_prints_the_contract(capsys):
    assert main(["verify", "core.legs.unit", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"schema", "options", "claims", "counts"} <= set(answer)
    (record,) = answer["claims"]
    keys = {"id", "paper", "title", "statement", "verdict", "expected", "covered", "evidence", "seconds"}
    assert keys <= set(record) and answer["counts"] == {record["verdict"]: 1}


def test_a_verdict_that_is_not_expected_is_status_one(capsys, monkeypatch):
    claim("core.test", **declared(expected="PROVED", relation=near(1e-9)))(type("Check", (), dict(vars(Squares))))
    try:
        assert main(["verify", "core.test"]) == 1
        assert "OBSERVED where PROVED was expected" in capsys.readouterr().out
    finally:
        del CLAIMS["core.test"]


def test_unknown_claims_are_one_line(capsys):
    for words in (["verify", "s4d.nothing"], ["cite", "s4d.nothing"], ["verify", "--effort", "some"]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("hippo: ") and error.count("\n") == 1


def test_cite_prints_bibtex(capsys):
    id = (
        next(one.id for one in CLAIMS.values() if PAPERS[one.paper].arxiv)
        if len({c.paper for c in CLAIMS.values()}) > 1
        else None
    )
    assert main(["cite", id or "core.legs.unit"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("{") == printed.count("}") and re.search(r"@\w+\{\w+,", printed)


def test_claims_are_found_by_paper_and_tag():
    assert {one.paper for one in find_claims(["core"])} == {"core"}
    tagged = find_claims(["exact"])
    assert tagged and all("exact" in one.tags for one in tagged)
    assert verify("core.legs.unit", processes=1).as_expected
