"""What single encoders claim about themselves."""

import math

import torch
from torch.testing import assert_close

from klforecast.modules.encoders import Sizes
from klforecast.modules.encoders.autoformer import auto_correlation, split_trend
from klforecast.modules.encoders.itransformer import ITransformer
from klforecast.modules.encoders.mixlinear import MixLinear
from klforecast.modules.encoders.olinear import OLinear
from klforecast.modules.encoders.patch_encoder import cut_patches
from klforecast.modules.encoders.patchtst import patchtst
from klforecast.modules.encoders.smamba import SMamba
from klforecast.modules.encoders.spacetime import SpaceTimeForecaster
from klforecast.modules.encoders.swift import SWIFT
from klforecast.modules.encoders.timesnet import TimesNet
from klforecast.ops.dense_ssm import companion


def past(n=4, length=24, channels=3):
    return torch.randn(n, length, channels, generator=torch.Generator().manual_seed(0))


def test_swift_with_the_identity_repeats_its_window():
    net = SWIFT(24, 24)
    with torch.no_grad():
        for weights in net.convolution.parameters():
            weights.zero_()
        net.map.weight.copy_(torch.eye(12))
        net.map.bias.zero_()
    assert_close(net(past()), past())


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


def test_timesnet_folds_by_the_periods_of_the_training_windows():
    net = TimesNet(48, 4, 2, d_model=4, n_layers=1, n_periods=2)
    time = torch.arange(48)
    wave = (2 * math.pi * time / 12).sin() + 0.5 * (2 * math.pi * time / 6).sin()
    net.absorb(wave.expand(10, 2, 48), torch.zeros(10, 2, 4))
    assert [48 // f for f in net.frequencies.tolist()] == [12, 6]


def test_autoformer_weighs_delays_by_their_correlation():
    q, k, v = torch.randn(3, 2, 10, 4, dtype=torch.float64)
    match = torch.stack([(q * k.roll(d, dims=1)).sum(dim=1).mean(dim=1) for d in range(10)], dim=1)
    best, delays = match.topk(3, dim=1)
    expected = torch.zeros_like(v)
    for b in range(2):
        for weight, delay in zip(best[b].softmax(dim=0), delays[b].tolist(), strict=True):
            expected[b] += weight * v[b].roll(-delay, dims=0)
    assert_close(auto_correlation(q, k, v, 3), expected)


def test_season_and_trend_are_the_series():
    x = past()
    season, trend = split_trend(x)
    assert_close(season + trend, x)


def test_spacetime_forecasts_in_a_closed_loop():
    sizes = Sizes(10, 1, 16, d_model=4, n_layers=1, n_heads=2, patch_length=4, dropout=0.0)
    torch.manual_seed(0)
    net = SpaceTimeForecaster(sizes, n_states=3).double()
    states = torch.randn(2, 4, 4, dtype=torch.float64)
    A, B = companion(net.feedback), net.writing
    h = torch.zeros(2, 4, 3, dtype=torch.float64)
    for t in range(4):
        h = (A @ h[..., None])[..., 0] + B * states[:, t, :, None]
    patches = []
    for _ in range(3):
        own_input = (net.loop * h).sum(dim=-1, keepdim=True)
        h = (A @ h[..., None])[..., 0] + B * own_input
        patches.append(net.head((net.reading * h).sum(dim=-1)))
    assert_close(net.predict(states), torch.cat(patches, dim=1)[:, :10])


def test_patches_of_patchtst_overlap_by_half():
    net = patchtst(Sizes(10, 1, 24, d_model=8, n_heads=2, patch_length=8))
    assert net.patches.n_patches == 5
    patches = cut_patches(torch.arange(24.0)[None], 8, 4)
    assert patches[0, :, 0].tolist() == [0, 4, 8, 12, 16]
    assert patches[0, -1, -1] == 23


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
