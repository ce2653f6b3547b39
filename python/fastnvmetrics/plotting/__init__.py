"""Traces as pictures and as pages that zoom.

Neither of the libraries is needed for anything else, and none is imported before it is asked for:
matplotlib for pictures, plotly for pages.
"""

from .plot import FORMATS, plot

__all__ = ["FORMATS", "plot"]
