"""What may be shown to whom."""

from evalkit.disclosure.released import Release, release

__all__ = ["Release", "release"]
