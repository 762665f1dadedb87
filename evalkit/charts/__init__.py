"""Charts know columns, not methods: tidy frames in, axes out.

`draw` finds the chart of a method by its name, so a result that was read back from a file draws
itself just as the one that was computed. Each chart is imported where it is first needed.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

# method of a result, or method.chart for a further one -> (module of evalkit.charts, function)
CHARTS = {
    "data_quality": ("coverage", "status_matrix"),
    "turn_the_curve": ("curve", "baseline_curve"),
    "interrupted_time_series": ("curve", "segmented_curve"),
    "its_calibration": ("calibration", "coverage_chart"),
    "its_power": ("calibration", "power_chart"),
    "equity_gaps": ("gaps", "gap_chart"),
    "equity_gaps.over_time": ("gaps", "gap_over_time"),
    "equity_gaps.equiplot": ("gap_panels", "equiplot"),
    "equity_gaps.panels": ("gap_panels", "gap_panels"),
    "contribution": ("theory", "theory_of_change"),
    "contribution.evidence": ("evidence", "evidence_chart"),
    "contribution.ceiling": ("evidence", "ceiling_chart"),
    "contribution.rivals": ("rivals", "rivals_chart"),
    "qca": ("qca", "solution_plot"),
    "qca.truth_table": ("qca", "truth_table_chart"),
    "performance": ("performance", "performance_chart"),
    "comparison": ("forest", "forest"),
    "comparison_pool": ("pools", "pool_chart"),
}


def draw(
    method: str,
    frames: Mapping[str, pd.DataFrame],
    ax: Axes | None = None,
    *,
    chart: str = "",
    **choice: Any,
) -> Axes:
    """Draw a chart of a method from its frames: `tidy`, `glance`, `augment` and any further ones."""
    module, function = CHARTS[f"{method}.{chart}" if chart else method]
    drawing = getattr(import_module(f"evalkit.charts.{module}"), function)
    axes: Axes = drawing(frames, ax=ax, **choice)
    return axes
