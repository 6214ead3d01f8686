import pytest
import torch
from skorch.callbacks import Callback

from klforecast.training.fit import wrap_core
from klforecast.training.options import TrainingOptions, resolve_device
from klforecast.training.windows import validation_start


class Epochs(Callback):
    def __init__(self, seen=None):
        self.seen = seen

    def on_epoch_end(self, net, **kwargs):
        self.count_ = getattr(self, "count_", 0) + 1


def test_callbacks_are_passed_through_as_clones(fit_small, panel):
    mine = Epochs()
    net = fit_small(panel, callbacks=[("epochs", mine)])
    assert dict(net.callbacks_)["epochs"].count_ == len(net.history)
    assert not hasattr(mine, "count_")


def test_the_encoder_trains_on_the_core_of_the_rows_before_validation(fit_small, panel, solve):
    asked = []

    def noted(rows):
        asked.append([len(series) for series in rows])
        return solve(rows)

    net = fit_small(panel, solve=noted)
    n = len(panel[0])
    assert sorted(asked) == [[validation_start(n, 6, 0.2)], [n]]
    assert torch.equal(net.module_.core.weight, solve(panel).core.weight)
    assert net.module__core is net.module_.core


def test_the_core_is_not_trained(fit_small, panel, solve):
    net = fit_small(panel).fit(panel)
    assert torch.equal(net.module_.core.weight, solve(panel).core.weight)


def test_the_encoder_learns_what_the_core_cannot(fit_small, make_series):
    net = fit_small([make_series(1000)], max_epochs=8)
    assert net.module_.gate.abs().max() > 0.01
    judged = dict(net.callbacks_)["keep_best"].best_loss_
    assert judged < 0.9 * net.history[0, "train_loss"]


def test_a_panel_of_unequal_series_trains_one_net(fit_small, make_series, digest):
    panel = [make_series(n, seed=n) for n in (200, 90, 30, 3)]
    net = fit_small(panel)
    assert net.predict(panel[1][None, -net.module_.depth :]).shape == (1, 6, 2)


def test_without_a_core_the_plain_encoder_is_trained(fit_small, panel):
    net = fit_small(panel, solve=None, max_epochs=3)
    assert net.module_.core is None
    assert net.history[-1, "valid_loss"] < net.history[0, "valid_loss"]


def test_a_panel_too_short_to_train_is_forecast_by_the_core_alone_with_a_warning(
    fit_small, make_series, solve
):
    panel = [make_series(40)]
    with pytest.warns(UserWarning, match="series of 40 rows.*depth of 32"):
        net = fit_small(panel)
    past = panel[0][None, -net.module_.depth :].float()
    core = solve(panel).core
    with torch.no_grad():
        torch.testing.assert_close(torch.as_tensor(net.predict(past)), core(past[:, -core.depth :]))


def test_a_plain_encoder_without_enough_rows_is_refused(fit_small, make_series):
    with pytest.raises(ValueError, match="windows to train"):
        fit_small([make_series(40)], solve=None)


def test_a_linear_net_predicts_what_its_core_says(panel, solve):
    net = wrap_core(solve(panel).core, solve, TrainingOptions())
    past = panel[0][None, -net.module_.depth :].float()
    with torch.no_grad():
        assert torch.equal(torch.as_tensor(net.predict(past)), solve(panel).core(past))


def test_auto_names_a_device_that_exists():
    torch.zeros(1, device=resolve_device("auto"))
    assert resolve_device("meta") == "meta"
