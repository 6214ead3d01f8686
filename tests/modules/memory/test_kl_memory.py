import copy
import pickle

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules.memory.kl_memory import KLMemory
from klforecast.modules.memory.presets import PRESETS

SIZES = {"memory_depth": 12, "n_components": 4, "memory_tokens": 3, "state_size": 5}


def build(source, **options):
    torch.manual_seed(0)
    return KLMemory(8, source=source, **{**SIZES, **options}).double().eval()


def random_states(n, rows=12, size=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, rows, size, generator=generator, dtype=torch.float64)


def written(source, **options):
    memory = build(source, **options)
    for batch in random_states(60).split(6):
        memory.append(batch)
    return memory


def tensors(module):
    return copy.deepcopy(module.state_dict())


@pytest.fixture(params=["history", "trajectory"])
def source(request):
    return request.param


@pytest.mark.parametrize("solver", ["exact", "online"])
@pytest.mark.parametrize("training", [False, True])
def test_reading_never_writes(source, solver, training):
    memory = written(source, solver=solver).train(training)
    before = tensors(memory)
    memory(random_states(7, seed=2))
    assert_close(tensors(memory), before, rtol=0, atol=0)


def test_an_empty_memory_gives_zero_tokens(source):
    memory = build(source)
    if source == "history":
        memory.append(torch.ones(2, 12, 5))
    tokens = memory(random_states(7))
    assert tokens.shape == (7, 3, 8)
    assert not tokens.any()


def test_states_given_before_any_write_are_the_states_to_remember():
    memory = build("history")
    states = random_states(3, rows=7)
    tokens = memory(states)
    assert tokens.shape == (3, 3, 8)
    assert not torch.allclose(tokens[0], tokens[1])
    assert_close(memory(states[1:2]), tokens[1:2])


def scores_gradient(**options):
    memory = build("trajectory", n_components=2, **options).train()
    for batch in random_states(40, rows=6).split(4):
        memory.append(batch)
    tokens = memory(random_states(2))
    weights = torch.linspace(-1, 1, tokens.numel(), dtype=torch.float64).view_as(tokens)
    (tokens * weights).sum().backward()
    return memory, memory.score.weight.grad


def test_the_writer_of_a_trajectory_learns_only_without_detach():
    assert scores_gradient()[1] is None
    memory, gradient = scores_gradient(detach=False, dropout=0.0)
    assert gradient.any()
    plain = scores_gradient(dropout=0.0)[0]
    assert torch.equal(memory(random_states(2)), plain(random_states(2)))


def test_the_gradient_of_a_writer_is_that_of_its_newest_summaries():
    memory, gradient = scores_gradient(detach=False, dropout=0.0, scale_by_eigenvalue=False)
    batches = random_states(40, rows=6).split(4)
    slopes, stored = memory.store.slopes, memory.store.components
    decomposed = len(slopes)
    newest = batches[max(0, decomposed - 8) : decomposed]

    def loss(score):
        rows = []
        for states in newest:
            share = (states @ score).softmax(dim=1)[..., None]
            rows.append((share * states).sum(dim=1).mean(dim=0))
        moved = torch.stack(rows)
        change = slopes[-len(newest) :].T @ (moved - moved.detach())
        components = memory.project(stored + change)
        tokens = memory.norm(memory.token_mixer(components[None])).expand(2, -1, -1)
        weights = torch.linspace(-1, 1, tokens.numel(), dtype=torch.float64).view_as(tokens)
        return (tokens * weights).sum()

    score = memory.score.weight[0].detach().requires_grad_()
    assert_close(torch.autograd.grad(loss(score), score)[0], gradient[0])


def test_a_writer_cannot_learn_from_rows_that_are_not_kept():
    with pytest.raises(ValueError, match=r"detach=False.*solver='exact'"):
        build("trajectory", detach=False, solver="online")


def test_reset_forgets_all_that_was_written_and_nothing_that_was_learned(source):
    memory = written(source)
    memory.reset()
    assert_close(tensors(memory), tensors(build(source)), rtol=0, atol=0)


def test_tokens_of_a_window_depend_on_neither_order_nor_size_of_the_batch(source):
    memory = written(source)
    states = random_states(9, seed=3)
    tokens = memory(states)
    order = torch.randperm(9)
    assert_close(memory(states[order]), tokens[order])
    assert_close(torch.cat([memory(part) for part in states.split(2)]), tokens)


def test_history_tokens_are_a_function_of_the_history_and_trajectory_tokens_are_not():
    states, others = random_states(4, seed=4), random_states(4, seed=5)
    assert not torch.equal(written("history")(states), written("history")(others))
    assert torch.equal(written("trajectory")(states), written("trajectory")(others))


