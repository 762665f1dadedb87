"""Network inference across sites: the saved series of one indicator, refitted as one family."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.its.bounds import extreme_arrangements
from evalkit.its.case import asked_of, is_estimate
from evalkit.its.design import relative_effects, segmented_design
from evalkit.its.engine import ArrayFit, Member, Prior, fit_members, learn
from evalkit.its.family import FEWEST_IN_FAMILY
from evalkit.its.fit import METHOD, picked, term_numbers
from evalkit.its.story import comparison_sentence, its_paragraph
from evalkit.its.window import Window
from evalkit.periods import reader_label, to_period
from evalkit.results import Result
from evalkit.wording import number

Floats = NDArray[np.float64]
Results = Mapping[str, Mapping[str, Result]]

LINES = ("fitted", "counterfactual")
REFUSED = "no interrupted time series, because of this"


@dataclass(frozen=True)
class _Named:
    label: str
    favourable: str


@dataclass(frozen=True, eq=False)
class _Saved:
    """One series as a site's result holds it."""

    owner: str
    glance: Mapping[str, Any]
    window: Window
    start: int
    member: Member
    relative: Mapping[str, tuple[Floats, Floats]]

    @property
    def key(self) -> tuple[str, str]:
        return str(self.glance["indicator"]), str(self.glance["site_id"])


def family_note(results: Results) -> list[str]:
    """Say in words what learning together across sites buys; empty where no series was refitted together.

    Parameters
    ----------
    results : what `pooled_family` returns
    """
    told = [
        methods[METHOD].narrative[-1]
        for methods in results.values()
        if METHOD in methods and methods[METHOD].design.get("families_across_sites")
    ]
    return list(dict.fromkeys(told))[:1]


def pooled_family(results: Results, *, conf_level: float = 0.95) -> dict[str, dict[str, Result]]:
    """Refit the interrupted time series of all sites, each indicator as one family across sites.

    The sites were fitted apart, each knowing only its own series. Here all series of an indicator, with those
    of the comparison sites, learn together how strongly neighbouring periods go together (method "network"),
    whenever the work began. Nothing but the saved frames is read. An indicator with fewer than five series
    keeps the estimates of its sites.

    Parameters
    ----------
    results : the saved results of each site, by site id and method, as `compare_sites` takes them
    conf_level : coverage of the intervals, in (0, 1)

    Returns
    -------
    The same mapping, with refitted "interrupted_time_series" results; every other result as it was. `design`
    gains `families_across_sites`, the number of series of each indicator's family.
    """
    saved = [
        entry
        for owner, methods in results.items()
        if METHOD in methods
        for entry in _saved(owner, methods[METHOD])
    ]
    by_indicator: dict[str, list[_Saved]] = {}
    for entry in saved:
        by_indicator.setdefault(entry.key[0], []).append(entry)
    fits: dict[tuple[str, str], tuple[_Saved, ArrayFit, Prior | None, int]] = {}
    for entries in by_indicator.values():
        teachers = sum(entry.member.teaches for entry in entries)
        if teachers < FEWEST_IN_FAMILY:
            continue
        members = [entry.member for entry in entries]
        prior = learn(members, "network")
        for entry, fit in zip(
            entries, fit_members(members, prior, method="network", conf_level=conf_level), strict=True
        ):
            fits[entry.key] = (entry, fit, prior, teachers)
    return {
        owner: {
            name: _refitted(result, owner, fits, conf_level) if name == METHOD else result
            for name, result in methods.items()
        }
        for owner, methods in results.items()
    }


def _saved(owner: str, result: Result) -> list[_Saved]:
    """Read back the series that were fitted with the plain design."""
    found: list[_Saved] = []
    if result.glance.empty:
        return found
    usable = result.glance[result.glance["refused"].eq("") & result.glance["phase_in"].fillna(0).eq(0)]
    for glance in usable.to_dict("records"):
        rows = result.augment[
            result.augment["indicator"].eq(glance["indicator"])
            & result.augment["site_id"].eq(glance["site_id"])
        ]
        frequency = str(glance["frequency"])
        window = Window.of_rows(rows, name=f"{glance['site_id']}, {glance['indicator']}", frequency=frequency)
        start = window.position(to_period(str(glance["interruption"]), frequency))
        design = segmented_design(len(window.periods), start=start, season=window.season)
        asked = asked_of(design, design, window, window.observed)
        values = window.low[None]
        if window.censored.any():
            terms = [row for term, row in zip(asked.terms, asked.weights, strict=True) if is_estimate(term)]
            values = extreme_arrangements(window.low, window.high, design.matrix, np.stack(terms))
        member = Member(values, design, asked, teaches=len(values) == 1)
        found.append(_Saved(owner, glance, window, start, member, relative_effects(design, window.observed)))
    return found


