"""Significant disproportionality under the Individuals with Disabilities Education Act: risk ratios."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from evalkit.errors import ParameterError
from evalkit.intervals import two_proportion_interval

MINIMUM_CELL = 10  # children with the outcome; 34 CFR 300.647(b)(1)(iv)(A) presumes no more to be reasonable
MINIMUM_N = 30  # children in the group; 34 CFR 300.647(b)(1)(iv)(B)
RISK_RATIO = "risk ratio"
ALTERNATE = "alternate risk ratio"
NOT_CALCULATED = "group below min cell/n: not calculated"
NO_COMPARISON = "comparison group below min cell/n in the district and in the State: not calculated"


def idea_risk_ratio(
    x: ArrayLike,
    n: ArrayLike,
    others_x: ArrayLike,
    others_n: ArrayLike,
    state_others_x: ArrayLike,
    state_others_n: ArrayLike,
    *,
    minimum_cell: int = MINIMUM_CELL,
    minimum_n: int = MINIMUM_N,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Divide a group's risk by that of all other children in the district, or else in the State.

    Parameters
    ----------
    x, n : children of the group with the outcome, and all of them, in the district; shapes broadcast
    others_x, others_n : all other children of the district
    state_others_x, state_others_n : all other children of the State, for the alternate risk ratio
    minimum_cell, minimum_n : a group or comparison below either is not used

    Returns
    -------
    A row per case: `rule` (which ratio the regulation asks for, or why there is none), `estimate`, and
    `conf_low`, `conf_high` (Koopman's interval; the regulation looks at the ratio alone).

    References
    ----------
    34 CFR 300.647(a)(2), (a)(6), (b). Koopman (1984), Biometrics 40:513-517.
    """
    if minimum_cell < 0 or minimum_n < 1:
        raise ParameterError("the minimum cell may not be negative, nor the minimum n below 1")
    arrays = [
        np.asarray(values, float) for values in (x, n, others_x, others_n, state_others_x, state_others_n)
    ]
    own_x, own_n, rest_x, rest_n, state_x, state_n = (
        part.reshape(-1) for part in np.broadcast_arrays(*arrays)
    )
    usable = (own_x >= minimum_cell) & (own_n >= minimum_n)
    in_district = (rest_x >= minimum_cell) & (rest_n >= minimum_n)
    in_state = (state_x >= minimum_cell) & (state_n >= minimum_n)
    rule = np.select(
        [~usable, in_district, in_state], [NOT_CALCULATED, RISK_RATIO, ALTERNATE], default=NO_COMPARISON
    )
    with_x, with_n = np.where(in_district, rest_x, state_x), np.where(in_district, rest_n, state_n)
    has_ratio = np.isin(rule, [RISK_RATIO, ALTERNATE])
    group_n, comparison_n = np.where(has_ratio, own_n, np.nan), np.where(has_ratio, with_n, np.nan)
    low, high = two_proportion_interval(
        own_x, group_n, with_x, comparison_n, contrast="ratio", conf_level=conf_level
    )
    with np.errstate(all="ignore"):
        estimate = (own_x / group_n) / (with_x / comparison_n)
    return pd.DataFrame({"rule": rule, "estimate": estimate, "conf_low": low, "conf_high": high})
