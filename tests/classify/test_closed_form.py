import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from klforecast.classify import filter_features, kinds_ridge
from klforecast.classify.closed_form import ClosedFormClassifier, choose_mixture
from klforecast.classify.filter_features import KINDS, MODES_PER_GROUP, FilterFeatures
from klforecast.classify.interval_features import IntervalFeatures


def waves(n, seed, lengths=(50,), n_channels=1):
    """Series of two frequencies in noise, and which of the two it is."""
    rng = np.random.default_rng(seed)
    labels = torch.arange(n) % 2
    series = []
    for label in labels.tolist():
        t = np.arange(rng.choice(lengths))
        wave = np.sin(2 * np.pi * t * (0.06, 0.09)[label] + rng.uniform(0, 6))
        values = wave + 0.5 * rng.normal(size=(n_channels, len(t)))
        series.append(torch.from_numpy(values))
    return series, labels


EVEN = torch.ones(2)


@pytest.mark.parametrize("lengths", [(50,), (33, 50, 64)])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_waves_in_noise_are_told_apart(lengths, n_channels):
    model = ClosedFormClassifier(16).fit(*waves(40, 0, lengths, n_channels), EVEN)
    series, labels = waves(60, 1, lengths, n_channels)
    assert (model.scores(series).argmax(1) == labels).double().mean() > 0.9


