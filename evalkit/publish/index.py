"""The first page of a network's website: its sites, what turned where, and where to read on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from evalkit.errors import DataError
from evalkit.its.verdict import BEAT, CANNOT, NOT_YET, TURNED, VERDICTS
from evalkit.publish.pages import Link, Page, html_block
from evalkit.results import read_result
from evalkit.wording import listed

MEANING = {
    TURNED: "the last value lies outside the forecast's interval on the better side, and the trend since the "
    "work began goes the better way.",
    BEAT: "the last value lies outside the forecast's interval on the better side, but the trend does not go "
    "the better way, or there are too few values to speak of one.",
    NOT_YET: "the last value lies inside the forecast's interval, or on its worse side.",
    CANNOT: "there is no forecast to hold the last value against, it is too wide, or hidden values could "
    "change the answer.",
}
# How the summary counts each verdict.
COUNTED = {
    TURNED: "turned",
    BEAT: "beat the baseline without turning",
    NOT_YET: "did neither",
    CANNOT: "cannot be told",
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


def read_verdicts(results: Path) -> dict[str, tuple[str, ...]]:
    """Read what turned from a site's saved turn-the-curve result.

    Parameters
    ----------
    results : the site's folder of saved results

    Returns
    -------
    The short labels of the indicators by verdict, in the order of the result; empty where nothing is saved.
    """
    try:
        glance = read_result(results, "turn_the_curve").glance
    except DataError:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for row in glance.to_dict("records"):
        names = (row.get("short_label"), row.get("label"), row["indicator"])
        name = next(name for name in names if isinstance(name, str) and name)
        found[row["verdict"]] = (*found.get(row["verdict"], ()), name)
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
        told = [f"{counts[verdict]} {COUNTED[verdict]}" for verdict in VERDICTS if counts[verdict]]
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
