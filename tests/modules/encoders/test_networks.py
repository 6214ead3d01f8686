"""What single encoders claim about themselves."""

import copy
import math

import torch
from torch.testing import assert_close

from klforecast.modules.encoders import Sizes, timesnet
from klforecast.modules.encoders.autoformer import (
    Autoformer,
    _Correlation,
    auto_correlation,
    split_trend,
)
from klforecast.modules.encoders.hiss import StateSpaceEmbedding
from klforecast.modules.encoders.itransformer import ITransformer
from klforecast.modules.encoders.mixlinear import MixLinear
from klforecast.modules.encoders.olinear import OLinear
from klforecast.modules.encoders.patch_encoder import cut_patches
from klforecast.modules.encoders.patchtst import patchtst
from klforecast.modules.encoders.smamba import SMamba
from klforecast.modules.encoders.spacetime import SpaceTimeForecaster
from klforecast.modules.encoders.swift import SWIFT
from klforecast.modules.encoders.timesnet import TimesNet, folded, leading_periods, positions
from klforecast.ops.dense_ssm import companion, stable_column


def past(n=4, length=24, channels=3):
    return torch.randn(n, length, channels, generator=torch.Generator().manual_seed(0))


def test_swift_with_the_identity_repeats_its_window():
    net = SWIFT(24, 24)
    with torch.no_grad():
        net.convolution.weight.zero_()
        net.map.weight.copy_(torch.eye(12))
        net.map.bias.zero_()
    assert_close(net(past()), past())


def test_swift_convolves_both_sub_series_over_thirteen_steps():
    net, x = SWIFT(40, 10).double(), past(2, 40, 1).double()
    pairs = x[..., 0].reshape(2, 20, 2)
    series = torch.stack([pairs.sum(dim=2), pairs[..., 0] - pairs[..., 1]], dim=1) / math.sqrt(2)
    mixed = series.clone()
    for i in range(20):
        for j in range(max(0, i - 6), min(20, i + 7)):
            mixed[:, :, i] += series[:, :, j] @ net.convolution.weight[:, :, j - i + 6].mT
    level, detail = net.map(mixed).unbind(dim=1)
    ahead = torch.stack([level + detail, level - detail], dim=2).flatten(1) / math.sqrt(2)
    assert_close(net(x)[..., 0], ahead)


def test_swift_drops_out_after_its_convolution():
    net = SWIFT(24, 6, dropout=0.4)
    net.dropout.register_forward_pre_hook(lambda _, inputs: dropped.append(inputs[0]))
    dropped = []
    net(past())
    assert dropped[0].shape == (12, 2, 12)
    assert not torch.equal(net(past()), net(past()))
    assert torch.equal(net.eval()(past()), net(past()))


def test_mixlinear_forecasts_a_phase_from_its_own_phase():
    net = MixLinear(24, 12, period=6)
    with torch.no_grad():
        net.convolution.weight.zero_()
    changed = past()
    changed[:, 2::6] += torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None]  # the level stays
    differs = (net(changed) - net(past())).abs().amax(dim=(0, 2)) > 1e-6
    assert differs.tolist() == [t % 6 == 2 for t in range(12)]


def test_mixlinear_maps_cycles_by_the_kronecker_product_of_its_two_maps():
    net = MixLinear(4 * 9, 4 * 4, period=4).double()
    cycles = torch.randn(2, 3, 4, 9, dtype=torch.float64)
    product = torch.kron(net.across.weight, net.within.weight)  # (4, 9)
    assert_close(net._in_time(cycles), cycles @ product.mT)


def test_olinear_decorrelates_its_training_windows():
    net = OLinear(8, 4, 3, d_model=5, n_layers=1)
    windows = torch.randn(500, 3, 8, dtype=torch.float64).cumsum(dim=2)
    for part in windows.split(100):
        net.absorb(part, part[..., :4])
    Q = net.transform_in
    assert_close(Q.mT @ Q, torch.eye(8, dtype=torch.float64), atol=1e-12, rtol=0)
    scale = windows.square().mean(dim=(0, 1)).sqrt()
    coordinates = (windows / scale).flatten(0, 1) @ Q
    covariance = coordinates.mT @ coordinates / len(coordinates)
    assert_close(covariance, covariance.diagonal().diag(), atol=1e-4, rtol=0)


def test_timesnet_finds_the_periods_of_each_window_by_itself():
    time = torch.arange(48.0)
    waves = [
        (2 * math.pi * time / a).sin() + 0.5 * (2 * math.pi * time / b).sin()
        for a, b in ((12, 6), (24, 4))
    ]
    periods, amplitudes = leading_periods(torch.stack(waves)[..., None], 2)
    assert periods.tolist() == [[12, 6], [24, 4]]
    assert_close(amplitudes, torch.tensor([[24.0, 12.0], [24.0, 12.0]]), rtol=1e-4, atol=1e-3)


