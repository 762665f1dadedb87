"""The case study of one site, composed from saved results and declared facts only, one part a display."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any

import pandas as pd

from evalkit.charts.display import Picture, Prose, Table, bullets, finding, prose, show, table
from evalkit.dictionary import DataDictionary
from evalkit.parameters import Network
from evalkit.results import Result
from evalkit.sites import Site
from evalkit.synthesis import chapters, context, tables
from evalkit.synthesis.findings import CANNOT, CLAIMS, GAPS, ITS, TURN, ledger

POOL = "comparison_pool"
PERFORMANCE = "performance"

LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels")
HASH_LENGTH = 12  # characters: enough to tell two files apart by eye
HASH_NOTE = "A file's entry is the beginning of its SHA-256 hash; another hash means another file."
HASH_KEPT = (
    " The evaluators keep the hash of files that hold small numbers (–): from a hash, numbers can be guessed."
)


@dataclass(frozen=True)
class CaseStudy:
    """A site's case study; every attribute is shown by one notebook cell.

    Attributes
    ----------
    site, results, dictionary, network, audience, release_notes, inputs : what it is composed from
    """

    site: Site
    results: Mapping[str, Result] = field(repr=False)
    dictionary: DataDictionary = field(repr=False)
    network: Network = field(repr=False)
    audience: str
    release_notes: tuple[str, ...] = field(repr=False)
    inputs: Mapping[str, str] = field(repr=False)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The ledger: a row an indicator, headline indicators first."""
        rows: list[dict[str, Any]] = ledger(self.results, self.site, self.dictionary).to_dict("records")
        return rows

    @property
    def headline(self) -> Prose:
        """The finding in one sentence, in the box at the top of the page."""
        return finding(chapters.headline(self.rows, self.site))

    @property
    def finding(self) -> Prose:
        """What turned, by how much, for whom, how sure."""
        told = chapters.finding(self.rows, self.results, self.network)
        return prose([text for _, text in told], leads=[lead for lead, _ in told])

    @property
    def place(self) -> Prose:
        """Place and people."""
        return prose(context.place(self.site))

    @property
    def indicators(self) -> Table:
        """Every indicator against baseline and target, as an annual performance report asks for it."""
        return tables.indicators(self.rows)

    @property
    def definitions(self) -> Table:
        """Numerator, denominator and source of every indicator."""
        return tables.definitions(self.rows, self.dictionary, self.network, self.site)

    @property
    def story(self) -> Prose:
        """The story behind the curve."""
        return prose(context.story(self.rows, self.results, self.site))

    @property
    def comparison(self) -> Prose:
        """How the rest of the district, or a comparison site, changed beside the site."""
        return prose(context.comparison(self.results))

    @property
    def gaps(self) -> Table:
        """Who is left out: the gaps of the indicators told first, in the latest period."""
        return tables.gaps(self.rows[: chapters.TOLD_IN_FULL], self.results)

    @property
    def gaps_that_matter(self) -> Prose:
        """The two or three gaps that matter by a stated rule, each with its interval."""
        told = self.results[GAPS].narrative if GAPS in self.results else ()
        return prose(told or "No gap between groups can be shown.")

    @property
    def two_generation(self) -> Table:
        """Children and caregivers side by side."""
        return tables.two_generation(self.rows)

    @property
    def contribution(self) -> Prose:
        """What the work contributed: class, ceiling and rivals of each claim."""
        if CLAIMS not in self.results:
            return prose("Whether the work contributed to the change was not examined.")
        return prose(self.results[CLAIMS].narrative)

    @property
    def claims(self) -> Table:
        """Every claim with its class and the probability that the evidence gives it."""
        return tables.claims(self.rows, self.results)

    @property
    def performance(self) -> Prose:
        """What partners did beside what they agreed to: how much, how well, is anyone better off."""
        told = self.results[PERFORMANCE].narrative if PERFORMANCE in self.results else ()
        return prose(told or "No performance measure of a partner is on file for this site.")

    @property
    def partners(self) -> Table:
        """Who does what for which indicator."""
        return tables.partners(self.site, self.dictionary)

    @property
    def partnership(self) -> Table:
        """Roles in the partnership."""
        frame = pd.DataFrame([{"Role": item.role, "Who": item.who} for item in self.site.partnership])
        return table(
            frame, caption="The partnership", empty="No role in the partnership is on file for this site."
        )

    @property
    def voices(self) -> Prose:
        """Family priorities, milestones, decisions and published figures, each with its source."""
        entries = context.voices(self.site, self.dictionary)
        entries += context.published_against_data(self.site, self.results, self.dictionary)
        nothing = "No voices, milestones or decisions are on file for this site; none are made up."
        return bullets(entries) if entries else prose(nothing)

    @property
    def not_shown(self) -> Prose:
        """What is not shown, and why."""
        return bullets(context.not_shown(self.rows, self.results, self.site, self.release_notes))

    @property
    def methods(self) -> Prose:
        """The methods in plain words."""
        return prose(context.methods(self.results))

    @property
    def reproduce(self) -> Table:
        """Versions, hashes of the inputs, and the command."""
        from evalkit import __version__

        data = "" if self.network.synthetic else " --data DIR"
        command = (
            f"evalkit run --network {self.network.network_id} --site {self.site.site_id} "
            f"--audience {self.audience}{data}"
        )
        rows = [("Command", command), ("evalkit", __version__), ("Python", platform.python_version())]
        rows += [(name, version(name)) for name in LIBRARIES]
        rows += [(name, digest[:HASH_LENGTH] or "–") for name, digest in sorted(self.inputs.items())]
        note = HASH_NOTE + (HASH_KEPT if "" in self.inputs.values() else "")
        return table(
            pd.DataFrame(rows, columns=["What", "Version or hash"]), caption="To make it again", note=note
        )

    @property
    def curve(self) -> Picture | Prose:
        """The leading indicator against its baseline forecast and target, or why it cannot be drawn."""
        lead = self._lead(lambda row: row["verdict"] != CANNOT)
        return self._picture(TURN, lead, "The leading indicator: history, baseline forecast, actual, target")

    @property
    def counterfactual(self) -> Picture | Prose:
        """The lines before and after and the earlier trend carried on, or why there are none."""
        fitted = [row["indicator"] for row in self.rows if row["effect_low"] == row["effect_low"]]
        if not fitted:
            return prose("No line before and after can be drawn from these data; the reasons stand above.")
        return self._picture(ITS, fitted[0], "Before and after, and the earlier trend carried on")

    @property
    def groups(self) -> Picture | Prose:
        """The groups of the first indicator that is split into any; nothing where the gaps' words say so."""
        if GAPS in self.results and self.results[GAPS].augment.empty:
            return prose(())
        drawn = set(self.results[GAPS].augment["indicator"]) if GAPS in self.results else set()
        shown = (row["indicator"] for row in self.rows if row["last_period"] and row["indicator"] in drawn)
        lead = next(shown, None)
        return self._picture(GAPS, lead, "The latest rate of each group, with its 95% interval")

    @property
    def theory(self) -> Picture | Prose:
        """The theory of change with the strength of its evidence."""
        frames = self.results[CLAIMS].frames if CLAIMS in self.results else {}
        if frames.get("nodes", pd.DataFrame()).empty:
            return prose("No theory of change is on file for this site.")
        return self._picture(CLAIMS, None, "The theory of change, and how well each link is evidenced")

    @property
    def district(self) -> Picture | Prose:
        """The site against the rest of its district, by choice of schools."""
        if POOL not in self.results or self.results[POOL].augment.empty:
            return prose(())
        return self._picture(POOL, None, "The site and the rest of its district, by choice of schools")

    def _lead(self, told: Any) -> str | None:
        shown = [row for row in self.rows if row["last_period"]]
        return next((row["indicator"] for row in [*filter(told, shown), *shown]), None)

    def _picture(self, method: str, indicator: str | None, caption: str) -> Picture | Prose:
        result = self.results.get(method)
        if result is None or (result.augment.empty and result.tidy.empty):
            return prose("There is nothing to draw: these data do not allow it.")
        return show(result.plot(indicator=indicator) if indicator else result.plot(), caption=caption)


def case_study(
    site: Site,
    results: Mapping[str, Result],
    dictionary: DataDictionary,
    *,
    network: Network,
    audience: str,
    release_notes: Sequence[str] = (),
    inputs: Mapping[str, str] | None = None,
) -> CaseStudy:
    """Compose the case study of a site for one audience.

    Nothing is computed here: every number is read from a saved result, every fact from the site's file. What
    neither holds is left out and said to be absent.

    Parameters
    ----------
    results : the site's saved results by method, made for this audience
    release_notes : what is hidden from this audience and by which rule, in sentences
    inputs : name and content hash of every file that the results rest on; "" for a hash not to be shown
    """
    return CaseStudy(site, results, dictionary, network, audience, tuple(release_notes), dict(inputs or {}))
