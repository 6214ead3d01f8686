import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "klforecast"
author = "The klforecast developers"
copyright = "2026, the klforecast developers"
release = version = installed_version("klforecast")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "results", "_ext"]

# `-D sphinx_gallery_conf.plot_gallery=0` shows the examples without running them.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/(?!memory_for_a_hugging_face)\w+\.py",  # shown, not run: it needs transformers
    "within_subsection_order": "figures.place_of",
    "image_scrapers": ("figures.save_figures", "matplotlib"),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 60,
    "plot_gallery": True,
}
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = "klforecast"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_inherit_docstrings = (
    False  # what sktime writes of its own methods stands in its own reference
)
autoclass_content = "both"  # some classes document their settings at __init__
numpydoc_show_class_members = False

_QUOTED_OR_SPECIAL = re.compile(r"(``.+?``|`[^`]+`)|(?<=\w)_(?!\w)|\|")
_PARAMETER = re.compile(r"[\w, ]+ : ")


def escape(line: str) -> str:
    r"""Escape what reStructuredText would read as a link, ``name_``, or a substitution, ``|x|``."""
    header = _PARAMETER.match(line)
    kept = header.end() if header else 0  # numpydoc escapes the names of parameters itself
    return line[:kept] + _QUOTED_OR_SPECIAL.sub(
        lambda found: found[1] or "\\" + found[0], line[kept:]
    )


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are written to be read in the source: formulas in plain text, aligned by hand."""
    if what == "module" and len(lines) > 2:
        lines[1:] = ["", "::", "", *("    " + line for line in lines[2:]), ""]
        return
    in_example = False
    for i, line in enumerate(lines):
        in_example = bool(line) and (in_example or line.startswith(">>>"))
        if not in_example:
            lines[i] = escape(line)


def is_metadata_routing(app, what, name, obj, skip, options):
    """Skip ``set_fit_request`` and its like: scikit-learn adds them to every estimator."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def is_of_another_library(app, what, name, obj, skip, options):
    """Skip what estimators inherit from sktime and scikit-learn: that stands in their own reference."""
    home = getattr(
        getattr(obj, "fget", obj), "__module__", None
    )  # a property is where its getter is
    return True if home is not None and not home.startswith("klforecast") else None


def setup(app):
    app.connect("autodoc-process-docstring", plain_text, priority=100)
    app.connect("autodoc-skip-member", is_metadata_routing)
    app.connect("autodoc-skip-member", is_of_another_library)
