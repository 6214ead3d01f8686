"""Each mixer with a twist of its own against its published recurrence, written out plainly."""

import math

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


def assert_agree(mixer, x, expected):
    """The mixer and its definition are equal, and so are their gradients by every weight."""
    y, weights = mixer(x)[0], list(mixer.parameters())
    assert_close(y, expected, rtol=1e-7, atol=1e-9)
    found, wanted = (
        torch.autograd.grad(
            (out * torch.arange(out.numel()).reshape(out.shape).cos()).sum(), weights
        )
        for out in (y, expected)
    )
    assert_close(found, wanted, rtol=1e-6, atol=1e-8)


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


def test_mlstm_with_a_sigmoid_gate_has_no_normaliser():
    mixer, x = build(mixers.SigmoidMLSTM, n_heads=HEADS), inputs()
    q, k, v = qkv(mixer, x)
    i, f = mixer.gates(x).sigmoid().split(HEADS, dim=-1)
    S, rows = 0.0, []
    for t in range(LENGTH):
        written = outer(k[:, t], v[:, t]) / (D / HEADS) ** 0.5
        S = f[:, t, :, None, None] * S + i[:, t, :, None, None] * written
        rows.append(read(S, q[:, t]))
    assert_agree(mixer, x, finished(mixer, torch.stack(rows, 1), x))