def test_timesnet_looks_for_periods_in_the_features_of_each_block(monkeypatch):
    seen = []
    monkeypatch.setattr(
        timesnet, "leading_periods", lambda x, n: (seen.append(x), leading_periods(x, n))[1]
    )
    TimesNet(24, 6, 3, d_model=4, n_layers=2, n_periods=2)(past())
    assert [x.shape for x in seen] == [(4, 30, 4)] * 2
    assert not torch.allclose(*seen)


def test_timesnet_folds_convolves_and_unfolds():
    net = TimesNet(24, 6, 3, d_model=4, n_layers=1, d_ff=5, n_periods=2, dropout=0.0).double()
    block, x = net.blocks[0], torch.randn(2, 30, 4, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for w in range(2):
        amplitude = torch.fft.rfft(x[w], dim=0).abs().mean(dim=1)
        leading = amplitude[1:].argsort(descending=True)[:2] + 1
        for frequency, share in zip(leading, amplitude[leading].softmax(dim=0), strict=True):
            period = 30 // int(frequency)
            cycles = -(-30 // period)
            grid = torch.zeros(cycles * period, 4, dtype=torch.float64)
            grid[:30] = x[w]
            picture = grid.reshape(1, cycles, period, 4).permute(0, 3, 1, 2)
            for layer, after in ((block[0], torch.nn.GELU()), (block[2], torch.nn.Identity())):
                picture = after(torch.stack([part(picture) for part in layer.parts]).mean(dim=0))
            expected[w] += share * picture[0].permute(1, 2, 0).reshape(-1, 4)[:30]
    leaves = list(block.parameters())
    found = folded(x, block, 2)
    assert_close(found, expected)
    gradients = [torch.autograd.grad(out.sin().sum(), leaves) for out in (found, expected)]
    assert_close(*gradients)


def test_timesnet_tells_the_steps_of_a_window_apart_by_their_positions():
    rows = positions(torch.zeros(1, 3, 4, dtype=torch.float64))
    angles = torch.tensor([[t, t / 100] for t in range(3)], dtype=torch.float64)
    assert_close(rows[:, ::2], angles.sin())
    assert_close(rows[:, 1::2], angles.cos())
    net = TimesNet(24, 6, 3, d_model=8, n_layers=1).eval()
    with torch.no_grad():
        net.extend.weight.fill_(1 / 24)  # blind to time: the window's mean, but for the positions
    swapped = past()[:, torch.randperm(24)]
    net.embed = torch.nn.Conv1d(3, 8, 1, bias=False)  # blind to neighbours
    assert_close(net(swapped), net(past()), rtol=1e-3, atol=1e-4)


def test_autoformer_weighs_delays_by_their_correlation():
    q, k, v = torch.randn(3, 2, 10, 4, dtype=torch.float64)
    match = torch.stack([(q * k.roll(d, dims=1)).sum(dim=1).mean(dim=1) for d in range(10)], dim=1)
    best, delays = match.topk(3, dim=1)
    expected = torch.zeros_like(v)
    for b in range(2):
        for weight, delay in zip(best[b].softmax(dim=0), delays[b].tolist(), strict=True):
            expected[b] += weight * v[b].roll(-delay, dims=0)
    assert_close(auto_correlation(q, k, v, 3), expected)


def without_correlations(net):
    net = copy.deepcopy(net)
    for part in net.modules():
        if isinstance(part, _Correlation):
            torch.nn.init.zeros_(part.out.weight)
            torch.nn.init.zeros_(part.out.bias)
    return net


def waves(n, generator):
    """Windows of 24 steps with periods of 6 to 8, and the 24 steps after them."""
    period, phase = torch.rand(2, n, 1, generator=generator)
    series = (2 * math.pi * (torch.arange(48) / (6 + 2 * period) + phase)).sin()[..., None]
    return series[:, :24], series[:, 24:]


def test_the_season_of_autoformer_is_what_its_correlations_carry_over_the_border():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    net = Autoformer(24, 24, 1, d_model=8, n_layers=1, dropout=0.0)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(100):
        window, future = waves(32, generator)
        loss = (net(window) - future).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    window, future = waves(256, generator)
    errors = [
        (model(window) - future).square().mean().item()
        for model in (net, without_correlations(net))
    ]
    assert errors[0] < 0.3 < 0.45 < errors[1]  # the variance of a wave is a half


def test_autoformer_without_its_correlations_hears_no_phase():
    torch.manual_seed(0)
    net = Autoformer(48, 96, 1, d_model=8, n_layers=1, dropout=0.0).eval()
    time = torch.arange(48.0)
    windows = [(2 * math.pi * (time / 12 + phase)).sin()[None, :, None] for phase in (0.0, 0.5)]
    moved = [model(windows[0]) - model(windows[1]) for model in (net, without_correlations(net))]
    # Further from the border, and from the end, than means and convolutions reach; what is taken off
    # every step, the mean over all of them, moves the level alone.
    far = [(part[:, 60:90].amax() - part[:, 60:90].amin()).item() for part in moved]
    assert far[0] > 1e-2
    assert far[1] < 1e-4


def test_season_and_trend_are_the_series():
    x = past()
    season, trend = split_trend(x)
    assert_close(season + trend, x)


def test_spacetime_forecasts_in_a_closed_loop_over_raw_steps():
    sizes = Sizes(10, 1, 16, d_model=4, n_layers=1, n_heads=2, patch_length=4, dropout=0.0)
    torch.manual_seed(0)
    net = SpaceTimeForecaster(sizes, n_states=3).double()
    assert net.patches.embedding(past(2, 16, 1)[..., 0].double()).shape == (2, 16, 4)
    states = torch.randn(2, 16, 4, dtype=torch.float64)
    column, closed = (stable_column(part.tanh()) for part in (net.open, net.closed))
    h = torch.zeros(2, 4, 3, dtype=torch.float64)

    def advanced(h, u):  # (2, 4, 3), (2, 4)
        return (companion(column) @ h[..., None])[..., 0] + (closed - column) * u[..., None]

    for t in range(16):
        h = advanced(h, states[:, t])
    steps = []
    for _ in range(10):
        steps.append(net.head((net.reading * h).sum(dim=-1)))
        h = advanced(h, h[..., -1])
    expected = torch.cat(steps, dim=1)
    assert_close(net.predict(states), expected)
    leaves = [net.open, net.closed, net.reading]
    gradients = [
        torch.autograd.grad(out.sin().sum(), leaves) for out in (net.predict(states), expected)
    ]
    assert_close(*gradients)


def test_no_closed_loop_of_spacetime_explodes_over_a_long_horizon():
    sizes = Sizes(720, 1, 16, d_model=2, n_layers=1, n_heads=2)
    net = SpaceTimeForecaster(sizes, n_states=4).double()
    with torch.no_grad():
        for column in (net.open, net.closed):
            column.normal_(std=20.0)
    assert net.predict(torch.randn(2, 16, 2, dtype=torch.float64)).abs().max() < 1e6


def test_patches_of_patchtst_overlap_by_half():
    net = patchtst(Sizes(10, 1, 24, d_model=8, n_heads=2, patch_length=8))
    assert net.patches.n_patches == 5
    patches = cut_patches(torch.arange(24.0)[None], 8, 4)
    assert patches[0, :, 0].tolist() == [0, 4, 8, 12, 16]
    assert patches[0, -1, -1] == 23


def test_s_mamba_is_its_published_layer():
    torch.manual_seed(0)
    layer = SMamba(24, 6, d_model=8, n_layers=1, dropout=0.0).double().layers[0]
    for mamba in (layer.forwards, layer.backwards):
        assert (mamba.d_state, mamba.convolution.kernel_size, mamba.out.in_features) == (2, (2,), 8)
    tokens = torch.randn(3, 5, 8, dtype=torch.float64)
    rows = [[], []]
    for direction, mamba in enumerate((layer.forwards, layer.backwards)):
        state = None
        for c in range(5) if direction == 0 else reversed(range(5)):
            y, state = mamba.step(tokens[:, c], state)
            rows[direction].append(y)
    both = torch.stack(rows[0], dim=1) + torch.stack(rows[1][::-1], dim=1)
    mixed = layer.mixer_norm(tokens + both)
    assert_close(layer(tokens), layer.mlp_norm(mixed + layer.mlp(mixed)))


def test_the_low_level_of_hiss_is_a_stack_of_four():
    torch.manual_seed(0)
    embedding = StateSpaceEmbedding(4, 6).double()
    x = torch.randn(3, 12, dtype=torch.float64)
    expected = []
    for patch in x.split(4, dim=1):
        steps = embedding.linear(patch[..., None])
        for i in range(4):
            layer, state, mixed = embedding.low[i], None, []
            for t in range(4):
                y, state = layer.mixer.step(steps[:, t], state)
                mixed.append(y)
            steps = layer.norm(steps + torch.stack(mixed, dim=1))
        expected.append(embedding.out(steps[:, -1]))
    assert_close(embedding(x), torch.stack(expected, dim=1))


def test_s_mamba_looks_across_channels_in_both_directions():
    torch.manual_seed(0)
    net = SMamba(24, 6, d_model=8, n_layers=1, dropout=0.0)
    for changed, seen in [(0, 2), (2, 0)]:
        other = past()
        other[..., changed] += 1
        assert (net(other) - net(past()))[..., seen].abs().max() > 1e-6


def test_features_enter_the_tokens_of_their_own_channel():
    torch.manual_seed(0)
    net = ITransformer(24, 6, d_model=8, n_layers=1, n_heads=2, dropout=0.0)
    net.encoder = torch.nn.Identity()  # attention would carry them on to the others
    features = torch.zeros(4, 3, 8)
    features[:, 1] = torch.randn(8)
    moved = (net(past(), features) - net(past())).abs().amax(dim=(0, 1))
    assert (moved > 1e-4).tolist() == [False, True, False]
