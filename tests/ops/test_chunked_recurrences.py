"""Every chunked kernel equals its loop, values and gradients, at any length, chunk and state."""

import pytest
import torch
from torch.nn.functional import logsigmoid, normalize
from torch.testing import assert_close

from klforecast.ops.delta import delta_rule, delta_rule_loop
from klforecast.ops.linear_attention import linear_attention, linear_attention_loop
from klforecast.ops.ridge_attention import ridge_attention, ridge_attention_loop

BATCH, HEADS, N, P = 2, 3, 4, 5


def narrow_terms(length):
    q, k, v, keep = attention_terms(length, decay=N)
    return [q, k, v[..., :1], keep]


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def attention_terms(length, decay=1):
    q, k = normal(2, BATCH, HEADS, length, N)
    v = normal(BATCH, HEADS, length, P)
    return [q, k, v, logsigmoid(normal(BATCH, HEADS, length, decay))]


def diagonal_terms(length):
    return attention_terms(length, decay=N)


def delta_terms(length):
    q, k, v, keep = attention_terms(length)
    return [q, normalize(k, dim=-1), v, 2 * torch.rand_like(keep), keep]


def ridge_terms(length):
    solved = torch.rand(BATCH, HEADS, length, 1, dtype=torch.float64)
    return [*attention_terms(length), solved, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)]


def matrix_state():
    return normal(BATCH, HEADS, N, P)


def ridge_state():
    root = normal(BATCH, HEADS, N, N)
    return root @ root.mT, matrix_state()


CASES = {
    "scalar decay": (linear_attention, linear_attention_loop, attention_terms, matrix_state),
    "diagonal decay": (linear_attention, linear_attention_loop, diagonal_terms, matrix_state),
    "diagonal decay, values of width one": (
        linear_attention,
        linear_attention_loop,
        narrow_terms,
        lambda: matrix_state()[..., :1],
    ),
    "delta": (delta_rule, delta_rule_loop, delta_terms, matrix_state),
    "ridge": (ridge_attention, ridge_attention_loop, ridge_terms, ridge_state),
}


@pytest.fixture(params=CASES, autouse=True)
def case(request):
    torch.manual_seed(0)
    return CASES[request.param]


def run(function, terms, state, **options):
    leaves = [term.clone().requires_grad_() for term in terms]
    start = state
    if state is not None:
        start = tuple(part.clone().requires_grad_() for part in _parts(state))
        leaves += start
        start = start if isinstance(state, tuple) else start[0]
    y, after = function(*leaves[: len(terms)], start, **options)
    loss = (y * torch.arange(y.numel()).reshape(y.shape).cos()).sum()
    loss = loss + sum((part.sin()).sum() for part in _parts(after))
    return y, after, torch.autograd.grad(loss, leaves)


def _parts(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("length", [1, 7, 33])
@pytest.mark.parametrize("chunk", [1, 4, 16, None])
@pytest.mark.parametrize("with_state", [False, True])
def test_the_chunked_form_is_the_loop(case, length, chunk, with_state):
    fast, loop, make_terms, make_state = case
    terms = make_terms(length)
    state = make_state() if with_state else None
    options = {"chunk": chunk} if chunk else {}  # or as it is by default
    assert_close(run(fast, terms, state, **options), run(loop, terms, state))


def test_two_halves_are_one_whole(case):
    fast, _, make_terms, make_state = case
    terms, state = make_terms(20), make_state()
    per_step = [term.dim() == 4 for term in terms]

    def part(where):
        return [t[:, :, where] if steps else t for t, steps in zip(terms, per_step, strict=True)]

    first, between = fast(*part(slice(0, 9)), state)
    second, after = fast(*part(slice(9, None)), between)
    assert_close((torch.cat([first, second], dim=2), after), fast(*terms, state))


def test_nothing_overflows_where_the_memory_is_wiped(case):
    fast, _, make_terms, _ = case
    terms = [term.float() for term in make_terms(64)]
    keep = 4 if fast is delta_rule else 3
    terms[keep] = 200 * terms[keep]
    y, _, gradients = run(fast, terms, None)
    assert y.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)
