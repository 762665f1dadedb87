"""What is true in the fictional network: its sites and solutions, and what moves there."""

from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

YEARS = tuple(range(2013, 2025))  # school years, named by the year in which they end
MONTHS = pd.period_range("2012-09", "2024-06", freq="M")
SURVEY_YEARS = tuple(range(2014, 2025, 2))  # caregivers are asked every second year
RACES = ("Asian", "Black", "Latinx", "Native American", "White")
INCOMES = ("low income", "not low income")
CELLS = tuple(product(RACES, INCOMES))
SMALLEST_CELL = 3  # persons; keeps every rate defined while leaving cells below a minimum of 10
SCHOOL_DAYS = 18  # days in a month of school
SEASON = {9: 0.8, 10: 0.6, 11: 0.1, 12: -0.5, 1: -0.8, 2: -0.7, 3: -0.2, 4: 0.0, 5: 0.3, 6: 0.4}  # points
RACE_OFFSETS = np.array([5.0, -3.0, -2.0, -5.0, 6.0])  # points from the site's mean, favourable way up
INCOME_OFFSETS = np.array([-4.0, 7.0])
LOW_INCOME_TILT = np.array([-0.05, 0.05, 0.06, 0.08, -0.08])  # share of low income by race, from the site's


class IndicatorDesign(NamedTuple):
    """How one indicator is simulated; percent, and points per year (attendance: month)."""

    population: str
    favourable: int
    size: float  # denominator as a share of the neighborhood's children
    trend: float
    rho: float
    own: float  # standard deviation of the site's own error, points
    shared: float  # the same for the shock that the site shares with its comparison site


class SolutionDesign(NamedTuple):
    """Who offers a solution, what it aims at, since when, and which share of the denominator it reaches."""

    site_id: str
    partner_id: str
    solution_id: str
    name: str
    kind: str
    indicators: tuple[str, ...]
    start: int
    reach: float


class SiteDesign(NamedTuple):
    """One neighborhood: rates in 2013 and true changes, in the order of `INDICATORS`."""

    start: int
    children: int
    races: tuple[float, ...]
    low_income: float
    gains_go_to: str  # the subgroup that gains `GAIN_WEIGHT` times what the others gain; "" for none
    levels: tuple[float, ...]
    level_changes: tuple[float, ...]
    slope_changes: tuple[float, ...]


