import pickle

import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch.testing import assert_close

from klforecast.exceptions import KLForecastError
from klforecast.training.nets import EncoderNet, LinearNet
from klforecast.training.seeding import seeded
from klforecast.training.windows import PanelWindows, validation_start

MEMORIES = ("history", "trajectory", "none")


@pytest.fixture(params=MEMORIES)
def memory(request):
    return request.param


def keep_best(net):
    return dict(net.callbacks_)["keep_best"]


def past_of(net, panel):
    return panel[0][None, -net.module_.depth :]


# Same numbers, fresh starts


def test_the_same_seed_gives_the_same_numbers_bit_for_bit(memory, fit_small, panel, digest):
    first, again, other = (
        digest(fit_small(panel, memory=memory, random_state=seed).module_) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_fitting_a_then_b_is_fitting_b_bit_for_bit(memory, fit_small, make_series, digest):
    a, b = [make_series(300, seed=1)], [make_series(seed=2)]
    twice, once = fit_small(a, memory=memory), fit_small(a, memory=memory)
    twice.fit(a).fit(b)
    once.fit(b)
    assert digest(twice.module_) == digest(once.module_)


def test_a_clone_carries_no_memory_and_fits_to_the_same_numbers(memory, fit_small, panel, digest):
    net = fit_small(panel, memory=memory).fit(panel)
    cloned = clone(net)
    assert not cloned.initialized_
    assert digest(cloned.fit(panel).module_) == digest(net.module_)


# With a seed of its own the trained net may be no better than the one before its first step.
@pytest.mark.filterwarnings("ignore:the memory of the training run is empty:UserWarning")
def test_training_leaves_the_global_generator_as_it_was(memory, fit_small, panel):
    before = torch.get_rng_state()
    fit_small(panel, memory=memory, random_state=None)
    assert torch.equal(torch.get_rng_state(), before)


# Who writes


def test_predicting_and_validating_never_write(memory, fit_small, panel, digest):
    net = fit_small(panel, memory=memory)
    before = digest(net.module_)
    first, second = (net.predict(past_of(net, panel)) for _ in range(2))
    net.validate(PanelWindows([panel[0].float()], net.module_.depth, 6))
    assert digest(net.module_) == before
    assert (first == second).all()


class CountRows(Callback):
    """Rows of the trajectory after every training step."""

    def on_train_begin(self, net, **kwargs):
        self.rows_ = []

    def on_batch_end(self, net, training=False, **kwargs):
        self.rows_.append(len(net.module_.memory.store.rows))


def test_a_trajectory_has_a_row_for_each_step_of_the_epoch_up_to_its_depth(fit_small, panel):
    net = fit_small(
        panel, memory="trajectory", memory_depth=3, batch_size=50, callbacks=[CountRows()]
    )
    (rows,) = (callback.rows_ for _, callback in net.callbacks_ if isinstance(callback, CountRows))
    epoch = [1, 2, 3, 3, 3]  # four training steps, and one batch of validation that writes nothing
    assert rows == 2 * epoch


def test_the_trajectory_is_frozen_when_training_ends(fit_small, panel):
    net = fit_small(panel, memory="trajectory")
    assert net.module_.memory.store.frozen
    assert len(net.module_.memory.store.rows) == 0


def test_histories_are_written_from_the_windows_that_are_trained_on(fit_small, panel):
    changed = panel[0].clone()
    changed[validation_start(len(changed), 6, 0.2) :] += 5
    net = fit_small(panel)
    store = net.module_.memory.store
    module = net.module_
    before = {name: buffer.clone() for name, buffer in store.named_buffers()}
    training, _ = PanelWindows(panel, module.depth, 6).split(0.2)
    assert store.weight == len(training) * 2 * 5  # windows, channels, steps of a row
    after = dict(fit_small([changed]).module_.memory.store.named_buffers())
    assert_close(after, before, rtol=0, atol=0)


def test_reset_before_predict_forecasts_as_if_nothing_was_remembered(fit_small, panel):
    options = {"memory": "trajectory", "memory_options": {"reset_before_predict": True}}
    net = fit_small(panel, **options)
    forecast = net.predict(past_of(net, panel))
    net.module_.memory.reset()
    assert (net.predict(past_of(net, panel)) == forecast).all()


# How training ends


def test_the_end_is_never_above_the_core_on_the_windows_that_validate(
    memory, fit_small, panel, solve
):
    border = validation_start(len(panel[0]), 6, 0.2)
    core = solve([panel[0][:border]]).core
    for lr in (1e-2, 0.5):
        net = fit_small(panel, memory=memory, lr=lr).fit(panel)
        _, windows = PanelWindows([panel[0].float()], net.module_.depth, 6).split(0.2)
        past, future = windows.__getitems__(range(len(windows)))
        with torch.no_grad():
            of_net, of_core = (
                (forecast - future).square().mean()
                for forecast in (net.module_(past), core(past[:, -core.depth :]))
            )
        assert of_net <= of_core
        assert of_net.item() == pytest.approx(keep_best(net).best_loss_, rel=1e-5)


def test_no_fraction_of_the_gates_is_better_than_the_one_that_is_kept(fit_small, panel):
    net = fit_small(panel, max_epochs=1)
    gate = torch.tensor([0.4, -0.05])
    net.module_.gate.data.copy_(gate)
    _, windows = windows_of(net, panel).split(0.2)
    past, future = windows.__getitems__(range(len(windows)))

    def loss_with(gates):
        net.module_.gate.data.copy_(gates)
        with torch.no_grad():
            return (net.module_(past) - future).square().mean().item()

    loss, weights = net.validate(windows)
    others = [loss_with(gate * torch.tensor([a, b])) for a in (0, 0.3, 1) for b in (0, 0.3, 1)]
    assert loss <= min(others) + 1e-7
    assert loss < loss_with(gate)
    assert loss_with(weights["gate"]) == pytest.approx(loss, rel=1e-5)


def test_the_best_epoch_is_restored(fit_small, panel):
    net = fit_small(panel, max_epochs=6, lr=0.1, patience=6).fit(panel)
    judged = net.history[:, "judged_loss"]
    best = keep_best(net)
    assert best.best_loss_ <= min(judged)
    assert best.best_epoch_ == 0 or judged[best.best_epoch_ - 1] == best.best_loss_
    assert best.weights_ is None
    assert net.validate(net.get_split_datasets(windows_of(net, panel))[1])[0] == pytest.approx(
        best.best_loss_, rel=1e-6
    )


def windows_of(net, panel):
    return PanelWindows([series.float() for series in panel], net.module_.depth, 6)


def test_training_stops_after_patience_epochs_without_improvement(fit_small, panel):
    net = fit_small(panel, lr=10.0, max_epochs=30, patience=2)
    assert len(net.history) == keep_best(net).best_epoch_ + 2
    assert all("valid_loss" in row for row in net.history)


def test_without_patience_no_epoch_is_left_out(fit_small, panel):
    net = fit_small(panel, lr=10.0, max_epochs=6, patience=None)
    assert len(net.history) == 6


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", [1, 0.904508, 0.654508, 0.345492, 0.095492]),
        ("constant", [1, 1, 1, 1, 1]),
        ("halve", [1, 1, 0.5, 0.25, 0.125]),
        ("slow-decay", [1, 1, 1, 1, 0.9]),
    ],
)
def test_the_rate_follows_its_schedule_and_comes_back(schedule, expected, fit_small, panel):
    class Rates(Callback):
        def on_train_begin(self, net, **kwargs):
            self.rates_ = []

        def on_epoch_end(self, net, **kwargs):
            self.rates_.append(net.optimizer_.param_groups[-1]["lr"])

    options = {"max_epochs": 5, "patience": 9, "lr": 1e-2, "lr_schedule": schedule}
    net = fit_small(panel, callbacks=[("rates", Rates())], **options)
    assert dict(net.callbacks_)["rates"].rates_ == pytest.approx(
        [1e-2 * share for share in expected], rel=1e-5
    )
    assert net.optimizer_.param_groups[-1]["lr"] == 1e-2


