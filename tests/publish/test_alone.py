"""A web page holds its pictures and fetches nothing."""

import base64

import pytest

from evalkit.errors import PublishError
from evalkit.publish.alone import check_alone, put_pictures_in

# The smallest PNG that there is: one grey point.
POINT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


def test_a_picture_is_put_in_where_it_is_named_and_nowhere_else():
    page = '<p>src="a.png" a.png</p><img class="x" src="a.png" alt="src=&quot;a.png&quot; a > b" />'
    uri = f"data:image/png;base64,{base64.b64encode(POINT).decode()}"
    whole = put_pictures_in(page, {"a.png": POINT}, name="p")
    assert whole == page.replace('class="x" src="a.png"', f'class="x" src="{uri}"')


@pytest.mark.parametrize(
    ("written", "name"), [("a%20b.png", "a b.png"), ("a&amp;b.png", "a&b.png"), ("%C3%A9.png", "é.png")]
)
def test_a_picture_is_found_by_its_name_however_a_page_must_write_it(written, name):
    assert "base64" in put_pictures_in(f'<img src="{written}" />', {name: POINT}, name="p")


def test_a_picture_that_is_not_there_is_named():
    with pytest.raises(PublishError, match=r"p: a picture is missing: gone\.png"):
        put_pictures_in('<img src="gone.png" />', {"a.png": POINT}, name="p")


@pytest.mark.parametrize(
    "fetching",
    [
        '<img src="https://example.org/x.png">',
        "<img alt='x' src='//example.org/x.png'>",
        "<img src=x.png>",
        '<img src="data:," srcset="x.png 2x">',
        '<script defer src="x.js"></script>',
        '<link rel="stylesheet" href="style.css">',
        '<iframe src="https://example.org"></iframe>',
        '<object data="x.svg"></object>',
        '<video poster="x.png"></video>',
        '<svg><image xlink:href="http://example.org/x.png"/></svg>',
        "<style>@import 'x.css';</style>",
        "<style>\nbody { background: URL( 'https://example.org/x.png' ) }\n</style>",
        '<p style="background: url(x.png)">',
        '<form action="https://example.org"></form>',
    ],
)
def test_a_page_that_would_fetch_something_is_refused(fetching):
    with pytest.raises(PublishError, match="p: the page would fetch something from outside itself"):
        check_alone(f"<!DOCTYPE html><p>Fine.</p>{fetching}<p>Fine.</p>", name="p")


@pytest.mark.parametrize(
    "fine",
    [
        '<a href="https://example.org">a link</a><a class="x" href="other.html">another</a>',
        '<link rel="icon" href="data:,"><img alt="x" src="data:image/png;base64,AAAA" />',
        "<style>body { background: url(data:,) }</style>",
        "<p>Write &lt;img src=x&gt;, url(x.png) or @import in words.</p>",
        '<p title="src=x">data="x" is what src="x" looks like</p>',
        '<img alt="Observed data = dots, src=x, action = taken" src="data:image/png;base64,AAAA" />',
        '<div aria-label="data = 5">5</div>',
        '<svg><use href="#part"/></svg>',
    ],
)
def test_links_words_and_what_the_page_itself_holds_are_no_fetching(fine):
    check_alone(f"<!DOCTYPE html>{fine}", name="p")
