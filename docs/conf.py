"""Builds these pages by Sphinx with MyST: `python -m sphinx --fail-on-warning -q docs docs/_build`."""

from importlib.metadata import version as version_of

project = "firth"
author = "The firth developers"
copyright = "The firth developers"
version = release = version_of("firth")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_title = "firth"
