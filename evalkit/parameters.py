"""A network of sites as people declare it: parameters/<network>/, read and checked as a whole."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field

from evalkit.agreements import DataAgreement
from evalkit.dictionary import DataDictionary, Id
from evalkit.documents import Declared, Document, Location, build, read_document, suggestion
from evalkit.errors import ParameterError, raise_together
from evalkit.sites import Site
from evalkit.sources import Source

MINIMUM_CELL = 10  # persons; cells of 1 to 9 are hidden (the usual rule of state education agencies)


class _NetworkFile(Declared):
    network_id: Id
    name: str
    about: str = ""
    synthetic: bool = False
    minimum_cell: int = Field(default=MINIMUM_CELL, ge=1)
    reference: dict[str, str] = {}
    sources: tuple[Source, ...] = ()
    data_agreements: tuple[DataAgreement, ...] = ()
    cite: str = ""


class Network(_NetworkFile):
    """A family of sites that learn together, read from parameters/<network>/."""

    sites: Mapping[str, Site]

    def site(self, site_id: str) -> Site:
        """Return the site of this id.

        Raises
        ------
        ParameterError : the network has no such site; the nearest id is offered.
        """
        if site_id not in self.sites:
            hint = suggestion(site_id, self.sites)
            raise ParameterError(
                f"network {self.network_id} has no site {site_id!r}" + (f"; {hint}" if hint else "")
            )
        return self.sites[site_id]

    def shown_to(self, audience: str) -> "Network":
        """Return the network with those sites only that their parameters show to an audience."""
        shown = {site_id: site for site_id, site in self.sites.items() if audience in site.audiences}
        return self.model_copy(update={"sites": shown})

    def references(self, site: Site) -> dict[str, str]:
        """Return dimension -> reference subgroup: the network's, with the site's own in their place."""
        return {**self.reference, **site.reference}


def read_network(folder: Path, *, dictionary: DataDictionary | None = None) -> Network:
    """Read network.yml and every file of sites/.

    Parameters
    ----------
    folder : parameters/<network>
    dictionary : where given, every indicator, dimension and milestone kind named must be in it

    Raises
    ------
    ParameterError : every problem of every file, each with file, line, key and the mend.
    """
    if not (folder / "network.yml").is_file():
        known = sorted(path.parent.name for path in folder.parent.glob("*/network.yml"))
        hint = suggestion(folder.name, known)
        raise ParameterError(
            f"unknown network {folder.name!r}"
            + (f"; {hint}" if hint else "; add parameters/<network>/network.yml")
        )
    problems: list[str] = []
    document = read_document(folder / "network.yml")
    network: _NetworkFile | None = None
    try:
        network = build(_NetworkFile, document)
        if network.network_id != folder.name:
            problems.append(
                document.problem(
                    ("network_id",),
                    f"`network_id` is {network.network_id!r} but its folder is {folder.name!r}; rename one",
                )
            )
        if dictionary is not None:
            problems.extend(_unknown_references(document, network.reference, dictionary))
            problems.extend(_unknown_ids(document, dictionary))
        problems.extend(_unknown_sources(document, network.data_agreements, network.sources))
    except ParameterError as error:
        problems.extend(error.problems)
    sites: dict[str, Site] = {}
    paths = sorted((folder / "sites").glob("*.yml"))
    if not paths:
        problems.append(f"{folder.name}: no site files; add {folder.name}/sites/<site_id>.yml")
    for path in paths:
        try:
            site_document = read_document(path)
            site = build(Site, site_document)
        except ParameterError as error:
            problems.extend(error.problems)
            continue
        if site.site_id != path.stem:
            problems.append(
                site_document.problem(
                    ("site_id",),
                    f"`site_id` is {site.site_id!r} but the file is {path.name}; rename one",
                )
            )
        shared = network.sources if network is not None else ()
        problems.extend(_unknown_sources(site_document, site.data_agreements, (*shared, *site.sources)))
        if dictionary is not None:
            problems.extend(_unknown_ids(site_document, dictionary))
            problems.extend(_unknown_references(site_document, site.reference, dictionary))
        sites[site.site_id] = site
    raise_together(ParameterError, problems)
    assert network is not None
    return Network(**dict(network), sites=sites)


def _unknown_references(
    document: Document, reference: Mapping[str, str], dictionary: DataDictionary
) -> Iterator[str]:
    for dimension, subgroup in reference.items():
        problem = dictionary.subgroup_problem(dimension, subgroup)
        if problem:
            yield document.problem(("reference", dimension), problem)


def _unknown_sources(
    document: Document, agreements: tuple[DataAgreement, ...], sources: tuple[Source, ...]
) -> Iterator[str]:
    known = [source.source_id for source in sources]
    for index, item in enumerate(agreements):
        if item.source not in known:
            hint = suggestion(item.source, known) or "declare it under `sources`"
            yield document.problem(
                ("data_agreements", index, "source"), f"unknown source {item.source!r}; {hint}"
            )


def _unknown_ids(document: Document, dictionary: DataDictionary) -> Iterator[str]:
    def check(location: Location, indicator: object, known: Mapping[str, object], what: str) -> Iterator[str]:
        if isinstance(indicator, str) and indicator not in known:
            hint = suggestion(indicator, known)
            yield document.problem(
                location, f"unknown {what} {indicator!r}; {hint or 'add it to data_dictionary/'}"
            )

    for location, key, value in _walk(document.values, ()):
        if key in {"indicators", "headline"} and isinstance(value, list):
            for index, item in enumerate(value):
                yield from check((*location, index), item, dictionary.indicators, "indicator")
        elif key == "indicator":
            yield from check(location, value, dictionary.indicators, "indicator")
        elif key == "kind" and location[0] == "milestones":
            yield from check(location, value, dictionary.milestones, "kind of milestone")


def _walk(value: object, location: Location) -> Iterator[tuple[Location, str, object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*location, key), key, item
            yield from _walk(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*location, index))
