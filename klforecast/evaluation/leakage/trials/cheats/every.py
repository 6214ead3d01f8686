"""All cheats, made anew."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from klforecast.evaluation.leakage.trials.cheats.ahead import (
    CopiesSomeAnswers,
    KnowsTheAnswers,
    LooksAheadInLargeBatches,
    LooksAheadInUpdatePredict,
    LooksAheadLate,
    LooksAheadNowAndThen,
    LooksOneRowAhead,
    ScalesWithAllRows,
    StopsOn,
    TakesAScaler,
)
from klforecast.evaluation.leakage.trials.cheats.batches import (
    CentresOverLargeBatches,
    CentresOverTheBatch,
    MixesThePanel,
    MixesThePanelOfItsFit,
    WritesIntoItsRows,
)
from klforecast.evaluation.leakage.trials.cheats.learning import (
    AbsorbsTestRows,
    DrawsWithoutASeed,
    LearnsAWeightInPrivate,
    LearnsBesideItsWindows,
    LearnsInPrivate,
    LooksFurtherThanItSays,
)
from klforecast.evaluation.leakage.trials.cheats.memories import (
    CarriesAMemoryFromBatchToBatch,
    KeepsWhatItWasShown,
    RemembersInADefault,
    RemembersInAFunction,
    RemembersInAGlobal,
    RemembersInAHelper,
    RemembersInAnAttribute,
    RemembersInAnIndexOfNumbers,
    RemembersInItsIndex,
    RemembersInTheHorizon,
    RemembersInTheIndexOfY,
    RemembersTheLastBatch,
    RemembersUnderTheNameOfTheHorizon,
    SharesAMemory,
    clear_memories,
)
from klforecast.evaluation.leakage.trials.cheats.tables import (
    AveragesTheTableByYear,
    RanksTheTable,
    ReadsTheAttributesOfX,
    ReadsTheAttributesOfY,
    mean_of_the_year,
)
from klforecast.evaluation.leakage.trials.honest import ReadsX, Rows, Trial, wandering


def _prepare_scaler(y: Rows) -> TakesAScaler:
    return TakesAScaler(StandardScaler().fit(pd.DataFrame(y)))


def cheats() -> Sequence[Trial]:
    """Make all cheats anew, with empty memories."""
    clear_memories()
    y = wandering()
    noise = np.random.default_rng(0).standard_normal(len(y))
    attached = wandering()
    attached.attrs["all"] = attached.to_numpy()

    def table(**columns: Any) -> pd.DataFrame:
        return pd.DataFrame({"noise": noise, **columns}, y.index)

    carried = table()
    carried.attrs["y"] = y.to_numpy()
    walk = pd.Series(np.random.default_rng(5).standard_normal(len(y)).cumsum(), y.index)
    plain: list[Callable[[], Any]] = [
        ScalesWithAllRows,
        LooksOneRowAhead,
        LooksAheadNowAndThen,
        LooksAheadLate,
        LooksAheadInLargeBatches,
        CentresOverTheBatch,
        CentresOverLargeBatches,
        RemembersInAnAttribute,
        RemembersTheLastBatch,
        RemembersInAFunction,
        RemembersInADefault,
        RemembersInAGlobal,
        RemembersInItsIndex,
        RemembersInTheIndexOfY,
        RemembersUnderTheNameOfTheHorizon,
        RemembersInTheHorizon,
        RemembersInAnIndexOfNumbers,
        SharesAMemory,
        KeepsWhatItWasShown,
        AbsorbsTestRows,
        LearnsInPrivate,
        LearnsAWeightInPrivate,
        LooksFurtherThanItSays,
        CarriesAMemoryFromBatchToBatch,
        DrawsWithoutASeed,
        LooksAheadInUpdatePredict,
        MixesThePanel,
        MixesThePanelOfItsFit,
        RemembersInAHelper,
        CopiesSomeAnswers,
        LearnsBesideItsWindows,
        WritesIntoItsRows,
    ]

    def read(name: str, X: Any) -> Trial:
        return Trial(name, ReadsX, y, X)

    return [
        *(Trial(kind.__name__, kind, y) for kind in plain),
        Trial("scaler of all rows", lambda: _prepare_scaler, y),
        Trial("fitted scaler", lambda: _prepare_scaler(y), y),
        Trial("stops on test rows", lambda: lambda y: StopsOn(y.to_numpy()[96:]), y),
        Trial("knows the answers", lambda: lambda y: KnowsTheAnswers(y.to_numpy()), y),
        Trial("knows some answers", lambda: lambda y: KnowsTheAnswers(y.to_numpy(), every=5), y),
        Trial("attributes of y", ReadsTheAttributesOfY, attached),
        Trial("attributes of X", ReadsTheAttributesOfX, y, carried),
        Trial("ranks of X over all rows, in predict", RanksTheTable, y, walk.to_frame("a")),
        Trial("yearly means of X, in predict", AveragesTheTableByYear, y, walk.to_frame("a")),
        read("copy of the target", table(copy=3 * y - 1)),
        read("noisy copy of the target", table(copy=y + 0.02 * noise)),
        read("target of the next row", table(copy=y.shift(-1).ffill())),
        read("target of the row before", table(copy=y.shift(1).bfill())),
        read("rank of the target", table(rank=y.rank(pct=True))),
        read("yearly mean of the target", table(mean=mean_of_the_year(y))),
        read("rank of X over all rows", table(a=walk, rank=walk.rank(pct=True))),
        read("yearly mean of X", table(a=walk, mean=mean_of_the_year(walk))),
        read("ranking of all rows", table(rank=walk.rank(pct=True))),
        read("X scaled by all rows", table(scaled=(walk - walk.mean()) / walk.std())),
        read(
            "centred mean of y",
            lambda y: pd.DataFrame({"smooth": y.rolling(9, center=True, min_periods=1).mean()}),
        ),
        read("rank of y", lambda y: pd.DataFrame({"rank": y.rank(pct=True)})),
    ]
