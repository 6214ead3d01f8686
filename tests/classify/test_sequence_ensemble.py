import math

import pytest
import torch
from skorch.callbacks import Callback
from torch.testing import assert_close

from klforecast.classify.sequence_ensemble import SequenceEnsemble, held_out_parts
from klforecast.classify.sequence_net import LABEL_SMOOTHING, SequenceNet

NET = {
    "max_epochs": 30,
    "batch_size": 10,
    "lr": 1e-2,
    "patience": 30,
    "device": "cpu",
    "verbose": 0,
}
BACKBONE = {"d_model": 8, "n_layers": 1, "n_modes": 4, "bidirectional": True}


class Prejudiced:
    """A closed form that says the first class, whatever it sees."""

    def fit(self, series, labels, class_weights, row_weights):
        self.left_out_ = self.scores(series)
        return self

    def scores(self, series):
        return torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(len(series), 1)


class Informed(Prejudiced):
    """A closed form that is right, and as certain as soft labels ask for."""

    def fit(self, series, labels, class_weights, row_weights):
        self.labels = labels
        return super().fit(series, labels, class_weights, row_weights)

    def scores(self, series):
        soft = torch.tensor([1 - LABEL_SMOOTHING / 2, LABEL_SMOOTHING / 2]).double().log()
        return torch.stack([soft.roll(int(label)) for label in self.labels])


@pytest.fixture(scope="module")
def tones():
    """Series of two frequencies, and their classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 2
    angle = (0.4 + 0.6 * labels[:, None]) * torch.arange(25)
    phase = 6 * torch.rand(40, 1, generator=generator)
    return list(torch.sin(angle + phase)[:, None].double()), labels


def ensemble(start, **net) -> SequenceEnsemble:
    return SequenceEnsemble(1, 0, 0.2, start, NET | net, BACKBONE)


def test_networks_correct_the_scores_they_start_from(tones):
    series, labels = tones
    weights = torch.ones(2, dtype=torch.float64)
    untrained = ensemble(Prejudiced(), max_epochs=0).fit(series, labels, weights)
    assert (untrained.scores(series).argmax(dim=1) == 0).all()
    expected = torch.tensor([[1.0, 0.0]], dtype=torch.float64).log_softmax(1).expand(40, 2)
    assert_close(untrained.scores(series), expected)
    trained = ensemble(Prejudiced()).fit(series, labels, weights)
    assert (trained.scores(series).argmax(dim=1) == labels).double().mean() > 0.9


def test_networks_leave_alone_what_is_right(tones):
    series, labels = tones
    fitted = ensemble(Informed()).fit(series, labels, torch.ones(2, dtype=torch.float64))
    assert_close(fitted.scores(series), fitted.start.scores(series))


def test_a_channel_that_wakes_after_training_changes_nothing(tones):
    series, labels = tones
    quiet = [torch.cat([values, torch.full_like(values, 0.1)]) for values in series]
    loud = [torch.cat([values, 1e3 * values]) for values in series]
    fitted = ensemble(None, max_epochs=1).fit(quiet, labels, torch.ones(2, dtype=torch.float64))
    assert_close(fitted.scores(loud), fitted.scores(quiet))


def test_held_out_parts_share_out_every_class():
    labels = torch.tensor([0] * 10 + [1] * 5 + [2] * 2 + [3])
    parts = held_out_parts(labels, 0.2, 5, seed=0)
    for part in parts:
        assert labels[part].bincount(minlength=4).tolist() == [2, 1, 1, 0]
    for label, size in ((0, 10), (1, 5), (2, 2)):
        assert sum((labels[part] == label).sum() for part in parts) >= size
        assert len({index for part in parts for index in part if labels[index] == label}) == size


def test_nothing_is_held_out_where_nothing_is_asked_for():
    assert held_out_parts(torch.tensor([0, 0, 1, 1]), 0.0, 2, seed=0) == [[], []]


def make_net(**options) -> SequenceNet:
    options = {"batch_size": 10, "verbose": 0} | options
    return SequenceNet(module__n_outputs=2, module__n_channels=1, **options)


def batch(tones) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    series, labels = tones
    x = torch.stack(series).mT.float()
    inputs = {
        "x": x,
        "mask": torch.ones(x.shape[:2], dtype=torch.bool),
        "start": torch.zeros(len(x), 2),
        "weight": torch.ones(len(x)),
    }
    return inputs, labels


def test_a_weight_in_the_loss_is_so_many_copies(tones):
    net = make_net(max_epochs=1, criterion__weight=torch.tensor([1.0, 3.0])).fit(*batch(tones))
    inputs, labels = batch(tones)
    logits = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    copies = torch.arange(40) % 3 + 1
    weighted = net.get_loss(logits, labels, inputs | {"weight": copies.float()})
    repeated = torch.nn.CrossEntropyLoss(torch.tensor([1.0, 3.0]))(
        logits.repeat_interleave(copies, 0), labels.repeat_interleave(copies)
    )
    assert_close(weighted, repeated)


@pytest.mark.parametrize(
    ("n", "length", "epochs"), [(40, 2, 75), (20, 2, 150), (2000, 2, 2), (20, 1250, 50)]
)
def test_small_sets_of_short_series_get_more_epochs(n, length, epochs, monkeypatch):
    monkeypatch.setattr(SequenceNet, "fit_loop", lambda net, *_, **__: net)
    options = NET | {"max_epochs": None}
    nets = SequenceEnsemble(1, 0, 0.0, None, options, BACKBONE).fit(
        [torch.zeros(1, length)] * n, torch.arange(n) % 2, torch.ones(2)
    )
    assert nets.nets_[0].max_epochs == epochs
    assert options["max_epochs"] is None


def test_masks_learn_at_first_and_stand_still_at_last(tones):
    logits, temperatures = [], []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            mask = net.module_.backbone.spectral_layers[0].mask
            logits.append(mask.logits.detach().clone())
            temperatures.append(mask.temperature)

    net = make_net(
        max_epochs=10, patience=10, callbacks=[Watch()],
        module__adaptive_mask=True, module__compression_ratio=0.5,
    )  # fmt: skip
    net.fit(*batch(tones))
    assert all((logits[i] != logits[i - 1]).any() for i in range(2, 8))
    assert_close(logits[7:], [logits[7]] * 3, rtol=0, atol=0)
    assert temperatures == pytest.approx([0.1 ** min(i / 8, 1) for i in range(10)])


def test_the_rate_rises_and_falls_step_by_step(tones):
    rates = []

    class Watch(Callback):
        def on_batch_end(self, net, training, **kwargs):
            rates.append(net.optimizer_.param_groups[-1]["lr"])

    make_net(max_epochs=5, lr=0.1, callbacks=[Watch()]).fit(*batch(tones))
    assert len(rates) == 20
    assert rates[:6] == pytest.approx([0.1 * (step + 1) / 6 for step in range(6)])
    assert rates[13] == pytest.approx(0.1 * (1 + math.cos(math.pi * 7 / 14)) / 2)
