"""Generated hostile files: each is refused in a sentence, and nothing but reading happens.

A case takes the state of a genuine file and breaks it in a random place: names of classes, dunders
and paths, options of constructors, types, sizes, depth, tensors. `KLFORECAST_HOSTILE_FILES` sets how
many cases are run; 2,000 take half a minute of one core.
"""

import copy
import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from klforecast import (
    KarhunenLoeve,
    KLMemoryDetector,
    KLMemoryForecaster,
    KLMemoryRegressor,
    LongForecaster,
    SpectralFeatures,
    SpectralPanelFeatures,
    SpectralSSMClassifier,
    SpectralSSMPanelClassifier,
    SpectralSSMPanelRegressor,
    SpectralSSMRegressor,
)

N_CASES = int(os.environ.get("KLFORECAST_HOSTILE_FILES", "300"))
TINY = {"horizon": 2, "input_length": 4, "memory_depth": 8, "period": 1}
NET = {"encoder": "transformer", "d_model": 4, "n_layers": 1, "n_heads": 1, "patch_length": 2}
NAMES = (
    "module",
    "criterion",
    "optimizer",
    "iterator_train",
    "callbacks__print_log",
    "__class__",
    "__reduce__",
    "__setstate__",
    "os.system",
    "builtins.eval",
    "functools.partial",
    "torch.load",
    "../../etc/passwd",
    "dateutil//etc/passwd",
    "",
    "$",
)
RECORDS = (
    *NAMES,
    "EncoderNet",
    "LinearNet",
    "SequenceNet",
    "LinearCore",
    "partial",
    "dtype",
    "ForecastModule",
    "KLMemoryForecaster",
    "RandomState",
    "type",
    "object",
)
WRITES = ("os.", "subprocess.", "pickle.", "shutil.", "socket.", "ctypes.", "code.")


@pytest.fixture(scope="module")
def genuine(crafted, tmp_path_factory):
    """Class, state and tensors of files of every kind."""
    rng = np.random.default_rng(0)
    y = pd.DataFrame(
        rng.normal(size=(60, 2)), pd.date_range("2024-03-01", periods=60, tz="Europe/Berlin")
    )
    panel = pd.concat({"a": y.tz_localize(None), "b": 2 * y[:50].tz_localize(None)})
    x = pd.DataFrame({"x": np.arange(60.0), "late": rng.normal(size=60)}, y.index)
    rows, labels = rng.normal(size=(12, 20)), np.repeat(["a", "b"], 6)
    networks = {"d_model": 4, "n_layers": 1, "n_modes": 2, "n_heads": 1, "n_estimators": 1}
    fitted = [
        KLMemoryForecaster(**TINY).fit(y, fh=[1, 2]),
        KLMemoryForecaster(**TINY, past_covariates=["late"]).fit(y + x[["x"]].to_numpy(), X=x),
        KLMemoryForecaster(**TINY).fit(panel),
        KLMemoryForecaster(**TINY, **NET, max_epochs=1, random_state=np.random.RandomState(0)).fit(
            y
        ),
        KarhunenLoeve(2).fit(pd.DataFrame(rows, columns=list(map(str, range(20))))),
        KLMemoryRegressor(2).fit(rows, rows[:, :2]),
        SpectralSSMClassifier(n_filters=32).fit(rows, labels),
        SpectralSSMClassifier(
            "gradient", **networks, n_filters=32, max_epochs=1, random_state=0
        ).fit(rows, labels),
        SpectralSSMPanelClassifier(n_filters=32).fit(rows[:, None], labels),
        SpectralSSMPanelRegressor(32).fit(rows[:, None], rows[:, 0]),
        SpectralSSMRegressor(32).fit(rows, rows[:, 0]),
        SpectralFeatures(32).fit(rows),
        SpectralPanelFeatures(32).fit(rows[:, None]),
        KLMemoryDetector(forecaster=KLMemoryForecaster(**TINY, local_experts=False)).fit(panel),
        LongForecaster(KLMemoryForecaster(**TINY)).fit(
            pd.DataFrame({"unique_id": "a", "ds": range(20), "y": rows[0]})
        ),
    ]
    path = tmp_path_factory.mktemp("genuine") / "model.safetensors"
    parts = []
    for estimator in fitted:
        estimator.save(path)
        parts.append((type(estimator), *crafted.read_parts(path)[:2]))
    return parts


