"""Data-sharing agreements: what of a source may go to whom, for what, and until when."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.dictionary import CROSSING, TOTAL_DIMENSION, Id
from evalkit.documents import Declared
from evalkit.errors import ParameterError
from evalkit.periods import period_text

Audience = Literal["internal", "partners", "public"]
AUDIENCES: tuple[Audience, ...] = ("internal", "partners", "public")
EXPIRY_NOTICE = 90  # days ahead that `evalkit check` tells of an agreement's end; renewing one takes a season
PURPOSE = "evaluation"  # what evalkit's own runs use data for


def parse_day(day: str) -> date:
    """Read a day written as 2026-09-30.

    Raises
    ------
    ParameterError : it is no day of the calendar.
    """
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise ParameterError(f"{day!r} is not a day; write it as 2026-09-30") from None


def _day_text(value: object) -> object:
    text = period_text(value)
    if isinstance(text, str):
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a day; write it as 2026-09-30") from None
    return text


DayText = Annotated[str, BeforeValidator(_day_text)]


class DataAgreement(Declared):
    """Which of a source's indicators and dimensions may go to which audience.

    Where a network or site declares any, each of its sources needs one, but for those that are made up or
    that their publisher has protected. Every agreement in force allows the partnership's own evaluators
    (`internal`). Nothing named for `indicators`, `dimensions` or `purposes` means all of them; totals go
    with any dimension, and a crossing like "race_ethnicity*income" allows its two parts.

    `starts` and `expires` are its first and its last day.
    """

    agreement_id: Id
    source: Id
    parties: tuple[str, ...] = Field(min_length=1)
    audiences: tuple[Audience, ...]
    indicators: tuple[Id, ...] = ()
    dimensions: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    minimum_cell: int = Field(default=1, ge=1)
    starts: DayText | None = None
    expires: DayText | None = None
    note: str = ""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "DataAgreement":
        if self.starts and self.expires and self.expires < self.starts:
            raise ValueError(f"`expires` {self.expires} is before `starts` {self.starts}; mend one of them")
        return self

    def is_in_force(self, day: date) -> bool:
        """Tell whether the agreement holds on a day, its first and last day included."""
        started = self.starts is None or date.fromisoformat(self.starts) <= day
        return started and (self.expires is None or day <= date.fromisoformat(self.expires))

    def covers(self, *, indicator: str, dimension: str, audience: str, purpose: str = PURPOSE) -> bool:
        """Tell whether cells of an indicator and dimension may go to an audience, whatever the day."""
        return (
            (audience == "internal" or audience in self.audiences)
            and (not self.indicators or indicator in self.indicators)
            and (not self.purposes or purpose in self.purposes)
            and self._has(dimension)
        )

    def _has(self, dimension: str) -> bool:
        if not self.dimensions or dimension == TOTAL_DIMENSION:
            return True
        parts = set(dimension.split(CROSSING))
        return any(parts <= set(allowed.split(CROSSING)) for allowed in self.dimensions)


def missing_agreement(
    agreements: Iterable[DataAgreement],
    *,
    source: str,
    indicator: str,
    dimension: str,
    audience: str,
    day: date,
    purpose: str = PURPOSE,
) -> str:
    """Say which agreement is missing for cells to be shared; "" where one in force allows it."""
    own = [item for item in agreements if item.source == source]
    covering = [
        item
        for item in own
        if item.covers(indicator=indicator, dimension=dimension, audience=audience, purpose=purpose)
    ]
    if any(item.is_in_force(day) for item in covering):
        return ""
    ended = sorted(item.expires for item in covering if item.expires and day.isoformat() > item.expires)
    if ended:
        return f"not shared, because the data agreement on the source {source} ended on {ended[-1]}"
    if covering:
        starts = min(item.starts for item in covering if item.starts)
        return f"not shared, because the data agreement on the source {source} only begins on {starts}"
    if not own:
        return f"not shared, because there is no data agreement on the source {source}"
    return f"not shared, because no data agreement on the source {source} allows it for this audience"


def expiring(agreements: Sequence[DataAgreement], *, today: str, days: int = EXPIRY_NOTICE) -> list[str]:
    """Tell of each agreement that has ended, or ends within so many days from today, one sentence each."""
    day = parse_day(today)
    found = []
    for item in sorted(agreements, key=lambda item: (item.expires or "", item.agreement_id)):
        if item.expires is None:
            continue
        end = date.fromisoformat(item.expires)
        who = f"data agreement {item.agreement_id} ({', '.join(item.parties)})"
        if end < day:
            found.append(f"{who} ended on {item.expires}; its cells are hidden until it is renewed")
        elif end <= day + timedelta(days=days):
            left = (end - day).days
            found.append(f"{who} ends on {item.expires}, in {left} day{'' if left == 1 else 's'}; renew it")
    return found
