"""Files of others as indicator tables."""

from evalkit.readers.edfacts import edfacts_directory, read_edfacts_acgr
from evalkit.readers.tidy import read_indicators

__all__ = ["edfacts_directory", "read_edfacts_acgr", "read_indicators"]