class Places:
    """Every value of a state, with what holds it."""

    def __init__(self, state):
        self.all = []
        self._walk(state)

    def _walk(self, tree):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            self.all.append((tree, key))
            if isinstance(part, dict | list):
                self._walk(part)

    def draw(self, rng, fits):
        found = [place for place in self.all if fits(*place)]
        return found[rng.integers(len(found))] if found else (None, None)


def foreign_field(rng, places, state, tensors):
    holder, key = places.draw(rng, lambda holder, key: isinstance(holder[key], dict))
    holder[key][NAMES[rng.integers(len(NAMES) - 2)]] = "x"


def foreign_record(rng, places, state, tensors):
    holder, _ = places.draw(rng, lambda holder, key: key == "$")
    if holder is None:
        return foreign_field(rng, places, state, tensors)
    others = [name for name in RECORDS if name != holder["$"]]
    holder["$"] = others[rng.integers(len(others))]
    return None


def foreign_option(rng, places, state, tensors):
    holder, key = places.draw(rng, lambda holder, key: key == "options")
    if holder is None:
        return foreign_field(rng, places, state, tensors)
    holder[key]["keys"].append(NAMES[rng.integers(5)])
    holder[key]["values"].append({"$": "dtype", "name": "load"})
    return None


def foreign_attribute(rng, places, state, tensors):
    others = ("net_", "model_", "__dict__", "__class__", "predict", "save", "_check_state")
    unknown = [name for name in others if name not in state["fitted"]]
    state["fitted"][unknown[rng.integers(len(unknown))]] = {"$": "dtype", "name": "load"}


def far_too_deep(rng, places, state, tensors):
    holder, key = places.draw(rng, lambda holder, key: True)
    depth = int(rng.choice([150, 900, 100_000]))
    holder[key] = "DEEP"
    return json.dumps(state).replace('"DEEP"', "[" * depth + "]" * depth, 1)


def huge_number(rng, places, state, tensors):
    holder, key = places.draw(
        rng, lambda holder, key: type(holder[key]) is int and key not in ("shape",)
    )
    holder[key] = int(rng.choice([1, -1])) * 10 ** int(rng.integers(25, 4000))


def huge_index(rng, places, state, tensors):
    holder, key = places.draw(rng, lambda holder, key: key in ("count", "stop"))
    if holder is None or holder[key] is None or "step" not in holder:
        return huge_number(rng, places, state, tensors)
    holder[key] = int(10 ** rng.integers(10, 18))
    return None


def huge_net(rng, places, state, tensors):
    holder, key = places.draw(
        rng,
        lambda holder, key: key == "options" and any("d_model" in n for n in holder[key]["keys"]),
    )
    if holder is None:
        return huge_number(rng, places, state, tensors)
    names = holder[key]["keys"]
    sizes = [n for n in names if n.rpartition("__")[2] in ("d_model", "n_layers", "n_channels")]
    holder[key]["values"][names.index(sizes[rng.integers(len(sizes))])] = int(
        10 ** rng.integers(3, 18)
    )
    return None


def absent_tensor(rng, places, state, tensors):
    holder, key = places.draw(
        rng, lambda holder, key: key == "name" and holder.get("$") in ("tensor", "array")
    )
    holder[key] = [None, "nowhere", "../model", 3, ["a"]][rng.integers(5)]


def broken_text(rng, places, state, tensors):
    text = json.dumps(state)
    place = int(rng.integers(1, len(text) - 1))
    return [text[:place], text + "{}", text.replace(": ", ": NaN, ", 1), "[]", "null", ""][
        rng.integers(6)
    ]


