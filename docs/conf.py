"""Sphinx settings; `sphinx-build -W docs docs/_build/html` builds the pages."""

import sys
from pathlib import Path

import fmtemu

sys.path.insert(0, str(Path(__file__).parent))

project = "fmtemu"
author = "the fmtemu authors"
copyright = author
release = version = fmtemu.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "tables"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"fmtemu {version}"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
