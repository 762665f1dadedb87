"""evalkit: evaluation and research for collective-impact initiatives.

Everything public is importable from here; each part is loaded where it is first used, so that
`import evalkit` stays quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
