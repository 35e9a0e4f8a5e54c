"""Sphinx configuration."""

project = "gradtruce"
author = "The gradtruce developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_design"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
html_theme = "furo"
html_title = "gradtruce"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
myst_heading_anchors = 2  # links to sections
exclude_patterns = ["_build"]
napoleon_attr_annotations = False  # shapes such as "*blocks tasks" are no markup
