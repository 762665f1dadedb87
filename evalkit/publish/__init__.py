"""Executed notebooks become a small website, PDF and Word documents."""

from evalkit.publish.renderers import FORMATS, RENDERERS, check_formats
from evalkit.publish.site import ACROSS, PublishReport, prepare_pages, publish_network

__all__ = [
    "ACROSS",
    "FORMATS",
    "RENDERERS",
    "PublishReport",
    "check_formats",
    "prepare_pages",
    "publish_network",
]