def test_gated_kalmanet_is_the_weighted_ridge_regression_of_its_past():
    mixer, x = build(mixers.GatedKalmaNet, n_heads=HEADS), inputs()
    q, k, v = (silu(part) for part in qkv(mixer, x))
    q, k = normalize(q, dim=-1), normalize(k, dim=-1)
    gates = (mixer.forget, mixer.write, mixer.solved)
    keep, write, solved = (gate(x).sigmoid() for gate in gates)
    ridge, rows = mixer.log_ridge.exp(), []
    for t in range(LENGTH):
        for b in range(3):
            for h in range(HEADS):
                kept = torch.stack([keep[b, s + 1 : t + 1, h].prod() for s in range(t + 1)])
                weight = (kept * write[b, : t + 1, h] ** 2)[:, None]
                K, V = k[b, : t + 1, h], v[b, : t + 1, h]
                H, G = K.mT @ (weight * K), K.mT @ (weight * V)
                strength = ridge[h] * H.norm() + 1e-6
                inverse = torch.linalg.inv(H + strength * torch.eye(D // HEADS).double())
                a = solved[b, t, h]
                rows.append(G.mT @ ((1 - a) * q[b, t, h] + a * inverse @ q[b, t, h]))
    rows = torch.stack(rows).unflatten(0, (LENGTH, 3, HEADS)).transpose(0, 1)
    assert_agree(mixer, x, finished(mixer, rows, x))


@pytest.mark.parametrize("n_active", [1, 2, 3])
def test_a_mixture_writes_whole_values_to_the_memories_it_routes_to(n_active):
    options = {"n_heads": HEADS, "n_memories": 3, "n_active": n_active}
    mixer, x = build(mixers.MixtureOfMemories, **options), inputs()
    q, k, v = qkv(mixer, x)
    likely = mixer.router(x).softmax(dim=-1)
    gate = mixer.forget(x).sigmoid()[..., None, None]
    memories, shared, rows = [torch.zeros(())] * 3, 0.0, []
    for t in range(LENGTH):
        written = outer(silu(k[:, t]), v[:, t])
        shared = gate[:, t] * shared + written
        chosen = torch.zeros(3, 3).double()
        for b in range(3):
            chosen[b, likely[b, t].argsort(descending=True)[:n_active]] = 1
        shares = chosen * likely[:, t] / (chosen * likely[:, t]).sum(dim=-1, keepdim=True)
        total = shared
        for m in range(3):
            hit = chosen[:, m, None, None, None]
            memories[m] = torch.where(hit > 0, gate[:, t], 1.0) * memories[m] + hit * written
            total = total + shares[:, m, None, None, None] * memories[m]
        rows.append(read(total, silu(q[:, t])))
    assert_agree(mixer, x, finished(mixer, torch.stack(rows, 1), x))


def test_a_mixture_that_cannot_decide_still_writes_no_more_than_it_may():
    mixer = build(mixers.MixtureOfMemories, n_heads=HEADS, n_memories=4, n_active=2)
    nn.init.zeros_(mixer.router.weight)
    assert ((mixer.shares(inputs()) > 0).sum(dim=-1) == 2).all()


def test_lightnet_is_a_running_softmax_over_time():
    mixer, x = build(mixers.LightNet, n_heads=HEADS), inputs()
    q, k, v = qkv(mixer, x)
    rows = []
    for t in range(LENGTH):
        weight = k[:, : t + 1].softmax(dim=1)
        rows.append(read(torch.einsum("bshn,bshp->bhnp", weight, v[:, : t + 1]), silu(q[:, t])))
    assert_close(mixer(x)[0], finished(mixer, torch.stack(rows, 1), x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("kernel", "negative"), [(4, False), (2, True)])
def test_mamba_is_its_selective_scan(kernel, negative):
    options = {"d_state": 3, "kernel": kernel, "negative_eigenvalues": negative}
    mixer, x = build(mixers.Mamba, **options), inputs()
    u, z = mixer.into(x).chunk(2, dim=-1)
    u = silu(mixer.convolution(nn.functional.pad(u.mT, (kernel - 1, 0)))).mT
    low, B, C = mixer.select(u).split([mixer.rank, 3, 3], dim=-1)
    step = softplus(mixer.step_size(low))
    A = -mixer.log_decay.exp()
    h, rows = 0.0, []
    for t in range(LENGTH):
        size = step[:, t, :, None]
        keep = (size * A).exp()
        keep = 2 * keep - 1 if negative else keep
        h = keep * h + size * B[:, t, None] * u[:, t, :, None]
        rows.append((h * C[:, t, None]).sum(dim=-1))
    assert_agree(mixer, x, mixer.out((torch.stack(rows, 1) + mixer.skip * u) * silu(z)))


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


def impulse_response(mixer, length):
    """What a shock into the last state makes of that state, one channel."""
    A, _ = mixer.transition()
    state, response = torch.zeros(A.shape[-1], dtype=torch.float64), []
    state[-1] = 1
    for _ in range(length):
        response.append(state[-1])
        state = A[0] @ state
    return torch.stack(response)


def test_spacetime_holds_an_oscillation_that_lasts():
    mixer = build(mixers.SpaceTime, d_state=2)
    pole = 0.99 * complex(math.cos(0.1), math.sin(0.1))
    weights = torch.tensor(
        [2 * pole.real, -(abs(pole) ** 2)], dtype=torch.float64
    )  # absolute sum 2.95
    partial = torch.stack([weights[0] / (1 - weights[1]), weights[1]])
    with torch.no_grad():
        mixer.reflection.copy_(partial.atanh())
    series = [torch.ones(()).double(), weights[0]]
    for _ in range(198):
        series.append(weights[0] * series[-1] + weights[1] * series[-2])
    assert_close(impulse_response(mixer, 200), torch.stack(series))


def test_the_companion_form_never_explodes():
    mixer = build(mixers.SpaceTime, d_state=5)
    nn.init.normal_(mixer.reflection, std=10.0)
    assert torch.linalg.eigvals(mixer.transition()[0]).abs().max() <= 1 + 1e-6


def test_every_stable_autoregression_is_within_reach():
    mixer, generator = build(mixers.SpaceTime, d_state=4), torch.Generator().manual_seed(0)
    radius, angle = torch.rand(2, 2, generator=generator, dtype=torch.float64)
    poles = torch.polar(0.9 + 0.09 * radius, 3 * angle)
    polynomial = torch.ones(1, dtype=torch.complex128)
    for root in torch.cat([poles, poles.conj()]):
        padded = nn.functional.pad(polynomial, (0, 1))
        polynomial = padded - root * padded.roll(1)
    weights = -polynomial.real[1:]  # of lag 1, 2, ...
    partial, left = [], weights
    while len(left):  # Levinson's steps the other way
        last, rest = left[-1], left[:-1]
        partial.insert(0, last)
        left = (rest + last * rest.flip(0)) / (1 - last**2)
    with torch.no_grad():
        mixer.reflection.copy_(torch.stack(partial).atanh())
    found = torch.linalg.eigvals(mixer.transition()[0][0])
    for root in poles:
        assert (found - root).abs().min() < 1e-8
