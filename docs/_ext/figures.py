"""What the gallery of examples shows: figures that an example has made, in an order to be read in."""

from pathlib import Path

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

ORDER = (
    "forecast_in_ten_lines",
    "forecast_your_own_file",
    "forecast_with_intervals",
    "demand_with_temperature",
    "long_frame",
    "backtest_beside_theta",
    "explain_a_forecast",
    "forecast_a_hierarchy",
    "look_into_the_memory",
    "tune_n_components",
    "keep_up_with_a_stream",
    "ship_the_map",
    "find_what_is_odd",
    "classify_series",
    "numbers_from_series",
    "memory_in_your_own_model",
    "memory_for_your_backbone",
    "memory_for_a_hugging_face_model",
)


def place_of(file: str) -> tuple[int, str]:
    """Sort the examples of `ORDER` first, and others by name after them."""
    name = Path(file).stem
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def save_figures(block, block_vars, gallery_conf) -> str:
    """Save the figures that a block has made, and return the lines that show them.

    The library's figures live outside pyplot, where the gallery's own scraper does not see them.
    """
    seen = block_vars.setdefault("seen_figures", set())
    figures = {
        id(value): value
        for value in block_vars["example_globals"].values()
        if isinstance(value, Figure) and id(value) not in seen
    }
    seen.update(figures)
    paths = []
    for figure in figures.values():
        path = next(block_vars["image_path_iterator"])
        figure.savefig(path, dpi=110)
        paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])
