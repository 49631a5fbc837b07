"""Settings of Sphinx; `python docs/build.py` builds the site from a copy of the sources."""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]

import hippo_theory  # noqa: E402

project = "hippo_theory"
author = "the hippo_theory developers"
version = release = hippo_theory.__version__
project_copyright = author

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "docstrings",
    "numpydoc",
    "myst_nb",
    "mathml",
]
templates_path = [str(HERE / "templates")]
html_math_renderer = "mathml"
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # what stands in backticks is often an argument or a word of the shell
    ("py:class", r"(abc|torch)\..*|.*\._\w+"),  # bases that have no page here
]

nb_execution_mode = "off"  # notebooks are committed with their outputs, and executed by .ci/full
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "attrs_block", "deflist"]
myst_heading_anchors = 3
autosummary_generate = True
autodoc_typehints = "none"  # types stand in the docstrings, in words
autodoc_member_order = "bysource"
autodoc_mock_imports = [] if find_spec("torch") else ["torch"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "furo"
html_title = "hippo_theory"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
html_copy_source = False
html_show_sphinx = False
exclude_patterns = ["tables", "extra"]  # tables are included by pages; build.py copies extra as it is
pygments_style, pygments_dark_style = "friendly", "monokai"
