"""What a notebook opens: one site, or the whole network, as one audience may see it."""

import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pandas as pd

from evalkit.agreements import DataAgreement
from evalkit.batch_cache import batch_day, keep, kept_or_made
from evalkit.contribution.beliefs import may_print
from evalkit.dictionary import DataDictionary
from evalkit.disclosure import Release, hidden_numbers, release
from evalkit.errors import DataError
from evalkit.indicators import IndicatorTable, total_over_units
from evalkit.parameters import ContributionModel, Evidence, Network, Site
from evalkit.results import Result, read_result, save_result
from evalkit.simulate import simulate_network
from evalkit.sources import Source
from evalkit.synthesis import CaseStudy, case_study
from evalkit.workspace import Workspace, find_workspace

SIMULATED_TABLE = "indicators.parquet"


@dataclass(frozen=True)
class SiteView:
    """One neighborhood, opened for one audience.

    Attributes
    ----------
    table : the indicators that this audience may see, the site's and its comparison sites'
    district : all schools of the site's district, where the comparison is the rest of the district
    release : what is shown, what is hidden, and by which rule
    inputs : name and content hash of every file that the results rest on
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
        return self.site.references(self.network)

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
    ParameterError, DataError : parameters or data are wrong, or hold nothing of this site.
    """
    home, declared = read_declared(find_workspace(workspace or None).root, network)
    folder = home.outputs(network, audience)
    inputs = input_hashes(home, declared, declared.site(site_id), data=data)
    day = today or batch_day()
    key = (network, site_id, audience, day, *inputs.items())

    def make() -> _Opened:
        opened, withheld = _release_site(home, declared, site_id, audience=audience, data=data, today=day)
        keep(("withheld", *key), withheld)
        return opened

    site, table, district, released = kept_or_made(("open_site", *key), make)
    return SiteView(
        site=site,
        network=declared,
        dictionary=home.dictionary,
        audience=audience,
        table=table,
        district=district,
        release=released,
        # reading may have made the files of a simulation
        inputs=input_hashes(home, declared, site, data=data),
        folder=folder / site_id,
    )


def withheld_from(
    audience: str, *, network: str, site_id: str, data: str = "", workspace: str = "", today: str = ""
) -> Withheld:
    """List what an audience may not see of a site; the parameters are those of `open_site`."""
    home, declared = read_declared(find_workspace(workspace or None).root, network)
    inputs = input_hashes(home, declared, declared.site(site_id), data=data)
    day = today or batch_day()
    return kept_or_made(
        ("withheld", network, site_id, audience, day, *inputs.items()),
        lambda: _release_site(home, declared, site_id, audience=audience, data=data, today=day)[1],
    )


def data_agreements(network: Network, site: Site) -> tuple[DataAgreement, ...]:
    """Return the data agreements that a site's sources stand under, the network's first."""
    return (*network.data_agreements, *site.data_agreements)


def open_sources(network: Network, site: Site) -> list[str]:
    """Name the sources that need no data agreement: made-up data, and what its publisher has protected."""
    return [
        source.source_id
        for source in _sources(network, site)
        if source.protected or source.kind == "simulation"
    ]


def open_network(*, network: str, audience: str = "public", workspace: str = "") -> NetworkView:
    """Open a network for one audience; reads only what the sites' notebooks have saved.

    Raises
    ------
    DataError : no site has saved results yet.
    """
    home, declared = read_declared(find_workspace(workspace or None).root, network)
    folder = home.outputs(network, audience)
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
        inputs=_hashes({f"{path.parents[1].name}/{path.name}": path for path in paths}),
        folder=folder / "network",
    )


def read_declared(root: Path, network: str) -> tuple[Workspace, Network]:
    """Read a network and the dictionary of its workspace; once, as long as their files stay as they are."""
    folders = (root / "data_dictionary", Workspace(root).network_folder(network))
    found = [(path, path.stat()) for folder in folders for path in sorted(folder.rglob("*.yml"))]
    stamp = tuple((path, status.st_mtime_ns, status.st_size) for path, status in found)
    return _read_declared(root, network, stamp)


