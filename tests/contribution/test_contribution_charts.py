"""Drawn data: boxes, letters, lines and alt text read off the axes."""

import pytest
from made_up_town import MODEL, changed, site_with, time_series
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from evalkit.charts.evidence import ceiling_chart, evidence_chart
from evalkit.charts.style import alt_text, figure_of
from evalkit.charts.theory import theory_of_change
from evalkit.contribution import contribution_analysis
from evalkit.contribution.tables import theory_frames


@pytest.fixture
def frames(model, dictionary):
    result = contribution_analysis(site_with(model), time_series(), audience="public", dictionary=dictionary)
    return result.frames


def crowded(columns=6, rows=10):
    """Sixty boxes with long labels, each linked to two of the next column and some to the one after."""
    kinds = ["partner", "solution", "output", "outcome", "outcome", "indicator"]
    nodes = [
        {
            "id": f"n{column}-{row}",
            "kind": kinds[column],
            "label": f"Neighborhood-wide kindergarten-readiness partnership number {row} of column {column}"[
                : 24 + 6 * row
            ],
            "solution_type": "policy" if kinds[column] == "solution" else None,
            "indicator": "chronic_absence" if kinds[column] == "indicator" else None,
        }
        for column in range(columns)
        for row in range(rows)
    ]
    links = [
        {"src": f"n{column}-{row}", "dst": f"n{column + step}-{(row * 3 + shift) % rows}", "mechanism": "m"}
        for column in range(columns - 1)
        for row in range(rows)
        for step, shift in ((1, 0), (1, 4), *(((2, 1),) if row == 0 and column < columns - 2 else ()))
    ]
    return changed(nodes=nodes, links=links, hypotheses=[], evidence=[], reach=[])


def extents(axes):
    renderer = FigureCanvasAgg(figure_of(axes)).get_renderer()
    boxes = {patch.get_gid(): patch.get_window_extent(renderer) for patch in axes.patches if patch.get_gid()}
    labels = {
        text.get_gid().removeprefix("label "): text.get_window_extent(renderer)
        for text in axes.texts
        if text.get_gid()
    }
    return boxes, labels


@pytest.mark.parametrize("make", [changed, crowded], ids=["five boxes", "sixty boxes"])
def test_every_label_stays_inside_its_box(make):
    axes = theory_of_change(theory_frames(make()))
    boxes, labels = extents(axes)
    assert len(labels) == len(make().nodes)
    for node, label in labels.items():
        box = boxes[node]
        assert box.x0 <= label.x0
        assert label.x1 <= box.x1
        assert box.y0 <= label.y0
        assert label.y1 <= box.y1


@pytest.mark.parametrize("make", [changed, crowded], ids=["five boxes", "sixty boxes"])
def test_no_two_boxes_overlap_and_none_leaves_the_figure(make):
    axes = theory_of_change(theory_frames(make()))
    boxes, labels = extents(axes)
    drawn = [boxes[node] for node in labels]
    page = figure_of(axes).bbox
    for place, box in enumerate(drawn):
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in drawn[place + 1 :])


def test_a_figure_grows_with_its_boxes_and_letters_do_not_shrink():
    small, large = (theory_of_change(theory_frames(make())) for make in (changed, crowded))
    assert figure_of(large).get_figheight() > 2 * figure_of(small).get_figheight()
    sizes = {text.get_fontsize() for axes in (small, large) for text in axes.texts if text.get_gid()}
    assert len(sizes) == 1


def test_links_without_evidence_are_dashed_and_strong_ones_thick(frames):
    axes = theory_of_change(frames)
    lines = {patch.get_gid(): patch for patch in axes.patches if isinstance(patch, PathPatch)}
    assert lines["hub > coaching"].get_linestyle() != "solid"
    assert lines["coaching > calls"].get_linestyle() == "solid"
    assert lines["coaching > calls"].get_linewidth() > 2 * lines["hub > coaching"].get_linewidth()
    assert (
        lines["hub > coaching"].get_path().vertices[-1][0]
        < lines["coaching > calls"].get_path().vertices[0][0]
    )


def test_the_alt_text_of_the_theory_says_what_is_drawn_and_what_lacks_evidence(frames):
    assert alt_text(theory_of_change(frames)) == (
        "Theory of change drawn from left to right: 1 partner, 1 solution, 1 output, 1 outcome and "
        "1 indicator, joined by 4 links; 3 of them with strong evidence; "
        "1 of the 4 links has no evidence yet. "
        "It ends at Chronic absence."
    )


def test_the_theory_can_be_drawn_on_given_axes(frames):
    axes = Figure(figsize=(3, 2)).add_subplot()
    assert theory_of_change(frames, ax=axes) is axes
    assert max(text.get_fontsize() for text in axes.texts) < 7.5


def test_the_links_table_says_the_same_as_the_picture(frames):
    links = frames["links"]
    assert links["src_label"].tolist() == [
        "Family hub",
        "Family coaching",
        "Families are called within a day",
        "Barriers to attending are removed",
    ]
    assert links["evidenced"].tolist() == [False, True, True, True]
    assert links["items"].tolist() == [0, 4, 4, 4]


def test_the_evidence_chart_draws_before_and_after_for_claim_and_rivals(frames):
    axes = evidence_chart(frames)
    belief = frames["beliefs"].iloc[0]
    widths = sorted(round(patch.get_width(), 6) for patch in axes.patches)
    assert round(100 * (belief["high"] - belief["low"]), 6) in widths
    assert "Family coaching contributed to the fall in chronic absence: from 50% to >99%" in alt_text(axes)
    assert axes.get_xlabel() == "Probability that the statement holds (percent)"
    assert axes.get_xlim() == (0, 100)


def test_the_evidence_chart_names_the_rivals_nobody_examined(dictionary):
    hypotheses = [item for item in MODEL["hypotheses"] if item["id"] != "composition"]
    frames = contribution_analysis(
        site_with(changed(hypotheses=hypotheses)), time_series(), audience="public", dictionary=dictionary
    ).frames
    axes = evidence_chart(frames)
    assert "nobody doing better: not examined" in alt_text(axes)
    assert "not examined" in [text.get_text() for text in axes.texts]


def test_the_ceiling_chart_stacks_ceiling_and_headroom_beside_the_observed_change(frames):
    axes = ceiling_chart(frames)
    assert sorted(round(patch.get_width(), 6) for patch in axes.patches) == [4.5, 8.0, 9.1]
    assert alt_text(axes).startswith(
        "Chronic absence: observed improvement 8.0 (5.0 to 11.0) percentage points; "
        "the people reached could account for about 4.5 (1.5 to 7.5)"
    )
    assert axes.get_xlim()[0] <= 0


def test_charts_of_an_empty_theory_say_so(dictionary):
    frames = contribution_analysis(site_with(None), {}, audience="public", dictionary=dictionary).frames
    for chart in (theory_of_change, evidence_chart, ceiling_chart):
        assert "supplied" in alt_text(chart(frames))
