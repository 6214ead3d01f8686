"""The contracts of the forecaster, and for each a forecaster that breaks it and is found out."""

import io
import pickle
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed
from sktime.forecasting.base import BaseForecaster

from klforecast.estimators.forecaster import KLMemoryForecaster

LINEAR = {"horizon": 6, "input_length": 12, "memory_depth": 36, "period": 12, "random_state": 0}
TINY = {
    "encoder": "transformer",
    "d_model": 4,
    "n_layers": 1,
    "n_heads": 1,
    "max_epochs": 2,
    "n_components": 2,
    "local_experts": False,
}
SETTINGS = {"linear": LINEAR, "transformer": LINEAR | TINY}
FH = range(1, 7)


class WithNeighbours(torch.nn.Module):
    """A module whose windows learn of each other."""

    def __init__(self, module, of_pasts=0.0, of_forecasts=0.0):
        super().__init__()
        self.module, self.of_pasts, self.of_forecasts = module, of_pasts, of_forecasts

    def forward(self, past):
        forecast = self.module(past - self.of_pasts * past.mean(dim=0))
        return forecast + self.of_forecasts * forecast.mean(dim=0)


def change_weights(forecaster, amount):
    for parameter in forecaster.net_.module_.parameters():
        parameter.data.add_(amount)


class Contract:
    """One promise: `check` fails where it is not kept, and `Broken` does not keep it."""

    def __init__(self, hourly, state_of, tmp_path):
        self.y = hourly
        self.state_of = state_of
        self.folder = tmp_path


class NothingAfterTheCutoffIsRead(Contract):
    def check(self, make):
        forecaster = make().fit(self.y[:300])
        cutoffs = [300, 310, 390]
        clean = forecaster.predict_windows(self.y, cutoffs)
        for position, cutoff in enumerate(cutoffs):
            changed = self.y.copy()
            changed.iloc[cutoff:] = 1e6
            np.testing.assert_array_equal(
                forecaster.predict_windows(changed, cutoffs)[position], clean[position]
            )

    class Broken(KLMemoryForecaster):
        def predict_windows(self, y, cutoffs):
            return super().predict_windows(y, np.asarray(cutoffs) + 1)


class WindowsOfABatchDoNotMeet(Contract):
    def check(self, make):
        forecaster = make().fit(self.y[:300])
        cutoffs = np.arange(301, 341)
        together = forecaster.predict_windows(self.y, cutoffs)
        backwards = forecaster.predict_windows(self.y, cutoffs[::-1])[::-1]
        alone = np.concatenate([forecaster.predict_windows(self.y, [cutoff]) for cutoff in cutoffs])
        np.testing.assert_allclose(backwards, together, rtol=1e-10)
        np.testing.assert_allclose(alone, together, rtol=1e-10)

    class Broken(KLMemoryForecaster):
        def _reader(self):
            reader = super()._reader()
            return reader._replace(module=WithNeighbours(reader.module, of_forecasts=1e-6))


class BatchesOfEverySizeGiveTheSame(Contract):
    def check(self, make):
        forecaster = make().fit(self.y[:300])
        cutoffs = np.arange(301, 341)
        together = forecaster.predict_windows(self.y, cutoffs)
        with pytest.MonkeyPatch.context() as patch:
            # Three windows of 36 steps and two channels at a time.
            patch.setattr("klforecast.estimators.frames.context._VALUES_PER_BATCH", 3 * 36 * 2)
            in_parts = forecaster.predict_windows(self.y, cutoffs)
        np.testing.assert_allclose(in_parts, together, rtol=1e-10)

    class Broken(KLMemoryForecaster):
        def _reader(self):
            reader = super()._reader()
            return reader._replace(module=WithNeighbours(reader.module, of_pasts=1.0))


class FitStartsFromNothing(Contract):
    def check(self, make):
        first, second = self.y[:200], 3 * self.y[150:350]
        anew = make().fit(second)
        again = make().fit(first).update(self.y[200:210]).fit(second)
        assert self.state_of(again.net_.module_) == self.state_of(anew.net_.module_)
        np.testing.assert_array_equal(again.predict(fh=FH), anew.predict(fh=FH))

    class Broken(KLMemoryForecaster):
        def _learn(self):
            # sktime's reset spares attributes with two underscores in their name.
            given = self._rows
            self._rows = getattr(self, "seen__before", given)
            super()._learn()
            self.seen__before = self._rows = given


