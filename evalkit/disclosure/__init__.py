"""What may be shown to whom."""

from evalkit.disclosure.cells import attack, protect
from evalkit.disclosure.hidden import hidden_numbers
from evalkit.disclosure.released import Release, release
from evalkit.disclosure.rules import RULES, Rule, small_cells
from evalkit.disclosure.scan import Leak, Scanner, scan_outputs

__all__ = [
    "RULES",
    "Leak",
    "Release",
    "Rule",
    "Scanner",
    "attack",
    "hidden_numbers",
    "protect",
    "release",
    "scan_outputs",
    "small_cells",
]