def _refitted(
    result: Result,
    owner: str,
    fits: Mapping[tuple[str, str], tuple[_Saved, ArrayFit, Prior | None, int]],
    conf_level: float,
) -> Result:
    """Put the family's numbers in the place of the site's own."""
    mine = {key: found for key, found in fits.items() if found[0].owner == owner}
    if not mine:
        return result
    tidy, glance, augment = (_Cells(frame) for frame in (result.tidy, result.glance, result.augment))
    for key, (entry, fit, prior, _) in mine.items():
        numbers = picked(
            term_numbers(entry.member, entry.relative, fit, prior), str(entry.glance["favourable"])
        )
        for row in tidy.rows[key]:
            for name, value in numbers.get(tidy.frame["term"].iloc[row], {}).items():
                tidy.column(name)[row] = value
        about: dict[str, Any] = {
            "inference": fit.method,
            "conf_level": conf_level,
            "rho": float(fit.rho.mean()),
            "rho_low": float(fit.rho_low.min()),
            "rho_high": float(fit.rho_high.max()),
            "rho_near_one": float(fit.near_one.max()),
            "rho_flagged": bool(fit.flagged.any()),
        }
        for name, value in about.items():
            glance.column(name)[glance.rows[key][0]] = value
        _redraw(augment, key, entry, fit)
    families = {indicator: members for (indicator, _), (_, _, _, members) in mine.items()}
    return replace(
        result,
        design={**result.design, "inference": "network", "families_across_sites": families},
        tidy=tidy.changed(),
        glance=glance.changed(),
        augment=augment.changed(),
        narrative=_narrative(owner, mine, tidy.changed(), result, conf_level),
    )


class _Cells:
    """A frame whose single cells are about to change: column by column, which is far quicker than by `loc`.

    Attributes
    ----------
    frame : as it was
    rows : the positions of the rows of each indicator and site
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.rows: Mapping[tuple[str, str], NDArray[np.intp]] = frame.groupby(
            ["indicator", "site_id"]
        ).indices
        self.columns: dict[str, NDArray[Any]] = {}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column to write in."""
        if name not in self.columns:
            self.columns[name] = self.frame[name].to_numpy(copy=True)
        return self.columns[name]

    def changed(self) -> pd.DataFrame:
        """Return the frame with what was written."""
        kinds = {name: self.frame[name].dtype for name in self.columns}
        return self.frame.assign(**self.columns).astype(kinds)


def _redraw(augment: _Cells, key: tuple[str, str], entry: _Saved, fit: ArrayFit) -> None:
    """Move the lines of one series."""
    exact = len(fit.estimate) == 1
    place = {term: at for at, term in enumerate(fit.terms)}
    for row in augment.rows[key]:
        period = to_period(str(augment.frame["period"].iloc[row]), entry.window.frequency)
        position = int(period.ordinal - entry.window.periods[0].ordinal)
        for line in LINES:
            at = place.get(f"{line}_{position}")
            if at is None:
                continue
            augment.column(line)[row] = float(fit.estimate[0, at]) if exact else np.nan
            augment.column(f"{line}_low")[row] = float(fit.conf_low[:, at].min())
            augment.column(f"{line}_high")[row] = float(fit.conf_high[:, at].max())


def _narrative(
    owner: str,
    mine: Mapping[tuple[str, str], tuple[_Saved, ArrayFit, Prior | None, int]],
    tidy: pd.DataFrame,
    result: Result,
    conf_level: float,
) -> tuple[str, ...]:
    """Tell the refitted series anew, so that no sentence speaks of the numbers before."""
    told = []
    for (indicator, site_id), (entry, fit, _, members) in mine.items():
        if site_id != owner:
            continue
        own = tidy[tidy["indicator"].eq(indicator)]
        rows = {str(row["term"]): row for row in own[own["site_id"].eq(owner)].to_dict("records")}
        named = _Named(str(entry.glance["label"]), str(entry.glance["favourable"]))
        text = its_paragraph(named, entry.window, entry.start, rows, fit, taught_by=members)
        beside = own[own["site_id"].ne(owner)]
        if len(beside):
            last = beside.loc[beside["term"].eq("effect_last"), "period"].iloc[0]
            label = reader_label(str(last), entry.window.frequency) if last else ""
            text = f"{text} {comparison_sentence(beside, label, conf_level)}"
        told.append(text)
    told += [text for text in result.narrative if REFUSED in text]
    sizes = sorted({members for _, _, _, members in mine.values()})
    span = " to ".join(number(size, 0) for size in (sizes[0], sizes[-1])[: len(sizes)])
    told.append(
        "The sites were fitted together here: all series of an indicator, in every site and comparison site, "
        f"learned as one family of {span} series how strongly neighbouring "
        "periods go together. A single short series cannot tell that by itself, and the usual "
        "methods then promise too much; in simulations of families of 20 series, 95% intervals made in this "
        "way held the truth 94 to 97% of the time."
    )
    return tuple(told)