@pytest.mark.parametrize(("loss", "power"), [("mse", 2), ("mae", 1)])
def test_training_lowers_the_loss_that_is_asked_for(loss, power, fit_small, panel):
    options = {"solve": None, "memory": "none", "max_epochs": 1, "dropout": 0.0}
    net = fit_small(panel, loss=loss, batch_size=10**6, **options)
    untrained = clone(net)
    with seeded(net.random_state, "cpu"):
        untrained.initialize()
    training, _ = net.get_split_datasets(windows_of(net, panel))
    past, future = training.__getitems__(range(len(training)))
    errors = untrained.evaluation_step((past, future)) - future
    # All windows are one batch, so the loss of the epoch is that of the weights before it.
    assert net.history[0, "train_loss"] == pytest.approx(
        errors.abs().pow(power).mean().item(), rel=1e-5
    )


def test_a_fit_leaves_the_arguments_of_the_net_as_they_were(fit_small, panel):
    net = fit_small(panel, loss="mae")
    assert net.get_params(deep=False)["criterion"] is torch.nn.MSELoss
    assert isinstance(net.criterion_, torch.nn.L1Loss)


def test_weights_decay_but_the_gate_does_not(fit_small, panel):
    net = fit_small(panel, weight_decay=0.25)
    gate, rest = net.optimizer_.param_groups
    assert (gate["weight_decay"], rest["weight_decay"]) == (0.0, 0.25)


# Failures and what is left