class CloneAndSetParamsCarryNothing(Contract):
    def check(self, make):
        fitted = make().fit(self.y[:200])
        empty = self.without_config(make())
        assert self.without_config(fitted.clone()) == empty
        assert self.without_config(fitted.set_params(random_state=0)) == empty

    def without_config(self, forecaster):
        # sktime spells out the defaults of its configuration in a clone.
        state = self.state_of(forecaster)
        return {path: value for path, value in state.items() if "_config" not in path}

    class Broken(KLMemoryForecaster):
        def _learn(self):
            super()._learn()
            self.kept__scalers = self.scalers_


class AFailedCallLeavesNoTrace(Contract):
    def check(self, make):
        bad = self.y[200:300].copy()
        bad.iloc[50, 0] = np.inf
        fitted = make().fit(self.y[:200])
        gap = self.y[250:300]
        for forecaster, method, rows in [
            (make(), "fit", bad),
            (fitted, "fit", bad),
            (fitted, "fit_predict", bad),
            (fitted, "update", bad),
            (fitted, "update", gap),
            (fitted, "update_predict_single", gap),
            (fitted, "pretrain", pd.concat({"a": bad})),
        ]:
            before = self.state_of(forecaster)
            with pytest.raises(ValueError, match=r"not finite|no row for"):
                getattr(forecaster, method)(rows)
            assert self.state_of(forecaster) == before

    class Broken(KLMemoryForecaster):
        fit = BaseForecaster.fit
        update = BaseForecaster.update


class AFitThatIsKilledLeavesNoTrace(Contract):
    def check(self, make):
        forecaster = make().fit(self.y[:200])
        before = self.state_of(forecaster)
        with pytest.MonkeyPatch.context() as patch:

            def killed(*_, **__):
                raise KeyboardInterrupt

            patch.setattr("klforecast.estimators.forecaster.IntervalLevels.start", killed)
            patch.setattr("klforecast.estimators.stages.refit", killed)
            for method, rows in [("fit", self.y[:300]), ("update", self.y[200:300])]:
                with pytest.raises(KeyboardInterrupt):
                    getattr(forecaster, method)(rows)
                assert self.state_of(forecaster) == before

    Broken = AFailedCallLeavesNoTrace.Broken


class ReadingWritesNothing(Contract):
    def check(self, make):
        forecaster = make().fit(self.y[:300], fh=FH)
        before = self.state_of(forecaster)
        forecaster.predict()
        forecaster.predict_windows(self.y, [200, 300])
        forecaster.get_fitted_params()
        forecaster.score(self.y[300:306])
        assert self.state_of(forecaster) == before

    class Broken(KLMemoryForecaster):
        def _reader(self):
            change_weights(self, 1e-7)
            return super()._reader()


class UpdateWithoutParamsMovesTheContextAlone(Contract):
    def check(self, make):
        forecaster = make().fit(self.y[:300])
        learned = self.state_of([forecaster.net_, forecaster.scalers_])
        stale = forecaster.predict(fh=FH)
        frozen = make().fit(self.y[:300]).predict_windows(self.y, [310])[0]
        forecaster.update(self.y[300:310], update_params=False)
        fresh = forecaster.predict(fh=FH)
        assert self.state_of([forecaster.net_, forecaster.scalers_]) == learned
        assert not np.array_equal(fresh, stale)
        np.testing.assert_array_equal(fresh, frozen)

    class Broken(KLMemoryForecaster):
        def _update(self, y, X=None, update_params=True):
            return super()._update(y, X, update_params=True)


class UpdateWithoutParamsReadsTheNewRows(UpdateWithoutParamsMovesTheContextAlone):
    class Broken(KLMemoryForecaster):
        def _known_rows(self):
            known = super()._known_rows()
            rows = known[()].values.copy()
            rows[-10:] = rows[-20:-10]
            return {(): known[()]._replace(values=rows)}


class UpdateWithParamsLearnsTheNewRows(Contract):
    def check(self, make):
        updated = make().fit(self.y[:300]).update(self.y[300:350], update_params=True)
        anew = make().fit(self.y[:350])
        np.testing.assert_allclose(updated.predict(fh=FH), anew.predict(fh=FH), rtol=1e-9)

    class Broken(KLMemoryForecaster):
        def _update(self, y, X=None, update_params=True):
            return self


