import numpy as np
import torch
from torch.testing import assert_close

from klforecast.classify import interval_features
from klforecast.classify.interval_features import IntervalFeatures
from klforecast.ops.interval_statistics import interval_statistics, views


def series(lengths, n_channels=1):
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.normal(size=(n_channels, length))) for length in lengths]


def test_the_features_of_a_series_do_not_depend_on_the_others(monkeypatch):
    some = series([2, 33, 50, 64, 9], 2)
    features = IntervalFeatures().fit(some)
    together = features.transform(some)
    assert_close(features.transform(some[3:4]), together[3:4])
    monkeypatch.setattr(interval_features, "_VALUES_AT_ONCE", 1)
    assert_close(features.transform(some), together)


def test_units_do_not_matter():
    some = series([40] * 6)
    large = [1e6 * values + 3e6 for values in some]
    assert_close(
        IntervalFeatures().fit(large).transform(large),
        IntervalFeatures().fit(some).transform(some),
        rtol=1e-4,
        atol=1e-4,
    )


def test_of_too_many_features_a_random_part_is_kept(monkeypatch):
    some = series([100] * 10, 30)
    whole = IntervalFeatures().fit(some).transform(some).shape[1]
    monkeypatch.setattr(interval_features, "_FEATURE_VALUES", 10 * 500)
    features = IntervalFeatures().fit(some)
    assert whole > 500
    assert 400 < features.transform(some).shape[1] <= 500
    assert sum(map(bool, features.intervals_)) > 10


def test_a_channel_without_variance_says_nothing():
    some = series([40] * 6)
    both = [torch.cat([values, torch.full_like(values, 3.0)]) for values in some]
    found = IntervalFeatures().fit(both).transform(both)
    assert torch.isfinite(found).all()
    assert (found.std(0) == 0).sum() >= found.shape[1] // 2


def test_channels_that_share_an_interval_have_the_statistics_of_each_alone():
    some = series([40] * 6, 3)
    features = IntervalFeatures().fit(some)
    derived = views((torch.stack(some) - features.mean_) / features.scale_)
    alone = [
        interval_statistics(derived[interval.view][:, channel], interval)
        for channel, chosen in enumerate(features.intervals_)
        for interval in chosen
    ]
    assert_close(features.transform(some), torch.cat(alone, dim=1).float())


def test_what_is_not_asked_for_is_forgotten_and_the_rest_stays_the_same():
    some = series([40] * 6, 3)
    features = IntervalFeatures().fit(some)
    whole = features.transform(some)
    asked = torch.zeros(whole.shape[1], dtype=torch.bool)
    asked[[1, 30, 31, 400]] = True
    places = features.keep(asked)
    left = features.transform(some)
    assert left.shape[1] < 80
    assert_close(left[:, places[asked]], whole[:, asked])


def test_one_interval_stays_where_none_is_asked_for():
    some = series([40] * 6, 3)
    features = IntervalFeatures().fit(some)
    features.keep(torch.zeros(features.transform(some).shape[1], dtype=torch.bool))
    assert sum(map(len, features.intervals_)) == 1
    assert features.transform(some).shape[1] > 0
