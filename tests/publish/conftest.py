"""A small network as a run would leave it, and a quarto command that is not quarto."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from by_hand import case_study, code, curve, markdown, shown, write_notebook

from evalkit.charts.display import prose, table
from evalkit.parameters import Network
from evalkit.results import Result, save_result, tidy_frame
from evalkit.sites import Site

VERDICTS = {
    "alder-park": {"graduation_rate": "turned", "chronic_absence": "turned", "ela_proficient": "not yet"},
    "birchwater": {"graduation_rate": "beat the baseline", "mobility": "cannot be told"},
    "cedar-flats": {"graduation_rate": "not yet"},
}
LABELS = {
    "graduation_rate": "Graduation",
    "chronic_absence": "Chronic absence",
    "ela_proficient": "English language arts",
    "mobility": "Mobility",
}


@dataclass(frozen=True)
class Workspace:
    """The few things publishing asks of a workspace."""

    root: Path
    networks: Mapping[str, Network] = field(default_factory=dict)

    def outputs(self, network: str, audience: str) -> Path:
        return self.root / "outputs" / network / audience

    def network(self, network: str) -> Network:
        return self.networks[network]


def demo_network(*, synthetic: bool = True) -> Network:
    return Network(
        network_id="demo",
        name="Three Neighborhoods (synthetic demonstration)",
        about="Three fictional neighborhoods, each with a cradle-to-career initiative of its own.",
        synthetic=synthetic,
        sites={
            site_id: Site(site_id=site_id, name=name, place=place)
            for site_id, name, place in (
                ("alder-park", "Alder Park", "North side, Exampleton"),
                ("birchwater", "Birchwater", "River district, Exampleton"),
                ("cedar-flats", "Cedar Flats <west>", "Cedar County"),
            )
        },
    )


def save_verdicts(folder: Path, verdicts: Mapping[str, str]) -> None:
    tidy = tidy_frame(
        [{"method": "turn_the_curve", "indicator": name, "term": "verdict"} for name in verdicts]
    )
    result = Result(
        method="turn_the_curve",
        title="Did the curve turn?",
        design={},
        tidy=tidy,
        glance=pd.DataFrame(
            {
                "indicator": list(verdicts),
                "short_label": [LABELS[name] for name in verdicts],
                "verdict": list(verdicts.values()),
            }
        ),
    )
    save_result(result, folder, inputs={})


def run_by_hand(outputs: Path, site_id: str, *, partner: str = "Family Center") -> None:
    """Leave behind what a run of one site would."""
    notebooks = outputs / site_id / "notebooks"
    write_notebook(notebooks / "6_case_study.ipynb", case_study(partner=partner))
    for name, title in (
        ("1_data_quality", "What the data hold"),
        ("2_turn_the_curve", "Did the curve turn?"),
    ):
        write_notebook(
            notebooks / f"{name}.ipynb", [markdown(f"# {title}\n"), code(shown(prose("Every year.")))]
        )
    save_verdicts(outputs / site_id / "results", VERDICTS[site_id])


def run_network_by_hand(outputs: Path) -> None:
    frame = pd.DataFrame({"Neighborhood": ["Alder Park", "Birchwater"], "Difference": ["+16.2", "+4.0"]})
    cells = [
        markdown("# Comparison across neighborhoods\n"),
        code(shown(table(frame, caption="Graduation")), shown(curve())),
    ]
    write_notebook(outputs / "network" / "notebooks" / "1_comparison.ipynb", cells)
    cells = [markdown("# Learning review\n\nWhat was decided."), code(shown(prose("A liaison was added.")))]
    write_notebook(outputs / "network" / "notebooks" / "2_learning_review.ipynb", cells)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two sites that ran and one whose case study failed."""
    made = Workspace(tmp_path, {"demo": demo_network()})
    outputs = made.outputs("demo", "public")
    run_by_hand(outputs, "alder-park", partner='<script>alert(1)</script> & "Sons" *Ltd* {{< include x >}}')
    run_by_hand(outputs, "birchwater")
    run_network_by_hand(outputs)
    failed = outputs / "cedar-flats" / "notebooks" / "6_case_study.failed.ipynb"
    write_notebook(failed, [markdown("# Case study")])
    return made