GAIN_WEIGHT = 1.8
INDICATORS = {
    "kindergarten_ready": IndicatorDesign("resident", 1, 0.065, 0.2, 0.3, 1.0, 0.6),
    "ela_proficient": IndicatorDesign("target_school", 1, 0.45, 0.2, 0.3, 0.7, 0.5),
    "chronic_absence": IndicatorDesign("target_school", -1, 0.60, -0.1, 0.4, 0.8, 0.6),
    "graduation_rate": IndicatorDesign("target_school", 1, 0.05, 0.4, 0.2, 1.0, 0.6),
    "mobility": IndicatorDesign("target_school", -1, 0.62, -0.2, 0.3, 0.9, 0.6),
    "technology_access": IndicatorDesign("resident", 1, 0.50, 0.6, 0.4, 0.8, 0.6),
    "attendance_rate": IndicatorDesign("target_school", 1, 0.60, 0.002, 0.4, 0.4, 0.3),
    "caregiver_employed": IndicatorDesign("resident", 1, 0.14, 0.2, 0.3, 0.8, 0.6),
    "caregiver_stable_housing": IndicatorDesign("resident", 1, 0.14, -0.2, 0.3, 0.8, 0.6),
}
NO_CHANGE = (0.0,) * len(INDICATORS)
SITES = {
    "alder-park": SiteDesign(
        2019, 4200, (0.05, 0.34, 0.42, 0.02, 0.17), 0.72, "low income",
        (38, 30, 34, 68, 26, 62, 90.5, 58, 68),
        (9, 1, -7, 3, -2, 0, 1.0, 3, 0), (1.5, 0.3, -0.8, 0.5, -0.3, 0, 0.015, 0.5, 0),
    ),
    "birchwater": SiteDesign(
        2019, 3100, (0.09, 0.46, 0.18, 0.01, 0.26), 0.66, "",
        (44, 33, 38, 64, 34, 66, 89.0, 60, 63),
        (0, 0, -8, 5, -8, 0, 1.2, 0, 4), (0, 0, -0.9, 0.8, -0.5, 0, 0.02, 0, 0.5),
    ),
    "cedar-flats": SiteDesign(
        2020, 1900, (0.03, 0.12, 0.58, 0.03, 0.24), 0.75, "",
        (40, 27, 30, 70, 24, 56, 91.5, 62, 70),
        (3, 5, 0, 0, 0, 8, 0, 0, 0), (0.4, 1.0, 0, 0, 0, 1.0, 0, 0, 0),
    ),
    "dogwood-heights": SiteDesign(
        2020, 3600, (0.12, 0.40, 0.25, 0.01, 0.22), 0.63, "Black",
        (47, 36, 33, 60, 28, 68, 90.0, 59, 64),
        (0, 2, -4, 12, -3, 0, 0.6, 4, 5), (0, 0.4, -0.5, 1.2, -0.4, 0, 0.01, 0.6, 0.6),
    ),
    "elm-crossing": SiteDesign(
        2021, 2500, (0.06, 0.22, 0.30, 0.02, 0.40), 0.58, "",
        (39, 35, 28, 67, 20, 70, 92.0, 64, 74), NO_CHANGE, NO_CHANGE,
    ),
    "foxglove-hill": SiteDesign(
        2021, 2900, (0.04, 0.52, 0.20, 0.01, 0.23), 0.70, "low income",
        (42, 31, 29, 71, 27, 64, 91.0, 61, 69),
        (0, -2, 6, -3, 5, 2, -1.0, 0, -4), (0, -0.3, 1.0, -0.4, 0.6, 0.3, -0.015, 0, -0.5),
    ),
    "ginkgo-row": SiteDesign(
        2022, 1600, (0.22, 0.15, 0.33, 0.02, 0.28), 0.61, "low income",
        (41, 38, 27, 73, 18, 58, 92.5, 63, 72),
        (7, 2, 0, 0, 0, 10, 0, 0, 0), (1.5, 0.4, 0, 0, 0, 1.2, 0, 0, 0),
    ),
    "hawthorn-bend": SiteDesign(
        2022, 4600, (0.07, 0.28, 0.36, 0.02, 0.27), 0.68, "",
        (45, 29, 35, 66, 38, 65, 89.5, 57, 62),
        (0, 5, 0, 4, -7, 0, 0, 3, 4), (0, 0.6, 0, 0.6, -0.8, 0, 0, 0.5, 0.5),
    ),
}  # fmt: skip
# Elm Crossing was rising before it began, and so was the region: nothing turned there.
REGIONAL_TRENDS = {("elm-crossing", "kindergarten_ready"): 1.2, ("elm-crossing", "graduation_rate"): 0.5}
NO_CAREGIVER_SURVEY = ("ginkgo-row",)
LOST_YEARS = (("cedar-flats", "technology_access", "2020"), ("hawthorn-bend", "caregiver_employed", "2016"))
LOST_CELLS = 12  # crossed cells that no one can recover, over the whole network

