"""Executed notebooks become a small website, PDF and Word documents."""

from evalkit.publish.renderers import FORMATS, RENDERERS
from evalkit.publish.site import PublishReport, publish_network

__all__ = ["FORMATS", "RENDERERS", "PublishReport", "publish_network"]