class OneSeedGivesTheSameNumbers(Contract):
    def check(self, make):
        forecaster = make().fit(self.y[:300])
        expected = forecaster.predict(fh=FH)
        thawed = pickle.loads(pickle.dumps(forecaster))
        np.testing.assert_array_equal(thawed.predict(fh=FH), expected)
        np.testing.assert_array_equal(make().fit(self.y[:300]).predict(fh=FH), expected)
        np.testing.assert_array_equal(forecaster.clone().fit_predict(self.y[:300], fh=FH), expected)

    class Broken(KLMemoryForecaster):
        def _learn(self):
            super()._learn()
            change_weights(self, 1e-6 * torch.randn(()))


class GlobalGeneratorsAreLeftAlone(Contract):
    def check(self, make):
        def draw():
            return torch.get_rng_state().numpy().tobytes(), repr(np.random.mtrand._rand.get_state())

        before = draw()
        forecaster = make().fit(self.y[:300])
        forecaster.predict(fh=FH)
        forecaster.update(self.y[300:310])
        assert draw() == before

    class Broken(KLMemoryForecaster):
        def _learn(self):
            torch.manual_seed(0)
            super()._learn()


class NothingIsPrinted(Contract):
    def check(self, make):
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            make().fit(self.y[:300]).update(self.y[300:310]).predict(fh=FH)
        assert printed.getvalue() == ""

    class Broken(KLMemoryForecaster):
        def _learn(self):
            super()._learn()
            print("epoch 1")


class NothingIsWrittenToDisk(Contract):
    def check(self, make):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            make().fit(self.y[:300]).update(self.y[300:310]).predict(fh=FH)
            assert not list(self.folder.iterdir())

    class Broken(KLMemoryForecaster):
        def _learn(self):
            super()._learn()
            Path("checkpoint.pt").write_bytes(b"")


class NothingIsSharedBetweenForecasters(Contract):
    def check(self, make):
        alone = make().fit(self.y[:200]).predict(fh=FH)
        left, right = make(), make()
        left.fit(self.y[:200])
        right.fit(5 - self.y[100:300])
        right.update(5 - self.y[300:320])
        np.testing.assert_array_equal(left.predict(fh=FH), alone)

    class Broken(KLMemoryForecaster):
        shared = {}

        def _learn(self):
            super()._learn()
            self.shared.update(self.scalers_)
            self.scalers_ = self.shared


CONTRACTS = [
    *Contract.__subclasses__(),
    *UpdateWithoutParamsMovesTheContextAlone.__subclasses__(),
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_the_contract_is_kept(contract, settings, hourly, state_of, tmp_path):
    contract(hourly, state_of, tmp_path).check(lambda: KLMemoryForecaster(**SETTINGS[settings]))


@pytest.mark.parametrize(
    "contract",
    [
        NothingAfterTheCutoffIsRead,
        WindowsOfABatchDoNotMeet,
        FitStartsFromNothing,
        ReadingWritesNothing,
        OneSeedGivesTheSameNumbers,
    ],
    ids=lambda contract: contract.__name__,
)
def test_a_memory_of_the_training_run_keeps_the_contract(contract, hourly, state_of, tmp_path):
    settings = SETTINGS["transformer"] | {"memory": "trajectory"}
    contract(hourly, state_of, tmp_path).check(lambda: KLMemoryForecaster(**settings))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_breaking_the_contract_is_noticed(contract, hourly, state_of, tmp_path):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        contract(hourly, state_of, tmp_path).check(lambda: contract.Broken(**LINEAR))


def fit_and_forecast(y: pd.DataFrame, settings: dict) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return KLMemoryForecaster(**settings).fit(y).predict(fh=FH).to_numpy()


@pytest.mark.parametrize("settings", SETTINGS)
def test_workers_give_the_numbers_of_the_main_process(settings, hourly):
    here = fit_and_forecast(hourly, SETTINGS[settings])
    job = delayed(fit_and_forecast)
    there = Parallel(n_jobs=2)(job(hourly, SETTINGS[settings]) for _ in range(2))
    for forecast in there:
        np.testing.assert_array_equal(forecast, here)
