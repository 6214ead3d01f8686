"""A panel in parts: one fit from parts that are looked at one by one, in any order and on any machine.

>>> from klforecast.distributed import fit_parts, predict_parts
"""

from klforecast.distributed.agreement import Agreement, agree
from klforecast.distributed.engines import cross_validation, fit, predict
from klforecast.distributed.moments import PartMoments, part_moments
from klforecast.distributed.panel_model import PanelModel, solve_panel
from klforecast.distributed.parquet import forecast_parquet
from klforecast.distributed.parts import fit_parts, predict_parts
from klforecast.distributed.survey import Survey, survey_part

__all__ = [
    "Agreement",
    "PanelModel",
    "PartMoments",
    "Survey",
    "agree",
    "cross_validation",
    "fit",
    "fit_parts",
    "forecast_parquet",
    "part_moments",
    "predict",
    "predict_parts",
    "solve_panel",
    "survey_part",
]
