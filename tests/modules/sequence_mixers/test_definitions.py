"""Each mixer with a twist of its own against its published recurrence, written out plainly."""

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize, silu, softplus
from torch.testing import assert_close

from klforecast.modules import sequence_mixers as mixers

D, HEADS, LENGTH = 8, 2, 9


def build(kind, **options):
    torch.manual_seed(0)
    return kind(D, **options).double()


def inputs():
    return torch.randn(3, LENGTH, D, dtype=torch.float64)


def finished(mixer, o, x):  # o (batch, length, heads, d)
    normed = nn.functional.rms_norm(o, (o.shape[-1],), mixer.norm.weight)
    return mixer.out(normed.flatten(2) * torch.sigmoid(mixer.gate(x)))


def qkv(mixer, x):  # (batch, length, heads, d) each
    return [part.unflatten(-1, (HEADS, -1)) for part in mixer.into(x).chunk(3, dim=-1)]


def outer(k, v):
    return k[..., :, None] * v[..., None, :]


def read(S, q):
    return (S.mT @ q[..., None])[..., 0]


def test_linear_attention_fades_by_its_head():
    mixer, x = build(mixers.LinearAttention, n_heads=HEADS), inputs()
    q, k, v = qkv(mixer, x)
    keep = torch.tensor([2.0**-4, 2.0**-8], dtype=torch.float64).neg().exp()[:, None, None]
    S, rows = 0.0, []
    for t in range(LENGTH):
        S = keep * S + outer(silu(k[:, t]), v[:, t])
        rows.append(read(S, silu(q[:, t])))
    assert_close(mixer(x)[0], finished(mixer, torch.stack(rows, 1), x))