def test_a_batch_becomes_one_row_of_a_trajectory():
    memory = build("trajectory", writer="mean")
    batch = random_states(6)
    memory.append(batch)
    assert_close(memory.store.rows, batch.mean(dim=(0, 1))[None])


def test_the_attention_writer_weighs_the_states_of_each_sequence():
    memory = build("trajectory", writer="attention")
    with torch.no_grad():
        memory.score.weight.mul_(1e6)
    batch = random_states(6)
    memory.append(batch)
    chosen = memory.score(batch)[..., 0].argmax(dim=1)
    assert_close(memory.store.rows, batch[torch.arange(6), chosen].mean(dim=0)[None])


@pytest.mark.parametrize("detach", [True, False])
def test_gradients_reach_the_states_only_without_detach(detach):
    memory = written("history", detach=detach)
    states = random_states(3).requires_grad_()
    memory(states).square().sum().backward()
    assert (states.grad is None) == detach
    assert memory.project.weight.grad.any()


def test_gradients_through_the_components_are_the_true_ones():
    memory = written("history", detach=False)
    states = random_states(2).requires_grad_()
    assert torch.autograd.gradcheck(memory, states)


def test_written_states_keep_no_graph(source):
    memory = build(source)
    memory.append(random_states(6).requires_grad_())
    assert not any(buffer.requires_grad for buffer in memory.buffers())


def test_reset_before_predict_reads_an_empty_memory_outside_training():
    memory = written("trajectory", reset_before_predict=True)
    assert memory.train()(random_states(2)).any()
    before = tensors(memory)
    assert not memory.eval()(random_states(2)).any()
    assert_close(tensors(memory), before, rtol=0, atol=0)


def test_freezing_drops_the_rows_and_keeps_the_tokens_of_all_of_them():
    memory = written("trajectory")
    reference = written("trajectory")
    reference.store._decompose(reference.store.rows)
    memory.freeze()
    assert len(memory.store.rows) == 0
    assert_close(memory(random_states(2)), reference(random_states(2)))


@pytest.mark.parametrize("frozen", [False, True])
def test_a_memory_survives_pickling_and_state_dicts(source, frozen):
    memory = written(source)
    if frozen:
        memory.freeze()
    loaded = build(source)
    loaded.load_state_dict(memory.state_dict())
    states = random_states(3, seed=6)
    assert torch.equal(loaded(states), memory(states))
    assert torch.equal(pickle.loads(pickle.dumps(memory))(states), memory(states))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_a_handful_of_options(preset):
    memory = KLMemory.from_preset(preset, d_model=8, memory_depth=10)
    memory.append(torch.randn(4, 7, 8))
    memory.append(torch.randn(4, 7, 8))
    assert memory.source == "trajectory"
    assert memory.memory_depth == 10
    tokens = memory(torch.randn(3, 7, 8))
    assert tokens.shape == (3, PRESETS[preset]["memory_tokens"], 8)
    assert tokens.any()


def test_an_unknown_preset_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'v9'.*'factorized'"):
        KLMemory.from_preset("v9", d_model=8)


@pytest.mark.parametrize(
    "option",
    [
        {"source": "future"},
        {"strategy": "wavelet"},
        {"kernel": "linear", "strategy": "kernel"},
        {"writer": "max"},
        {"solver": "lanczos"},
        {"token_mixer": "wide"},
        {"memory_depth": 0},
        {"n_components": 0},
        {"memory_tokens": -1},
    ],
)
def test_a_bad_option_is_refused_with_its_value(option):
    name, value = next(iter(option.items()))
    with pytest.raises(ValueError, match=f"{name}={value!r}|{name} is {value!r}"):
        KLMemory(8, **{**SIZES, **option})


def test_states_of_another_size_are_refused(source):
    with pytest.raises(ValueError, match=r"\(2, 12, 4\).*state_size"):
        build(source)(torch.zeros(2, 12, 4))


def test_a_trajectory_is_mixed_once_for_all_windows_of_a_batch():
    memory = KLMemory(4, source="trajectory", memory_depth=8, n_components=2, memory_tokens=3)
    memory.append(torch.randn(5, 6, 4))
    memory.append(torch.randn(5, 6, 4))
    sizes = []
    memory.token_mixer.register_forward_hook(
        lambda module, inputs, tokens: sizes.append(len(tokens))
    )
    tokens = memory(torch.zeros(7, 1, 4))
    assert sizes == [1]
    assert tokens.shape == (7, 3, 4)
    assert (tokens == tokens[:1]).all()
