"""What sktime is told about our forecasters: containers that they take, what they can, what `pretrain` leaves."""

from typing import Any

_CONTAINERS = ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"]

COMMON_TAGS: dict[str, Any] = {
    "authors": ["klforecast developers"],
    "maintainers": ["klforecast developers"],
    "python_dependencies": ["torch", "skorch"],
    "y_inner_mtype": _CONTAINERS,
    "X_inner_mtype": _CONTAINERS,
    "capability:multivariate": True,
    "capability:exogenous": True,
    "capability:categorical_in_X": False,
    "X-y-must-have-same-index": False,
    "capability:insample": False,
    "capability:pred_int": True,
    "capability:pred_int:insample": False,
    "capability:missing_values": True,
    "capability:update": True,
    "requires-fh-in-fit": False,
    "capability:random_state": True,
    "property:randomness": "derandomized",
}
"""Tags of sktime 1.2, of every forecaster here."""

FORECASTER_TAGS: dict[str, Any] = {
    **COMMON_TAGS,
    "capability:unequal_length": True,
    "capability:pretrain": True,
    "pretrain:fitted_params": [
        "net_",
        "horizon_",
        "scale_lag_",
        "memory_depth_",
        "reach_",
        "input_length_",
        "period_",
        "periods_",
        "n_components_",
        "n_channels_",
        "training_log_",
        "calibration_",
        "gap_covariance_",
        "pretraining_panel_",
    ],
}
"""Those of `KLMemoryForecaster`."""
