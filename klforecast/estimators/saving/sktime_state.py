"""Saving for estimators of sktime: what sktime keeps in them, and its own zip beside our file."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from sktime.forecasting.base import ForecastingHorizon

from klforecast.estimators.arguments import check_path
from klforecast.estimators.saving.files import SavedEstimator, save_estimator
from klforecast.estimators.saving.grammar import Field, Named

_SKTIME_SUFFIXES = ("", ".zip")

# The second one is that of a detector of changes of level.
_TAGS = {"sktime_version": str, "task": Literal["change_point_detection"]}

# Those that choose how sktime computes are not read from files: they are arguments of others.
_CONFIG = {
    "display": str,
    "print_changed_only": bool,
    "check_clone": bool,
    "clone_config": bool,
    "warnings": str,
    "remember_data": bool,
    "input_conversion": str,
    "output_conversion": str,
    "backend:parallel": None,
    "backend:parallel:params": None,
}


def _optional(hints: dict[str, Any]) -> Named:
    return Named({name: Field(hint, optional=True) for name, hint in hints.items()})


class SavedSktimeEstimator(SavedEstimator):
    """Mixin, before the base class of sktime: `save` and `load`, and what sktime keeps."""

    _is_fitted: bool
    _state: Literal["new", "fitted", "pretrained"]
    _is_vectorized: bool
    _is_timed: bool
    _pretrained_attrs: list[str]
    _tags_dynamic: Annotated[dict[str, Any], _optional(_TAGS)]
    _config_dynamic: Annotated[dict[str, Any], _optional(_CONFIG)]
    _fh: ForecastingHorizon | None
    _y: pd.DataFrame | None
    _X: pd.DataFrame | None
    _y_metadata: dict[str, Any] | list
    _X_metadata: dict[str, Any] | list
    _y_mtype_last_seen: str
    _X_mtype_last_seen: str
    _y_inner_mtype: str
    _converter_store_X: dict[str, Any]
    _converter_store_y: dict[str, Any]
    _estimator_type: str
    _class_dictionary: dict[Any, int]
    n_classes_: int
    fit_time_: int

    def _check_state(self) -> None:
        unknown = set(getattr(self, "_pretrained_attrs", ())) - set(vars(self))
        if unknown:
            raise ValueError(f"_pretrained_attrs names {sorted(unknown)}, which are not there")

    def save(self, path: Any = None, serialization_format: str = "pickle") -> Any:
        """Write the estimator, fitted or not, into one file or into memory.

        Parameters
        ----------
        path : str, path or None
            A name with an ending, such as ``.safetensors``, gets a file without code, for `load`.
            None, a name without an ending and ``.zip`` are sktime's: a tuple or a zip file of
            pickles, for `sktime.base.load`. Loading a pickle executes the code in it: do that only
            with files of people whom you trust.
        serialization_format : str, default="pickle"
            Of sktime's way.

        Returns
        -------
        None, or what sktime returns

        Raises
        ------
        TypeError
            If a parameter is of a type that a file without code cannot hold, such as a callback.
        """
        if path is not None:
            check_path(path)
        if path is None or Path(path).suffix in _SKTIME_SUFFIXES:
            # sktime adds the ending, and looks for the file under the name without it.
            bare = None if path is None else Path(path).with_suffix("")
            return super(SavedEstimator, self).save(bare, serialization_format)  # type: ignore[misc]
        return save_estimator(self, path)
