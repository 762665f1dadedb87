"""The first page of a network's website: its sites, what turned where, and where to read on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from evalkit.errors import DataError
from evalkit.publish.pages import Link, Page, html_block
from evalkit.results import read_result
from evalkit.wording import listed

# The verdicts of turn-the-curve, the best news first.
VERDICTS = ("turned", "beat the baseline", "not yet", "cannot be told")
MEANING = {
    "turned": "the latest value lies on the better side of the forecast, outside its interval, and the curve "
    "now runs the better way.",
    "beat the baseline": "the latest value is better than the forecast, but the curve has not changed "
    "its way.",
    "not yet": "the latest value is no better than the forecast from the years before the work began.",
    "cannot be told": "the data are too few, too uncertain or hidden, so nothing is claimed.",
}


@dataclass(frozen=True)
class Row:
    """One site as the index lists it.

    Attributes
    ----------
    verdicts : the indicators of each verdict, in the site's own order
    links : where its case study can be read; empty where it is not published
    reason : why it is not published; "" where it is
    """

    name: str
    place: str
    verdicts: Mapping[str, tuple[str, ...]]
    links: tuple[Link, ...]
    reason: str = ""


def read_verdicts(results: Path, labels: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Read what turned from a site's saved turn-the-curve result.

    Parameters
    ----------
    results : the site's folder of saved results
    labels : short label of each indicator by its id

    Returns
    -------
    The indicators' labels by verdict, in the order of the result; empty where nothing is saved.
    """
    try:
        result = read_result(results, "turn_the_curve")
    except DataError:
        return {}
    frame = next((frame for frame in result.all_frames().values() if "verdict" in frame.columns), None)
    if frame is None:
        return {}
    chosen = frame.dropna(subset=["verdict"]).drop_duplicates("indicator")
    found: dict[str, tuple[str, ...]] = {}
    for indicator, verdict in zip(chosen["indicator"], chosen["verdict"], strict=True):
        words = str(verdict).replace("_", " ").strip().lower()
        found[words] = (*found.get(words, ()), labels.get(str(indicator), str(indicator).replace("_", " ")))
    return found


def index_page(*, network: str, about: str, rows: Sequence[Row], further: Sequence[tuple[Link, str]]) -> Page:
    """Write the index.

    Parameters
    ----------
    further : the pages across sites, each with a sentence on what it holds
    """
    parts = []
    if about:
        parts.append(html_block(f"<p>{escape(about)}</p>"))
    parts += [
        ":::::: finding\n",
        html_block("".join(f"<p>{escape(sentence)}</p>" for sentence in _in_short(rows))),
        "::::::\n",
        "## What turned where\n",
        ":::::: sites\n",
        html_block(_sites_table(rows)),
        "::::::\n",
    ]
    met = [verdict for verdict in VERDICTS if any(row.verdicts.get(verdict) for row in rows)]
    if met:
        parts += ["### What the words mean\n", html_block(_meanings(met))]
    if further:
        parts += ["## Across the neighborhoods\n", html_block(_further(further))]
    return Page(name="index", title=network, body="\n".join(parts))


def _in_short(rows: Sequence[Row]) -> list[str]:
    """Count every curve that was looked at, so that good news never stands alone."""
    counts = {verdict: sum(len(row.verdicts.get(verdict, ())) for row in rows) for verdict in VERDICTS}
    total = sum(counts.values())
    published = sum(not row.reason for row in rows)
    places = f"{published} neighborhood{'s' if published != 1 else ''}"
    if not total:
        sentences = [f"{places[0].upper()}{places[1:]}: no curve has been judged yet."]
    else:
        words = {
            "turned": "turned",
            "beat the baseline": "beat the baseline without turning",
            "not yet": "did neither",
            "cannot be told": "cannot be told",
        }
        told = [f"{counts[verdict]} {words[verdict]}" for verdict in VERDICTS if counts[verdict]]
        sentences = [f"Of {total} curves followed in {places}, {listed(told)}."]
    absent = len(rows) - published
    if absent:
        sentences.append(
            f"{absent} neighborhood{'s are' if absent != 1 else ' is'} not published; the table says why."
        )
    return sentences


def _sites_table(rows: Sequence[Row]) -> str:
    body = "".join(_row(row) for row in rows)
    return (
        "<table><caption>The neighborhoods, and what turned where</caption><thead><tr>"
        '<th scope="col">Neighborhood</th><th scope="col">What turned</th><th scope="col">Read</th>'
        f"</tr></thead><tbody>{body}</tbody></table>"
    )


def _row(row: Row) -> str:
    name = escape(row.name)
    if row.links:
        name = f'<a href="{escape(row.links[0].href)}">{name}</a>'
    place = f' <span class="place">{escape(row.place)}</span>' if row.place else ""
    if row.reason:
        told = f"<p>Not published: {escape(row.reason)}</p>"
    else:
        told = "".join(
            f'<p><span class="verdict">{escape(_sentence_case(verdict))}:</span> '
            f"{escape(listed(list(row.verdicts[verdict])))}</p>"
            for verdict in _ordered(row.verdicts)
        )
        told = told or "<p>No curve has been judged.</p>"
    links = " ".join(f'<a href="{escape(link.href)}">{escape(link.label)}</a>' for link in row.links)
    return f"<tr><td>{name}{place}</td><td>{told}</td><td>{links or '–'}</td></tr>"


def _ordered(verdicts: Mapping[str, tuple[str, ...]]) -> list[str]:
    known = [verdict for verdict in VERDICTS if verdict in verdicts]
    return known + sorted(set(verdicts) - set(VERDICTS))


def _meanings(verdicts: Sequence[str]) -> str:
    items = "".join(
        f"<li><strong>{escape(_sentence_case(verdict))}</strong>: {escape(MEANING[verdict])}</li>"
        for verdict in verdicts
    )
    return f"<ul>{items}</ul>"


def _further(further: Sequence[tuple[Link, str]]) -> str:
    items = "".join(
        f'<li><a href="{escape(link.href)}">{escape(link.label)}</a>: {escape(sentence)}</li>'
        for link, sentence in further
    )
    return f"<ul>{items}</ul>"


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def indicator_labels(dictionary: object) -> dict[str, str]:
    """Return the short label of every indicator that a data dictionary declares; {} without one."""
    indicators = getattr(dictionary, "indicators", {})
    return {name: indicator.short_label for name, indicator in indicators.items()}