@pytest.mark.parametrize(("reflections", "negative"), [(1, True), (2, True), (3, False)])
def test_the_delta_rule_multiplies_reflections(reflections, negative):
    options = {"reflections": reflections, "negative_eigenvalues": negative}
    mixer, x = build(mixers.DeltaNet, n_heads=HEADS, **options), inputs()
    q, k, v = mixer.into(x).split([D, reflections * D, reflections * D], dim=-1)
    q = normalize(silu(q.unflatten(-1, (HEADS, -1))), dim=-1)
    k = normalize(silu(k.unflatten(-1, (reflections, HEADS, -1))), dim=-1)
    v = silu(v.unflatten(-1, (reflections, HEADS, -1)))
    b = (2 if negative else 1) * mixer.rate(x).sigmoid().unflatten(-1, (reflections, HEADS))
    S, rows = torch.zeros(3, HEADS, D // HEADS, D // HEADS, dtype=torch.float64), []
    for t in range(LENGTH):
        for i in range(reflections):
            key, rate = k[:, t, i], b[:, t, i][..., None, None]
            S = S - rate * outer(key, read(S, key)) + rate * outer(key, v[:, t, i])
        rows.append(read(S, q[:, t]))
    assert_close(mixer(x)[0], finished(mixer, torch.stack(rows, 1), x))


def test_mlstm_is_its_unscaled_definition():
    mixer, x = build(mixers.MLSTM, n_heads=HEADS), 3 * inputs()
    q, k, v = qkv(mixer, x)
    k = k / (D / HEADS) ** 0.5
    i, f = mixer.gates(x).split(HEADS, dim=-1)
    S, n, rows = 0.0, 0.0, []
    for t in range(LENGTH):
        forget, write = f[:, t].sigmoid()[..., None], i[:, t].exp()[..., None]
        S = forget[..., None] * S + write[..., None] * outer(k[:, t], v[:, t])
        n = forget * n + write * k[:, t]
        rows.append(read(S, q[:, t]) / (n * q[:, t]).sum(-1, keepdim=True).abs().clamp(min=1))
    assert_close(mixer(x)[0], finished(mixer, torch.stack(rows, 1), x))


def test_mlstm_survives_gates_that_overflow():
    mixer = build(mixers.MLSTM, n_heads=HEADS).float()
    y, _ = mixer(1e4 * inputs().float())
    assert y.isfinite().all()


def test_gated_kalmanet_is_the_weighted_ridge_regression_of_its_past():
    mixer, x = build(mixers.GatedKalmaNet, n_heads=HEADS), inputs()
    q, k, v = qkv(mixer, x)
    q, k = normalize(q, dim=-1), normalize(k, dim=-1)
    gate, ridge = mixer.forget(x).sigmoid(), mixer.log_ridge.exp()
    rows = torch.zeros_like(v)
    for t in range(LENGTH):
        for b in range(3):
            for h in range(HEADS):
                weight = torch.stack([gate[b, s + 1 : t + 1, h].prod() for s in range(t + 1)])
                K, V = k[b, : t + 1, h], v[b, : t + 1, h]
                H = K.mT @ (weight[:, None] * K)
                strength = ridge[h] * H.norm() + 1e-6
                H = H + strength * torch.eye(D // HEADS, dtype=torch.float64)
                coefficients = torch.linalg.solve(H, K.mT @ (weight[:, None] * V))
                rows[b, t, h] = coefficients.mT @ q[b, t, h]
    assert_close(mixer(x)[0], finished(mixer, rows, x))


def test_a_mixture_writes_only_the_memories_it_routes_to():
    mixer, x = build(mixers.MixtureOfMemories, n_heads=HEADS, n_memories=3, n_active=1), inputs()
    q, k, v = qkv(mixer, x)
    shares = mixer.router(x).softmax(dim=-1)
    gate = mixer.forget(x).sigmoid()[..., None, None]
    memories, shared, rows = [torch.zeros(())] * 3, 0.0, []
    for t in range(LENGTH):
        written = outer(silu(k[:, t]), v[:, t])
        shared = gate[:, t] * shared + written
        chosen = nn.functional.one_hot(shares[:, t].argmax(dim=-1), 3).double()
        total = shared
        for m in range(3):
            hit = chosen[:, m, None, None, None]
            memories[m] = torch.where(hit > 0, gate[:, t], 1.0) * memories[m] + hit * written
            total = total + hit * memories[m]
        rows.append(read(total, silu(q[:, t])))
    assert_close(mixer(x)[0], finished(mixer, torch.stack(rows, 1), x))


def test_lightnet_is_a_running_softmax_over_time():
    mixer, x = build(mixers.LightNet, n_heads=HEADS), inputs()
    q, k, v = qkv(mixer, x)
    rows = []
    for t in range(LENGTH):
        weight = k[:, : t + 1].softmax(dim=1)
        rows.append(read(torch.einsum("bshn,bshp->bhnp", weight, v[:, : t + 1]), silu(q[:, t])))
    assert_close(mixer(x)[0], finished(mixer, torch.stack(rows, 1), x), rtol=1e-6, atol=1e-9)


def test_mamba_is_its_selective_scan():
    mixer, x = build(mixers.Mamba, d_state=3), inputs()
    u, z = mixer.into(x).chunk(2, dim=-1)
    u = silu(mixer.convolution(nn.functional.pad(u.mT, (3, 0)))).mT
    low, B, C = mixer.select(u).split([mixer.rank, 3, 3], dim=-1)
    step = softplus(mixer.step_size(low))
    A = -mixer.log_decay.exp()
    h, rows = 0.0, []
    for t in range(LENGTH):
        size = step[:, t, :, None]
        h = (size * A).exp() * h + size * B[:, t, None] * u[:, t, :, None]
        rows.append((h * C[:, t, None]).sum(dim=-1))
    y = mixer.out((torch.stack(rows, 1) + mixer.skip * u) * silu(z))
    assert_close(mixer(x)[0], y)


def test_s4d_starts_as_hippo():
    mixer = mixers.S4D(D, 4)
    assert_close(mixer.log_decay, torch.full((D, 4), 0.5).log())
    assert_close(mixer.frequency[0], mixer.frequency[-1])


def test_lssl_approaches_its_differential_equation_for_small_steps():
    mixer = build(mixers.LSSL, d_state=3)
    nn.init.constant_(mixer.log_step, -7.0)
    A, B = mixer.transition()
    size = mixer.log_step.exp()[0]
    assert_close(A[0], torch.linalg.matrix_exp(size * mixer.A), rtol=0, atol=1e-7)
    assert_close(B[0] / size, mixer.B, rtol=1e-2, atol=0)


def test_spacetime_holds_an_autoregression_exactly():
    mixer = build(mixers.SpaceTime, d_state=3)
    weights = torch.tensor([0.5, -0.3, 0.1], dtype=torch.float64)
    with torch.no_grad():
        mixer.feedback.copy_(weights)
    A, _ = mixer.transition()
    shocks, series = torch.zeros(12, dtype=torch.float64), torch.zeros(12, dtype=torch.float64)
    shocks[0] = 1.0
    # Each shock enters the last state and comes out of it as the series it starts.
    state = torch.zeros(3, dtype=torch.float64)
    entering = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    for t in range(12):
        past = [series[t - i] if t >= i else torch.zeros(()).double() for i in (1, 2, 3)]
        series[t] = shocks[t] + sum(w * p for w, p in zip(weights.flip(0), past, strict=True))
        state = A[0] @ state + entering * shocks[t]
        assert_close(state[-1], series[t])


def test_the_companion_form_never_explodes():
    mixer = build(mixers.SpaceTime, d_state=5)
    nn.init.normal_(mixer.feedback, std=10.0)
    assert torch.linalg.eigvals(mixer.transition()[0]).abs().max() <= 1 + 1e-9