@lru_cache(maxsize=4)
def _read_declared(root: Path, network: str, _stamp: Hashable) -> tuple[Workspace, Network]:
    workspace = Workspace(root)
    return workspace, workspace.network(network)


_Opened = tuple[Site, IndicatorTable, IndicatorTable | None, Release]


def _release_site(
    home: Workspace, declared: Network, site_id: str, *, audience: str, data: str, today: str
) -> tuple[_Opened, Withheld]:
    site = with_evidence(home, declared, declared.site(site_id), data=data)
    table, district = read_site_table(home, declared, site, data=data)
    if table.empty:
        raise DataError(f"{site_id}: the data hold no row of this site; check its ids and its sources")
    released = release(
        table,
        audience=audience,
        minimum=declared.minimum_cell,
        protected_sources=[source.source_id for source in _sources(declared, site) if source.protected],
        agreement=data_agreements(declared, site),
        today=today,
        open_sources=open_sources(declared, site),
    )
    withheld = Withheld(hidden_numbers(table.frame, released.table.frame), _unprintable(site, audience))
    return (site, _with_labels(released.table, _sources(declared, site)), district, released), withheld


def _unprintable(site: Site, audience: str) -> tuple[str, ...]:
    model = site.contribution
    items = [] if model is None else [e for e in model.evidence if not may_print(e, model, audience)]
    return tuple(text for item in items for text in (item.statement, item.rationale) if text)


def read_results(folder: Path) -> dict[str, Result]:
    """Read every saved result of a folder, by method."""
    return {path.stem: read_result(folder, path.stem) for path in sorted(folder.glob("*.json"))}


def read_site_table(
    workspace: Workspace, network: Network, site: Site, *, data: str = "", keep_simulation: bool = True
) -> tuple[IndicatorTable, IndicatorTable | None]:
    """Read a site's sources into one full table, and its district's schools where it is compared with them.

    The full table is for `release` and for checks; notebooks see only the release.
    """
    tables, districts = [], []
    for source in _sources(network, site):
        table = _read_source(workspace, network, site, source, data=data, keep=keep_simulation)
        if source.kind == "edfacts_acgr":
            districts.append(table)
            tables.append(total_over_units(_site_units(table, site)))
        else:
            named = {site.site_id, f"{site.site_id}-comparison", *_comparison_ids(site)}
            tables.append(table.where(site_id=named))
    if not tables:
        raise DataError(
            f"{site.site_id}: no source of data is declared; add `sources` to network.yml or the site"
        )
    district = IndicatorTable.concat(districts) if districts and site.comparison else None
    return IndicatorTable.concat(tables), district


def with_evidence(
    workspace: Workspace, network: Network, site: Site, *, data: str = "", keep_simulation: bool = True
) -> Site:
    """Return the site with the items of its evidence file, where it names one, beside those inline."""
    model = site.contribution
    if model is None or not model.evidence_file:
        return site
    if any(source.kind == "simulation" for source in network.sources):
        frame = _simulated(workspace, network, data=data, keep=keep_simulation)[1]
    else:
        path = workspace.data(network.network_id, data) / model.evidence_file
        if not path.is_file():
            raise DataError(f"{path.name}: no such evidence file; create it or correct `evidence_file`")
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    items = evidence_items(frame, site_id=site.site_id, origin=model.evidence_file)
    complete: ContributionModel = model.model_copy(update={"evidence": (*model.evidence, *items)})
    return site.model_copy(update={"contribution": complete})


def evidence_items(frame: pd.DataFrame, *, site_id: str, origin: str) -> tuple[Evidence, ...]:
    """Make evidence from the rows of one site in an evidence log.

    Columns are the fields of `Evidence`, and `site_id`; `hypotheses` holds ids separated by blanks.

    Raises
    ------
    DataError : every row that is not evidence, with its line and the mend.
    """
    from pydantic import ValidationError

    items, problems = [], []
    for position, row in enumerate(frame.to_dict("records")):
        if row.pop("site_id", site_id) != site_id:
            continue
        row = {key: value for key, value in row.items() if value not in ("", None)}
        row["hypotheses"] = tuple(str(row.get("hypotheses", "")).replace(";", " ").split())
        try:
            items.append(Evidence.model_validate(row))
        except ValidationError as error:
            for item in error.errors():
                name = ".".join(str(part) for part in item["loc"])
                problems.append(f"{origin}, line {position + 2}: `{name}`: {item['msg'].lower()}")
    if problems:
        raise DataError(*problems)
    return tuple(items)