def test_a_failed_fit_leaves_the_net_as_it_was(memory, fit_small, panel, digest):
    net = fit_small(panel, memory=memory)
    before = digest(net.module_)
    broken = [panel[0].clone()]
    broken[0][100] = float("nan")
    with pytest.raises((KLForecastError, ValueError)):
        net.fit(broken)
    assert digest(net.module_) == before
    assert net.predict(past_of(net, panel)).shape == (1, 6, 2)


def test_a_failed_first_fit_leaves_an_unfitted_net(fit_small, panel):
    net = clone(fit_small(panel, memory="none"))
    with pytest.raises(KLForecastError, match="training loss became nan"):
        net.fit([panel[0] * float("nan")])
    assert not net.initialized_
    assert not hasattr(net, "module_")


def test_a_panel_too_short_to_split_is_refused_with_its_lengths(fit_small, panel, make_series):
    net = fit_small(panel)
    with pytest.raises(ValueError, match=r"\[40\].*0 windows to train"):
        net.fit([make_series(40)])


def test_a_pickle_holds_neither_data_nor_optimiser_state(memory, fit_small, make_series):
    short, long = (fit_small([make_series(n)], memory=memory, max_epochs=1) for n in (260, 2600))
    sizes = [len(pickle.dumps(net)) for net in (short, long)]
    weights = sum(4 * p.numel() for p in long.module_.parameters())
    assert sizes[1] - sizes[0] < 8_000  # the loss of each batch is in the history
    assert sizes[1] < 2 * weights + 40_000


def test_a_pickled_net_predicts_and_trains_on_with_the_same_numbers(
    memory, fit_small, panel, digest
):
    net = fit_small(panel, memory=memory)
    loaded = pickle.loads(pickle.dumps(net))
    assert (loaded.predict(past_of(net, panel)) == net.predict(past_of(net, panel))).all()
    assert digest(loaded.partial_fit(panel).module_) == digest(net.partial_fit(panel).module_)


def test_nothing_is_printed_unless_asked(fit_small, panel, capsys):
    fit_small(panel)
    assert capsys.readouterr().out == ""
    fit_small(panel, verbose=1)
    assert "valid_loss" in capsys.readouterr().out


# The linear net


def test_a_linear_net_is_solved_and_not_stepped(panel, solve, digest):
    net = LinearNet(solve=solve).fit(panel)
    assert digest(net.module_) == digest(solve(panel).core)
    assert len(net.history) == 0


def test_fine_tuning_starts_from_the_closed_form_and_never_ends_above_it(panel, solve):
    old = [panel[0][:150]]
    net = LinearNet(solve=solve, max_epochs=3, lr=1e-3, random_state=0).fit(old)
    _, validation = windows_of(net, panel).split(0.2)
    solved, _ = net.validate(validation)
    net.partial_fit(panel)
    tuned, _ = net.validate(validation)
    assert tuned < solved
    net.set_params(lr=100.0).partial_fit(panel)
    assert net.validate(validation)[0] <= tuned


def test_a_linear_net_is_refitted_from_nothing(panel, make_series, solve, digest):
    net = LinearNet(solve=solve, max_epochs=1, random_state=0).fit([make_series(300, seed=5)])
    net.partial_fit([make_series(300, seed=5)]).fit(panel)
    assert digest(net.module_) == digest(solve(panel).core)


def test_a_linear_net_holds_no_data(solve, make_series):
    sizes = [len(pickle.dumps(LinearNet(solve=solve).fit([make_series(n)]))) for n in (100, 5000)]
    assert sizes[0] == sizes[1]


def test_a_linear_net_without_weights_says_to_fit(panel, solve):
    with pytest.raises(ValueError, match="call fit"):
        LinearNet(solve=solve).partial_fit(panel)


def test_a_net_predicts_in_its_own_precision_from_any_other(fit_small, panel):
    net = fit_small(panel)
    past = past_of(net, panel)
    assert (net.predict(past.double()) == net.predict(past.float())).all()
    assert isinstance(net, EncoderNet)


def test_a_trajectory_that_ends_empty_says_so(fit_small, panel):
    with pytest.warns(UserWarning, match="memory of the training run is empty: .*max_epochs"):
        net = fit_small(panel, memory="trajectory", max_epochs=0)
    assert net.module_.memory.store.empty


@pytest.mark.parametrize("detach", [True, False])
def test_the_writer_of_a_trajectory_is_trained_only_if_asked_to(detach, fit_small, panel):
    options = {"memory": "trajectory", "memory_options": {"detach": detach}, "weight_decay": 0.0}
    trained = fit_small(panel, **options, max_epochs=3).module_.memory
    with pytest.warns(UserWarning, match="is empty"):
        untrained = fit_small(panel, **options, max_epochs=0).module_.memory
    assert torch.equal(trained.score.weight, untrained.score.weight) == detach
    assert not trained.store.slopes.numel()