def test_the_features_of_a_series_do_not_depend_on_the_others():
    series, _ = waves(20, 0, (2, 33, 50))
    features = FilterFeatures(8).fit(series)
    together = features.transform(series)
    alone = features.transform(series[3:4])
    for kind in KINDS:
        assert_close(together[kind][3:4], alone[kind], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n", "length"), [(2, 8_000), (6, 6_000), (20, 3_000)])
def test_few_long_series_are_filtered_within_the_budget_biases_included(n, length, monkeypatch):
    filtered = []
    responses = filter_features._responses

    def counted(blocks, bank, n_groups, family):
        filtered.append(2 * n_groups * MODES_PER_GROUP * int(blocks.lengths.sum()))
        return responses(blocks, bank, n_groups, family)

    monkeypatch.setattr(filter_features, "_responses", counted)
    monkeypatch.setattr(filter_features, "_STEPS_OF_MODES", 4e7)
    series = [torch.linspace(0, 1, length).double()[None].sin() for _ in range(n)]
    FilterFeatures().fit(series).transform(series)
    assert sum(filtered) <= 4e7


def test_units_do_not_matter():
    series, labels = waves(30, 0)
    test, _ = waves(10, 1)
    plain = ClosedFormClassifier(8).fit(series, labels, EVEN).scores(test)
    large = [1e6 * values + 3e6 for values in series]
    scaled = ClosedFormClassifier(8).fit(large, labels, EVEN)
    assert_close(scaled.scores([1e6 * v + 3e6 for v in test]), plain, rtol=1e-4, atol=1e-4)


def test_the_span_of_all_rows_is_the_ridge_itself(monkeypatch):
    series, labels = waves(40, 0)
    test, _ = waves(20, 1)
    direct = ClosedFormClassifier(8).fit(series, labels, EVEN)
    monkeypatch.setattr(kinds_ridge, "_DIRECT", 30)
    spanned = ClosedFormClassifier(8).fit(series, labels, EVEN)
    assert_close(spanned.scores(test), direct.scores(test), rtol=0, atol=1e-3)


def test_some_landmarks_are_nearly_as_good_as_all_rows(monkeypatch):
    monkeypatch.setattr(kinds_ridge, "_DIRECT", 30)
    monkeypatch.setattr(kinds_ridge, "_LANDMARKS", 25)
    model = ClosedFormClassifier(16).fit(*waves(80, 0), EVEN)
    series, labels = waves(60, 1)
    assert (model.scores(series).argmax(1) == labels).double().mean() > 0.9


def test_weights_are_the_mean_of_the_three_that_err_least(monkeypatch):
    good = [(1.0, 0.0, 0.5, 0.0), (1.0, 0.3, 0.5, 0.0), (1.0, 0.3, 2.0, 0.3)]
    # Without any features every series left out is answered by the mean of the others.
    monkeypatch.setattr(kinds_ridge, "_WEIGHTS", ((0.0, 0.0, 0.0, 0.0), *good))
    weights = ClosedFormClassifier(8).fit(*waves(40, 0), EVEN).ridge_.weights_
    assert_close(list(weights.values()), torch.tensor(good).double().mean(0).tolist())


def noisy(n, seed, noise):
    series, labels = waves(n, seed)
    rng = np.random.default_rng(seed)
    return [v + torch.from_numpy(noise * rng.normal(size=v.shape)) for v in series], labels


def test_probabilities_are_not_surer_than_the_answers_are_right():
    model = ClosedFormClassifier(8).fit(*noisy(60, 0, 1.5), EVEN)
    series, labels = noisy(200, 1, 1.5)
    probabilities = model.probabilities(model.scores(series))
    assert_close(probabilities.sum(1), torch.ones(200).double())
    right = (probabilities.argmax(1) == labels).double().mean()
    assert 0.6 < right < 1
    assert abs(probabilities.amax(1).mean() - right) < 0.15


def test_a_heavy_class_gets_more_of_the_doubtful_series():
    series, labels = noisy(40, 0, 3.0)
    test, _ = noisy(60, 1, 3.0)
    even = ClosedFormClassifier(8).fit(series, labels, EVEN)
    heavy = ClosedFormClassifier(8).fit(series, labels, torch.tensor([1.0, 50.0]))
    assert heavy.scores(test).argmax(1).sum() > even.scores(test).argmax(1).sum()


def test_a_channel_that_wakes_after_training_changes_nothing():
    series, labels = waves(40, 0, n_channels=3)
    test, classes = waves(40, 1, n_channels=3)
    for values in series:
        values[2] = 0.1
    model = ClosedFormClassifier(8).fit(series, labels, EVEN)
    awake = model.scores(test)
    for values in test:
        values[2] = 0.1
    assert_close(awake, model.scores(test), rtol=0, atol=1e-9)
    assert (awake.argmax(1) == classes).double().mean() > 0.9


def tones(counts, seed):
    """Series of as many frequencies as counts, in noise, with random phases."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    angle = np.pi * (1 + labels[:, None]) / 20 * np.arange(80)
    values = np.sin(angle + rng.uniform(0, 6, (len(labels), 1))) + 0.1 * rng.normal(size=(1, 80))
    return list(torch.from_numpy(values)[:, None]), torch.from_numpy(labels)


@pytest.mark.parametrize("counts", [(1,) * 18, (1,) * 6, (2,) * 6, (2,) + (1,) * 5], ids=str)
def test_classes_of_one_or_two_series_get_probabilities_that_say_something(counts):
    model = ClosedFormClassifier(8).fit(*tones(counts, 0), torch.ones(len(counts)))
    series, labels = tones((4,) * len(counts), 1)
    probabilities = model.probabilities(model.scores(series))
    assert (probabilities.argmax(1) == labels).double().mean() > 0.9
    log_loss = -probabilities.gather(1, labels[:, None]).log().mean()
    assert log_loss < 0.55 * np.log(len(counts))


def test_classes_of_one_series_leave_the_certainty_about_the_others():
    series, labels = tones((8, 8, 8, 1, 1, 1), 0)
    test, classes = tones((8, 8, 8), 1)
    alone = ClosedFormClassifier(8).fit(series[:24], labels[:24], torch.ones(3))
    joined = ClosedFormClassifier(8).fit(series, labels, torch.ones(6))
    first, second = (
        model.probabilities(model.scores(test)).gather(1, classes[:, None]).log().mean()
        for model in (alone, joined)
    )
    assert first > -0.1
    assert second > -0.2


def places(n, seed):
    """White noise with a part of larger variance, early or late."""
    rng = np.random.default_rng(seed)
    labels = torch.arange(n) % 2
    values = rng.normal(size=(n, 200))
    for row, label in zip(values, labels.tolist(), strict=True):
        row[40 + 80 * label : 80 + 80 * label] *= 2
    return list(torch.from_numpy(values)[:, None]), labels


def test_where_places_decide_the_trees_do():
    model = ClosedFormClassifier(8).fit(*places(60, 0), EVEN)
    test, labels = places(100, 1)
    ridge = model.ridge_.answer(model.features_.transform(test))
    assert sum(model.forest_weights_.values()) >= 1
    mixed = (model.scores(test).argmax(1) == labels).double().mean()
    assert mixed > (ridge.argmax(1) == labels).double().mean() + 0.1


def test_scores_of_series_left_out_are_as_good_as_those_of_new_ones():
    series, labels = noisy(60, 0, 1.0)
    test, classes = noisy(200, 1, 1.0)
    model = ClosedFormClassifier(8).fit(series, labels, EVEN)
    inside = (model.left_out_.argmax(1) == labels).double().mean()
    outside = (model.scores(test).argmax(1) == classes).double().mean()
    assert abs(inside - outside) < 0.12


def test_processors_change_nothing():
    series, labels = waves(30, 0)
    one, two = (
        ClosedFormClassifier(8, n_jobs=n_jobs).fit(series, labels, EVEN) for n_jobs in (None, 2)
    )
    assert torch.equal(one.scores(series), two.scores(series))


def test_votes_that_are_wrong_get_no_weight_and_votes_that_are_right_get_one():
    labels = torch.arange(40) % 2
    even = torch.full((40,), 1 / 40).double()
    right = (2.0 * F.one_hot(labels) - 1).double()
    noise = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)).double()
    assert choose_mixture(right, 3 * noise[None], labels, even)[1] == 0
    assert choose_mixture(noise, right[None], labels, even)[1] >= 1
    assert_close(
        choose_mixture(right, torch.stack([3 * noise, right]), labels, even)[1][0],
        torch.tensor(0.0).double(),
    )


def test_a_heavy_class_gets_more_of_the_votes():
    even, heavy = (
        ClosedFormClassifier(8).fit(*places(60, 0), torch.tensor([1.0, weight]))
        for weight in (1.0, 20.0)
    )
    test, _ = places(60, 1)
    shares = even.probabilities(even.scores(test)).mean(0)
    assert heavy.probabilities(heavy.scores(test)).mean(0)[1] > shares[1] + 0.1


def test_trees_answer_the_same_without_the_intervals_that_none_asks_for(monkeypatch):
    series, labels = waves(20, 0, n_channels=4)
    test, _ = waves(10, 1, n_channels=4)
    fewer = ClosedFormClassifier(8).fit(series, labels, EVEN)
    monkeypatch.setattr(IntervalFeatures, "keep", lambda self, asked: torch.arange(len(asked)))
    whole = ClosedFormClassifier(8).fit(series, labels, EVEN)
    kept, all_there = (sum(map(len, model.intervals_.intervals_)) for model in (fewer, whole))
    assert kept < all_there
    assert_close(fewer.scores(test), whole.scores(test), rtol=0, atol=0)