def input_hashes(workspace: Workspace, network: Network, site: Site, *, data: str = "") -> dict[str, str]:
    """Return the SHA-256 of every file a site's results rest on, by its name in the workspace."""
    folder = workspace.network_folder(network.network_id)
    paths = [folder / "network.yml", folder / "sites" / f"{site.site_id}.yml"]
    paths += sorted((workspace.root / "data_dictionary").glob("*.yml"))
    named = {path.relative_to(workspace.root).as_posix(): path for path in paths}
    home = workspace.data(network.network_id, data)
    for source in _sources(network, site):
        if source.kind == "simulation":
            found: Iterable[Path] = [home / SIMULATED_TABLE, home / "evidence.csv"]
        else:
            place = home / source.path
            found = sorted(place.glob("*.csv")) if place.is_dir() else [place]
        named |= {f"data/{path.name}": path for path in found if path.is_file()}
    return _hashes(named)


def _sources(network: Network, site: Site) -> tuple[Source, ...]:
    return (*network.sources, *site.sources)


def _comparison_ids(site: Site) -> tuple[str, ...]:
    return site.comparison.site_ids if site.comparison else ()


def _read_source(
    workspace: Workspace, network: Network, site: Site, source: Source, *, data: str, keep: bool
) -> IndicatorTable:
    from evalkit.readers import read_edfacts_acgr, read_indicators

    dictionary = workspace.dictionary
    if source.kind == "simulation":
        frame = _simulated(workspace, network, data=data, keep=keep)[0]
        return IndicatorTable.from_frame(frame, dictionary=dictionary, origin="simulation")
    if not data and not workspace.data(network.network_id, data).is_dir():
        raise DataError(
            f"{network.network_id}: source {source.source_id!r} needs data files; "
            "name their folder with --data DIR"
        )
    path = workspace.data(network.network_id, data) / source.path
    if source.kind == "edfacts_acgr":
        lea = site.comparison.lea_id if site.comparison else None
        return read_edfacts_acgr(path, dictionary=dictionary, leas=[lea] if lea else None)
    return read_indicators(
        path, dictionary=dictionary, mapping=source.mapping, sheet=source.sheet, source=source.source_id
    )


def _simulated(
    workspace: Workspace, network: Network, *, data: str, keep: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the simulated table and evidence log; made once and kept beside the outputs."""
    home = workspace.data(network.network_id, data)
    seed = next(source.seed for source in network.sources if source.kind == "simulation")
    if not (home / SIMULATED_TABLE).is_file():
        simulated = simulate_network(seed=seed)
        if not keep:
            return simulated.indicators, simulated.evidence.astype("str")
        simulated.write(home)
    evidence = pd.read_csv(home / "evidence.csv", dtype=str, keep_default_na=False)
    return pd.read_parquet(home / SIMULATED_TABLE), evidence


def _with_labels(table: IndicatorTable, sources: tuple[Source, ...]) -> IndicatorTable:
    """Name each source as a reader knows it, where a label is declared."""
    labels = {source.source_id: source.label for source in sources if source.label}
    frame = table.frame
    frame["source"] = frame["source"].replace(labels)
    return IndicatorTable(frame, table.dictionary)


def _site_units(table: IndicatorTable, site: Site) -> IndicatorTable:
    """Keep the rows of a site's schools, each under its one unit id, and call them the site's."""
    unit_of = {code: unit.unit_id for unit in site.units for code in unit.ids}
    frame = table.frame
    frame = frame[frame["unit_id"].isin(list(unit_of))]
    frame = frame.assign(site_id=site.site_id, unit_id=frame["unit_id"].map(unit_of))
    return IndicatorTable.from_frame(frame, dictionary=table.dictionary, origin=f"{site.site_id}, units")


def _hashes(named: Mapping[str, Path]) -> dict[str, str]:
    return {name: _sha256(path, path.stat().st_mtime_ns) for name, path in sorted(named.items())}


@lru_cache(maxsize=512)
def _sha256(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
