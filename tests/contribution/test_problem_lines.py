"""A problem of the theory or the evidence log names the file and the line on which it stands."""

import shutil
from pathlib import Path

import pytest

from evalkit.audit import check_workspace
from evalkit.workspace import find_workspace

ROOT = Path(__file__).parents[2]

SITE = """\
site_id: oak
name: Oak
start: "2019"
partners:
- partner_id: hub
  name: Family hub
  solutions:
  - solution_id: coaching
    name: Coaching
    kind: family
    indicators: [chronic_absence]
    start: "2019"
contribution:
  question: Did coaching contribute?
  nodes:
  - {id: hub, kind: partner, label: Hub}
  - {id: coaching, kind: solution, label: Coaching}
  - {id: absence, kind: indicator, label: Absence, indicator: chronic_absence}
  links:
  - {src: hub, dst: coaching, mechanism: It hires}
  - {src: coaching, dst: absence, mechanism: It calls}
  hypotheses:
  - id: main
    statement: Coaching contributed.
    pathway: [coaching, absence]
  evidence:
  - id: inline
    hypotheses: [main]
    statement: Families say so.
    observed: "yes"
    s_lo: 0.5
    s_hi: 0.7
    e_lo: 0.1
    e_hi: 0.2
    rationale: They were not prompted.
    source: families
  evidence_file: evidence.csv
  sources:
  - {id: families, party: resident}
"""
NETWORK = """\
network_id: little
name: Little network
sources:
- {source_id: rows, kind: tidy, path: rows.csv}
"""
ROWS = "indicator,site_id,population,period,numerator,denominator,source\n" + "".join(
    f"chronic_absence,oak,target_school,{year},100,400,made up\n" for year in range(2016, 2023)
)
LOG = """\
site_id,id,hypotheses,statement,observed,s_lo,s_hi,e_lo,e_hi,rationale,source
elm,other,main,Not ours.,yes,0.9,0.1,0.1,0.2,Because.,families
oak,long,main,"A statement
on two lines.",yes,0.5,0.7,0.1,0.2,Because.,families
oak,last,main,Seen.,yes,0.5,0.7,0.1,0.2,Because.,families
"""


@pytest.fixture
def check(tmp_path):
    """Write the files with some text replaced, and return what the audit says about them."""

    def run(site=(), log=()):
        folder = tmp_path / "parameters" / "little"
        (folder / "sites").mkdir(parents=True)
        shutil.copytree(ROOT / "data_dictionary", tmp_path / "data_dictionary")
        data = tmp_path / "outputs" / "little" / "data"
        data.mkdir(parents=True)
        texts = {folder / "network.yml": NETWORK, data / "rows.csv": ROWS}
        texts[folder / "sites" / "oak.yml"] = SITE.replace(*site) if site else SITE
        texts[data / "evidence.csv"] = LOG.replace(*log) if log else LOG
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        return check_workspace(find_workspace(tmp_path), network="little")

    return run


def test_a_sound_theory_has_no_problem(check):
    assert check() == []


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (("s_lo: 0.5", "s_lo: 0.9"), "oak.yml, line 31: evidence 'inline': s_lo 0.9 is above s_hi 0.7"),
        (("s_lo: 0.5", "s_lo: 1.5"), "oak.yml, line 31: `s_lo` is '1.5'"),
        (("They were not prompted.", "''"), "oak.yml, line 35: evidence 'inline' has no rationale"),
        (("[main]", "[mian]"), "oak.yml, line 28: evidence 'inline' names the hypothesis 'mian'"),
        (("source: families", "source: family"), "oak.yml, line 36: evidence 'inline' names the source"),
        (("mechanism: It calls", "mechanism: ''"), "oak.yml, line 21: link coaching → absence has no"),
        (("dst: absence", "dst: absense"), "oak.yml, line 21: link coaching → absense names 'absense'"),
        (('    start: "2019"\n', '    start: "2024"\n'), "oak.yml, line 12: solution 'coaching' began in"),
        (("    pathway", "    prior_lo: 0.9\n    pathway"), "oak.yml, line 25: hypothesis 'main': prior_lo"),
        (
            ("s_lo: 0.5\n    s_hi: 0.7", "estimate: its:chronic_absense:effect_last\n    s_hi: 0.7"),
            "oak.yml, line 31: evidence 'inline' cites the indicator 'chronic_absense'",
        ),
    ],
)
def test_a_problem_of_the_site_file_names_its_line(site, words, check):
    found = check(site=site)
    assert any(problem.startswith(words) for problem in found), found
    assert all("\n" not in problem for problem in found)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (("oak,last,main", "oak,last,mian"), "evidence.csv, line 5: evidence 'last' names the hypothesis"),
        (("lines.\",yes,0.5", "lines.\",yes,0.8"), "evidence.csv, line 3: evidence 'long': s_lo"),
        (("Seen.,yes,0.5", "Seen.,yes,-1"), "evidence.csv, line "),
    ],
)  # fmt: skip
def test_a_problem_of_the_evidence_file_names_its_line(log, words, check):
    found = check(log=log)
    assert any(problem.startswith(words) for problem in found), found


def test_words_that_claim_too_much_name_their_line(check):
    found = check(site=("name: Oak\n", "name: Oak\nabout: The hub brought about the change.\n"))
    assert found == [
        'oak.yml, line 3: `about`: "brought about" claims attribution, which the class "not yet assessed" '
        'does not allow; write "contributed to"'
    ]