def no_class(rng, places, state, tensors):
    holder, key = places.draw(rng, lambda holder, key: isinstance(holder[key], dict))
    holder[key] = {"$": [None, 3, [], {}, "list", "int", "str", "NoneType"][rng.integers(8)]}


def another_value(rng, places, state, tensors):
    """May be what a file of another fit says: another label, another number."""
    holder, key = places.draw(rng, lambda holder, key: True)
    source, name = places.draw(rng, lambda holder, key: True)
    strange = [
        None,
        True,
        "x",
        -1,
        0,
        2**62,
        1e300,
        [],
        {},
        {"$": "dict", "keys": [], "values": []},
    ]
    other = copy.deepcopy(source[name])
    holder[key] = other if rng.random() < 0.5 else strange[rng.integers(len(strange))]


def another_tensor(rng, places, state, tensors):
    """May be what a file of another fit holds."""
    name = list(tensors)[rng.integers(len(tensors))]
    shape = [(), (0,), (3,), tuple(tensors[name].shape), (2, 1, 2, 1)][rng.integers(5)]
    dtype = [torch.float64, torch.float32, torch.int64, torch.bool][rng.integers(4)]
    tensors[name] = torch.ones(shape, dtype=dtype)


def a_part_less(rng, places, state, tensors):
    """May be a part that older files do not have, or an estimator that is not fitted."""
    holder, key = places.draw(rng, lambda holder, key: isinstance(holder, dict) or len(holder) > 0)
    del holder[key]


ALWAYS_REFUSED = (
    foreign_field,
    foreign_record,
    foreign_option,
    foreign_attribute,
    far_too_deep,
    huge_number,
    huge_index,
    huge_net,
    absent_tensor,
    broken_text,
    no_class,
)
MAYBE_REFUSED = (another_value, another_tensor, a_part_less)


class Watch:
    """Remembers what is done to the system while it looks."""

    def __init__(self):
        self.seen = None
        sys.addaudithook(self._hook)

    def _hook(self, event, arguments):
        if self.seen is None:
            return
        writes = event == "open" and set(str(arguments[1])) & set("wax+")
        if writes or event.startswith(WRITES):
            self.seen.append((event, arguments))


WATCH = Watch()


def load_watched(kind, path):
    """What comes of loading: an estimator or an error; and what was done on the way."""
    WATCH.seen = done = []
    try:
        return kind.load(path), done
    except Exception as error:
        return error, done
    finally:
        WATCH.seen = None


@pytest.mark.parametrize("part", range(10))
def test_hostile_files_are_refused_and_nothing_is_run(part, genuine, crafted, tmp_path):
    path = tmp_path / "hostile.safetensors"
    for case in range(part * N_CASES // 10, (part + 1) * N_CASES // 10):
        rng = np.random.default_rng(case)
        kind, state, tensors = copy.deepcopy(genuine[rng.integers(len(genuine))])
        breaks = (*ALWAYS_REFUSED, *MAYBE_REFUSED)[case % 14]
        text = breaks(rng, Places(state), state, tensors)
        content = state if text is None else text
        version = 3 - case // 14 % 3
        crafted.write_parts(path, content, tensors, kind.__name__, version)
        outcome, done = load_watched(kind, path)
        assert not done, (case, breaks.__name__, done)
        if breaks in ALWAYS_REFUSED or isinstance(outcome, Exception):
            assert type(outcome) is ValueError, (case, breaks.__name__, outcome)
            assert "is refused" in str(outcome), (case, breaks.__name__, outcome)
        else:
            assert type(outcome) is kind


def test_the_watch_sees_what_code_would_do(tmp_path):
    class Writes:
        load = staticmethod(lambda path: path.write_text("x"))

    _, done = load_watched(Writes, tmp_path / "file")
    assert [event for event, _ in done] == ["open"]


def test_genuine_states_load_as_they_are(genuine, crafted, tmp_path):
    for kind, state, tensors in genuine:
        crafted.write_parts(tmp_path / "again", state, tensors, kind.__name__)
        outcome, done = load_watched(kind, tmp_path / "again")
        assert type(outcome) is kind, outcome
        assert not done