SOLUTIONS = tuple(
    SolutionDesign(*row)
    for row in (
        ("alder-park", "alder-family-hub", "home-visiting", "Home visiting", "family",
         ("kindergarten_ready",), 2019, 0.30),
        ("alder-park", "alder-early-learning", "pre-k-seats", "Full-day pre-K seats", "program",
         ("kindergarten_ready",), 2019, 0.45),
        ("alder-park", "alder-schools", "attendance-teams", "School attendance teams", "system",
         ("chronic_absence", "attendance_rate"), 2019, 0.55),
        ("alder-park", "alder-works", "caregiver-coaching", "Caregiver coaching", "family",
         ("caregiver_employed",), 2020, 0.25),
        ("birchwater", "birchwater-schools", "attendance-liaisons", "Attendance liaisons", "program",
         ("chronic_absence", "attendance_rate"), 2019, 0.40),
        ("birchwater", "birchwater-youth-house", "credit-recovery", "Evening credit recovery", "program",
         ("graduation_rate",), 2019, 0.30),
        ("birchwater", "birchwater-tenants", "eviction-prevention", "Eviction prevention desk", "policy",
         ("mobility", "caregiver_stable_housing"), 2020, 0.20),
        ("cedar-flats", "cedar-schools", "reading-block", "Daily reading block", "system",
         ("ela_proficient",), 2020, 0.80),
        ("cedar-flats", "cedar-library", "reading-circles", "Family reading circles", "family",
         ("ela_proficient",), 2020, 0.12),
        ("cedar-flats", "cedar-library", "homework-devices", "Homework devices", "program",
         ("technology_access",), 2020, 0.45),
        ("cedar-flats", "cedar-childcare-network", "teacher-training", "Child care teacher training",
         "program", ("kindergarten_ready",), 2021, 0.35),
        ("dogwood-heights", "dogwood-high-school", "early-warning", "Ninth-grade early warning", "system",
         ("graduation_rate", "chronic_absence"), 2020, 0.70),
        ("dogwood-heights", "dogwood-mentors", "peer-mentoring", "Peer mentoring", "program",
         ("graduation_rate",), 2020, 0.35),
        ("dogwood-heights", "dogwood-homes", "rent-bridge", "Rent bridge", "policy",
         ("caregiver_stable_housing", "mobility"), 2020, 0.25),
        ("dogwood-heights", "dogwood-works", "job-pathways", "Job pathways", "program",
         ("caregiver_employed",), 2021, 0.20),
        ("elm-crossing", "elm-family-network", "parent-cafes", "Parent cafés", "family",
         ("kindergarten_ready",), 2021, 0.25),
        ("elm-crossing", "elm-schools", "tutoring", "After-school tutoring", "program",
         ("ela_proficient",), 2021, 0.15),
        ("elm-crossing", "elm-college-desk", "graduation-coaches", "Graduation coaches", "program",
         ("graduation_rate",), 2021, 0.40),
        ("foxglove-hill", "foxglove-schools", "walking-bus", "Walking school bus", "family",
         ("chronic_absence", "attendance_rate"), 2021, 0.15),
        ("foxglove-hill", "foxglove-health", "school-clinic", "School clinic", "program",
         ("chronic_absence",), 2021, 0.35),
        ("foxglove-hill", "foxglove-housing-table", "landlord-fund", "Landlord repair fund", "policy",
         ("mobility", "caregiver_stable_housing"), 2022, 0.10),
        ("ginkgo-row", "ginkgo-early-years", "transition-summer", "Kindergarten transition summer", "program",
         ("kindergarten_ready",), 2022, 0.50),
        ("ginkgo-row", "ginkgo-schools", "shared-screening", "Shared screening", "system",
         ("kindergarten_ready", "ela_proficient"), 2022, 0.75),
        ("ginkgo-row", "ginkgo-broadband-cooperative", "home-broadband", "Home broadband", "policy",
         ("technology_access",), 2022, 0.40),
        ("hawthorn-bend", "hawthorn-readers", "weekend-academy", "Weekend reading academy", "program",
         ("ela_proficient",), 2022, 0.012),
        ("hawthorn-bend", "hawthorn-housing", "right-to-stay", "Right-to-stay ordinance", "policy",
         ("mobility", "caregiver_stable_housing"), 2022, 0.60),
        ("hawthorn-bend", "hawthorn-works", "childcare-for-work", "Child care for working families", "family",
         ("caregiver_employed",), 2022, 0.18),
    )
)  # fmt: skip
