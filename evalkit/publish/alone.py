"""A web page stands alone: its pictures are in it, and nothing in it asks another machine for anything."""

import base64
import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import unquote

from evalkit.errors import PublishError

# Renderers escape "<", ">" and quotes in every text and attribute, so a tag in the source is a tag.
PICTURE = re.compile(r'(<img\b[^>]*?\ssrc=")([^"]*)"')
# What a browser fetches by itself; a link is followed by the reader alone.
FETCHING = {"src", "srcset", "href", "xlink:href", "poster", "data", "background", "action", "manifest"}
TAG = re.compile(rf"<(?!a\s)[a-z][^>]*?\s(?:{'|'.join(sorted(FETCHING))})\s*=[^>]*>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"""([^\s"'=<>/]+)\s*=\s*["']?((?<=")[^"]*|(?<=')[^']*|[^\s"'>]+)""")
WITHIN = ("data:", "#")  # an address that leads nowhere but into the page itself
STYLE = re.compile(r"""<style\b[^>]*>.*?</style>|\sstyle=(?:"[^"]*"|'[^']*')""", re.IGNORECASE | re.DOTALL)
FETCHED_BY_STYLE = re.compile(r"""@import\b.{0,80}|url\(\s*["']?(?!["']?(?:data:|#)).{0,80}""", re.IGNORECASE)


def put_pictures_in(html: str, pictures: Mapping[str, bytes], *, name: str) -> str:
    """Write every picture into the page as a data URI (RFC 2397).

    Parameters
    ----------
    html : a page that names its pictures
    pictures : the bytes of every PNG, by the name that the page gives it
    name : of the page, for the message

    Raises
    ------
    PublishError : the page names a picture that is not there.
    """

    def put_in(found: re.Match[str]) -> str:
        source = unquote(unescape(found.group(2)))
        if source not in pictures:
            raise PublishError(
                f"{name}: a picture is missing: {source}; show it in the notebook or leave it out"
            )
        return f'{found.group(1)}data:image/png;base64,{base64.b64encode(pictures[source]).decode("ascii")}"'

    return PICTURE.sub(put_in, html)


def check_alone(html: str, *, name: str) -> None:
    """Refuse a page that a browser could not show without asking for something outside it.

    Raises
    ------
    PublishError : a picture, script, style sheet, frame or font is fetched from outside the page.
    """
    fetched = [
        value
        for tag in TAG.finditer(html)
        for attribute, value in ATTRIBUTE.findall(tag.group())
        if attribute.lower() in FETCHING and not value.strip().startswith(WITHIN)
    ]
    for style in STYLE.finditer(html):
        fetched += FETCHED_BY_STYLE.findall(style.group())
    if fetched:
        raise PublishError(
            f"{name}: the page would fetch something from outside itself, {fetched[0]!r}; leave it out"
        )
