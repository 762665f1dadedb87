"""What a notebook opens: one site, or the whole network, as one audience may see it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from evalkit.agreements import parse_day
from evalkit.batch_cache import batch_day, keep, kept_or_made
from evalkit.contribution.beliefs import may_print
from evalkit.dictionary import DataDictionary
from evalkit.disclosure import Release, hidden_numbers, release
from evalkit.errors import DataError, ParameterError
from evalkit.indicators import IndicatorTable
from evalkit.parameters import Network
from evalkit.results import Result, read_result, save_result
from evalkit.site_data import (
    data_agreements,
    hash_files,
    hash_site_data,
    input_hashes,
    open_sources,
    read_declared,
    read_site_table,
    shown_hashes,
    sources_of,
    with_evidence,
)
from evalkit.sites import Site
from evalkit.sources import Source
from evalkit.synthesis import CaseStudy, case_study
from evalkit.workspace import Workspace, find_workspace


@dataclass(frozen=True)
class SiteView:
    """One neighborhood, opened for one audience.

    Attributes
    ----------
    table : the indicators that this audience may see, the site's and its comparison sites'
    district : all schools of the site's district, where the comparison is the rest of the district
    release : what is shown, what is hidden, and by which rule
    inputs : name and content hash of every file that the results rest on; "" for a hash by which this
        audience could check a guess at what the file holds
    """

    site: Site
    network: Network
    dictionary: DataDictionary
    audience: str
    table: IndicatorTable
    district: IndicatorTable | None
    release: Release = field(repr=False)
    inputs: Mapping[str, str] = field(repr=False)
    folder: Path = field(repr=False)

    @property
    def references(self) -> dict[str, str]:
        """The reference subgroup of each dimension that has one."""
        return self.network.references(self.site)

    def save(self, *results: Result) -> None:
        """Write results where the case study and the network's notebooks read them.

        Beside them stands the record of the release that they rest on, release.json.
        """
        for result in results:
            save_result(result, self.folder / "results", inputs=self.inputs)
        record = json.dumps(self.release.record, indent=1, ensure_ascii=False, allow_nan=False)
        (self.folder / "release.json").write_text(record + "\n", encoding="utf-8")

    def results(self) -> dict[str, Result]:
        """Read back every result saved for this site and audience, by method."""
        return read_results(self.folder / "results")

    def case_study(self) -> CaseStudy:
        """Compose the site's case study from its saved results.

        Raises
        ------
        DataError : nothing has been saved for this site and audience yet.
        """
        results = self.results()
        if not results:
            raise DataError(
                f"{self.site.site_id}: no saved results for audience {self.audience}; "
                "run the site's notebooks 1 to 5 first, or `evalkit run`"
            )
        return case_study(
            self.site,
            results,
            self.dictionary,
            network=self.network,
            audience=self.audience,
            release_notes=self.release.explanation(),
            inputs=self.inputs,
        )


@dataclass(frozen=True)
class Withheld:
    """What one audience may not see of a site; for a scan of what was written, never for display.

    Attributes
    ----------
    numbers : as `hidden_numbers` gives them
    texts : statements and rationales of evidence that may not be printed
    """

    numbers: pd.DataFrame = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class NetworkView:
    """All sites of a network, opened for one audience: their saved results only."""

    network: Network
    dictionary: DataDictionary
    audience: str
    results: Mapping[str, Mapping[str, Result]]
    inputs: Mapping[str, str] = field(repr=False)
    folder: Path = field(repr=False)

    def save(self, *results: Result) -> None:
        """Write results of the network."""
        for result in results:
            save_result(result, self.folder / "results", inputs=self.inputs)

    def saved(self, method: str) -> Result:
        """Read back one result saved for the network."""
        return read_result(self.folder / "results", method)


def open_site(
    *,
    network: str,
    site_id: str,
    audience: str = "public",
    data: str = "",
    workspace: str = "",
    today: str = "",
) -> SiteView:
    """Open one site for one audience.

    Parameters
    ----------
    network, site_id : ids as in parameters/
    audience : internal, partners or public; everything shown comes from the release for it
    data : folder with the data files; "" for outputs/<network>/data, which a simulation fills by itself
    workspace : "" to look upward from the working folder
    today : the day on which data agreements must be in force, e.g. "2026-09-30"; "" for the day it is

    Raises
    ------
    ParameterError, DataError : parameters or data are wrong, or hold nothing of this site; or it is not shown
        to this audience.
    """
    home, declared = read_declared(find_workspace(workspace or None).root, network)
    folder = home.outputs(network, audience)
    _refuse_unless_shown(declared.site(site_id), audience)
    inputs = input_hashes(home, declared, declared.site(site_id), data=data)
    day = parse_day(today or batch_day()).isoformat()
    key = (network, site_id, audience, day, *inputs.items())

    def make() -> _Opened:
        opened, withheld, data_sha256 = _release_site(
            home, declared, site_id, audience=audience, data=data, today=day
        )
        keep(("withheld", *key), withheld)
        keep(("site data", network, site_id, *inputs.items()), data_sha256)
        return opened

    site, table, district, released = kept_or_made(("open_site", *key), make)
    return SiteView(
        site=site,
        network=declared.shown_to(audience),
        dictionary=home.dictionary,
        audience=audience,
        table=table,
        district=district,
        release=released,
        inputs=shown_hashes(
            # reading may have made the files of a simulation
            input_hashes(home, declared, site, data=data),
            home,
            declared,
            site,
            data=data,
            audience=audience,
        ),
        folder=folder / site_id,
    )


def withheld_from(
    audience: str, *, network: str, site_id: str, data: str = "", workspace: str = "", today: str = ""
) -> Withheld:
    """List what an audience may not see of a site; the parameters are those of `open_site`."""
    home, declared = read_declared(find_workspace(workspace or None).root, network)
    inputs = input_hashes(home, declared, declared.site(site_id), data=data)
    day = parse_day(today or batch_day()).isoformat()
    return kept_or_made(
        ("withheld", network, site_id, audience, day, *inputs.items()),
        lambda: _release_site(home, declared, site_id, audience=audience, data=data, today=day)[1],
    )


def own_data_hash(*, network: str, site_id: str, data: str = "", workspace: str = "") -> str:
    """Return one SHA-256 over all that the data hold of a site, whatever else stands in the same files."""
    home, declared = read_declared(find_workspace(workspace or None).root, network)
    site = declared.site(site_id)

    def make() -> str:
        table, district = read_site_table(home, declared, site, data=data)
        return hash_site_data(with_evidence(home, declared, site, data=data), table, district)

    inputs = input_hashes(home, declared, site, data=data)
    return kept_or_made(("site data", network, site_id, *inputs.items()), make)


def open_network(*, network: str, audience: str = "public", workspace: str = "") -> NetworkView:
    """Open a network for one audience; reads only what the notebooks of the sites it may see have saved.

    Raises
    ------
    ParameterError : no site is shown to this audience.
    DataError : no site has saved results yet.
    """
    home, whole = read_declared(find_workspace(workspace or None).root, network)
    folder = home.outputs(network, audience)
    declared = whole.shown_to(audience)
    if not declared.sites:
        raise ParameterError(
            f"{network}: no site is shown to the audience {audience}; add it to `audiences` of a site"
        )
    results = {site_id: read_results(folder / site_id / "results") for site_id in declared.sites}
    found = {site_id: methods for site_id, methods in results.items() if methods}
    if not found:
        raise DataError(
            f"{network}: no site has saved results for audience {audience}; "
            f"run `evalkit run --network {network} --audience {audience}` first"
        )
    paths = [path for site_id in found for path in sorted((folder / site_id / "results").glob("*.json"))]
    return NetworkView(
        network=declared,
        dictionary=home.dictionary,
        audience=audience,
        results=found,
        inputs=hash_files({f"{path.parents[1].name}/{path.name}": path for path in paths}),
        folder=folder / "network",
    )


def _refuse_unless_shown(site: Site, audience: str) -> None:
    if audience not in site.audiences:
        allowed = ", ".join(site.audiences) or "nobody"
        raise ParameterError(
            f"{site.site_id}: not shown to the audience {audience}, because its parameters allow {allowed}; "
            f"open it for one that is allowed, or add {audience} to `audiences` in {site.site_id}.yml"
        )


_Opened = tuple[Site, IndicatorTable, IndicatorTable | None, Release]


def _release_site(
    home: Workspace, declared: Network, site_id: str, *, audience: str, data: str, today: str
) -> tuple[_Opened, Withheld, str]:
    """Release a site's table; return what is opened, what is withheld, and the hash of the site's data."""
    site = with_evidence(home, declared, declared.site(site_id), data=data)
    table, district = read_site_table(home, declared, site, data=data)
    if table.empty:
        raise DataError(f"{site_id}: the data hold no row of this site; check its ids and its sources")
    released = release(
        table,
        audience=audience,
        minimum=declared.minimum_cell,
        protected_sources=[source.source_id for source in sources_of(declared, site) if source.protected],
        agreement=data_agreements(declared, site),
        today=today,
        open_sources=open_sources(declared, site),
    )
    withheld = Withheld(hidden_numbers(table.frame, released.table.frame), _unprintable(site, audience))
    opened = site, _with_labels(released.table, sources_of(declared, site)), district, released
    return opened, withheld, hash_site_data(site, table, district)


def _unprintable(site: Site, audience: str) -> tuple[str, ...]:
    model = site.contribution
    items = [] if model is None else [e for e in model.evidence if not may_print(e, model, audience)]
    return tuple(text for item in items for text in (item.statement, item.rationale) if text)


def read_results(folder: Path) -> dict[str, Result]:
    """Read every saved result of a folder, by method."""
    return {path.stem: read_result(folder, path.stem) for path in sorted(folder.glob("*.json"))}


def _with_labels(table: IndicatorTable, sources: tuple[Source, ...]) -> IndicatorTable:
    """Name each source as a reader knows it, where a label is declared."""
    labels = {source.source_id: source.label for source in sources if source.label}
    frame = table.frame
    frame["source"] = frame["source"].replace(labels)
    return IndicatorTable(frame, table.dictionary)
