"""The memory of an encoder apart from that of the core: through fit, clone, search, save and load."""

import numpy as np
import pytest
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.split import SingleWindowSplitter

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.memory_options import MemoryOptions
from klforecast.modules.memory.presets import PRESETS

FH = [1, 2, 5]
TINY = {
    "encoder": "nlinear",
    "horizon": 5,
    "input_length": 12,
    "memory_depth": 24,
    "period": 6,
    "n_components": 2,
    "d_model": 4,
    "n_heads": 2,
    "patch_length": 4,
    "max_epochs": 2,
    "batch_size": 16,
    "random_state": 0,
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:The default of config ``remember_data``:FutureWarning"),
    # Two epochs of a tiny network can be no better than none.
    pytest.mark.filterwarnings("ignore:the memory of the training run is empty:UserWarning"),
]


@pytest.fixture(scope="module")
def y(hourly):
    return hourly[:110]


def make(memory_options=None, **changes):
    return KLMemoryForecaster(memory_options=memory_options, **TINY | changes)


def search(forecaster, grid, y):
    splitter = SingleWindowSplitter(fh=FH, window_length=100)
    return ForecastingGridSearchCV(forecaster, splitter, grid, backend=None).fit(y)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_published_variant_runs_through_the_forecaster_and_copies_agree(preset, y, tmp_path):
    forecaster = make(preset).fit(y)
    memory, wanted = forecaster.net_.module_.memory, PRESETS[preset]
    assert (memory.source, memory.memory_depth) == ("trajectory", wanted["memory_depth"])
    assert (memory.n_components, memory.memory_tokens, memory.writer) == (
        wanted["n_components"],
        wanted["memory_tokens"],
        wanted["writer"],
    )
    forecast = forecaster.predict(fh=FH)
    forecaster.save(tmp_path / "saved.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "saved.safetensors")
    again = forecaster.clone().fit(y)
    for copy in (loaded, again):
        np.testing.assert_array_equal(copy.predict(fh=FH), forecast)
        assert copy.get_params() == forecaster.get_params()


def test_variants_and_options_are_searched(y):
    found = search(make("v1"), {"memory_options": list(PRESETS)}, y)
    assert found.cv_results_["mean_test_MeanAbsolutePercentageError"].notna().all()
    options = MemoryOptions(source="history", strategy="kernel")
    found = search(make(options), {"memory_options__tau": [1.0, 50.0]}, y)
    assert found.cv_results_["mean_test_MeanAbsolutePercentageError"].nunique() == 2
    assert options.tau == 64.0


def test_options_of_a_memory_survive_a_file(y, tmp_path):
    options = MemoryOptions(strategy="kernel", kernel="matern", tau=3.0, center=True, row_length=4)
    forecaster = make(options).fit(y)
    store = forecaster.net_.module_.memory.store
    assert (store.kernel, store.tau, store.center, store.memory_depth) == ("matern", 3.0, True, 3)
    forecaster.save(tmp_path / "saved.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "saved.safetensors")
    assert loaded.memory_options == options
    assert loaded.net_.module_.memory.store.tau == 3.0
    np.testing.assert_array_equal(loaded.predict(fh=FH), forecaster.predict(fh=FH))


def test_what_tokens_add_to_a_core_with_a_history_can_be_asked(y):
    cores = []
    for source in ("none", "history", "trajectory"):
        module = make(MemoryOptions(source=source)).fit(y).net_.module_
        assert (module.memory.source if module.memory else "none") == source
        cores.append(module.core.modes)
    assert all(core.numel() and core.equal(cores[0]) for core in cores)
    assert not make(memory="none").fit(y).net_.module_.core.modes.numel()


def test_sizes_of_core_and_encoder_are_set_apart(y):
    options = MemoryOptions(n_components=1, memory_tokens=3, memory_depth=42, token_mixer="dense")
    module = make(options, n_components=5).fit(y).net_.module_
    assert module.core.modes.shape == (12, 6)  # five components and the level
    assert (module.memory.n_components, module.memory.memory_tokens) == (1, 3)
    assert (module.history_length, module.core.depth) == (30, 24)


def test_options_left_open_are_those_of_the_forecaster(y):
    plain, opened = make().fit(y), make(MemoryOptions()).fit(y)
    np.testing.assert_array_equal(opened.predict(fh=FH), plain.predict(fh=FH))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("v9", r"memory_options is 'v9'; pass one of 'v1'.*'spectral-memory'"),
        ({"tau": 3.0}, r"memory_options is \{'tau': 3.0\}; pass MemoryOptions"),
        (MemoryOptions(tau=0.0), r"memory_options.tau is 0.0"),
        (MemoryOptions(tau="long"), r"memory_options.tau is 'long'"),
        (MemoryOptions(kernel="cubic"), r"memory_options.kernel is 'cubic'.*'matern'"),
        (MemoryOptions(source="future"), r"memory_options.source is 'future'"),
        (MemoryOptions(n_components=0), r"memory_options.n_components is 0"),
        (MemoryOptions(n_components=10**6), r"memory_options.n_components=1000000 is far more"),
        (MemoryOptions(detach=1), r"memory_options.detach is 1; pass True or False"),
        (MemoryOptions(memory_depth=12), r"memory_options.memory_depth=12 .*input_length=12"),
        (MemoryOptions.preset("v1", solver="online"), r"solver='online'.*'kernel'"),
        (
            MemoryOptions(source="trajectory", solver="online", detach=False),
            r"detach=False.*solver='exact'",
        ),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options, message, y):
    with pytest.raises((TypeError, ValueError), match=message):
        make(options).fit(y)


def test_the_closed_form_has_no_memory_of_an_encoder(y):
    with pytest.raises(ValueError, match="encoder='linear' has none; pass another encoder"):
        make("v4", encoder="linear").fit(y)


def test_a_kernel_over_very_many_rows_is_refused_before_it_is_made(y):
    options = MemoryOptions.preset("v1", memory_depth=5000)
    with pytest.raises(ValueError, match=r"a kernel over 5000 rows .*at most 4096"):
        make(options).fit(y)
