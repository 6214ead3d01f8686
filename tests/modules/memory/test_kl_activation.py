import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from klforecast.modules import KLActivation
from klforecast.ops.online import absorb, empty_state, feature_modes

D = 6


def draw(n=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(D, D, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    spread = torch.arange(D, 0, -1, dtype=torch.float64)
    x = torch.randn(n, D, generator=generator, dtype=torch.float64) * spread
    return 1 + x @ torch.linalg.qr(mixing).Q


def build(n_components=3, *, learned=True, **options):
    torch.manual_seed(0)
    activation = KLActivation(D, n_components, **options).double()
    activation.append(draw())
    if learned:
        for weights in activation.parameters():
            nn.init.normal_(weights)
    return activation.eval()


def close_all_gates(activation):
    nn.init.constant_(activation.gate_bias, -1e3)
    return activation


def test_the_modes_are_those_of_the_activations_seen():
    activation, x = build(), draw()
    eigenvalues, modes = feature_modes(absorb(empty_state(D), x, 3, block_length=len(x)))
    assert_close(activation.modes, modes)
    assert_close(activation.deviations, eigenvalues.sqrt())
    along = (x - x.mean(dim=0)) @ activation.modes
    assert_close(along.std(dim=0, correction=0), activation.deviations)


@pytest.mark.parametrize("n_components", [1, D, D + 2])
def test_unit_gates_leave_the_pointwise_activation_alone(n_components):
    x = draw(20, seed=1)
    assert torch.equal(build(n_components, learned=False)(x), nn.functional.gelu(x))
    assert torch.equal(build(n_components, learned=False, activation=nn.Identity())(x), x)


def test_without_anything_seen_the_gates_act_on_nothing():
    activation, x = build(), draw(20, seed=1)
    activation.reset()
    assert torch.equal(activation(x), nn.functional.gelu(x))


def test_closed_gates_project_the_modes_out_and_doing_it_twice_changes_nothing():
    activation = close_all_gates(build(learned=False, activation=nn.Identity()))
    x = draw(20, seed=1)
    y = activation(x)
    assert_close((y - activation.mean) @ activation.modes, torch.zeros(20, 3, dtype=torch.float64))
    assert_close(activation(y), y)
    rest = torch.eye(D, dtype=torch.float64) - activation.modes @ activation.modes.mT
    assert_close((y - activation.mean), (x - activation.mean) @ rest)


def test_all_modes_closed_leave_the_mean():
    activation = close_all_gates(build(D, learned=False, activation=nn.Identity()))
    assert_close(activation(draw(20, seed=1)), activation.mean.expand(20, D))


def test_a_shift_is_one_deviation_along_its_mode_whatever_the_input():
    activation = build(learned=False, activation=nn.Identity())
    nn.init.ones_(activation.shift[1:2])
    moved = activation(draw(20, seed=1)) - draw(20, seed=1)
    assert_close(moved, (activation.deviations[1] * activation.modes[:, 1]).expand(20, D))


def test_evaluation_writes_nothing_and_training_what_it_saw():
    activation = build()
    before = copy.deepcopy(activation.state_dict())
    activation(draw(20, seed=1))
    assert_close(activation.state_dict(), before, rtol=0, atol=0)
    activation.train()(draw(20, seed=1))
    assert activation.weight == 0.99 * 200 + 20
    assert not torch.allclose(activation.mean, before["mean"])


def test_in_training_no_sequence_sees_another_of_its_batch():
    x = draw(20, seed=1).unflatten(0, (4, 5))
    changed = x.clone()
    changed[1:] += 1
    assert torch.equal(build().train()(x)[0], build().train()(changed)[0])


def test_the_order_of_a_batch_does_not_matter():
    x, order = draw(20, seed=1), torch.randperm(20)
    straight, shuffled = build().train(), build().train()
    assert_close(shuffled(x[order]), straight(x)[order])
    assert_close(shuffled.state_dict(), straight.state_dict())


def test_a_mode_keeps_its_sign_where_its_largest_entry_becomes_another():
    activation = KLActivation(2, 1, forgetting=0.1)
    spread = torch.linspace(-1, 1, 9)[:, None]
    activation.append(spread * torch.tensor([1.0, -0.9]))
    before = activation.modes.clone()
    activation.append(spread * torch.tensor([1.0, -1.1]))
    assert activation.modes[1].abs() > activation.modes[0].abs()
    assert (activation.modes * before).sum() > 0.9


def test_gradients_are_those_of_finite_differences():
    activation = build()
    x = draw(4, seed=1).requires_grad_()
    parameters = dict(activation.named_parameters())

    def run(x, *values):
        given = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(activation, given, (x,))

    assert torch.autograd.gradcheck(run, (x, *parameters.values()))


def test_a_copy_from_its_state_gives_the_same():
    x = draw(20, seed=1)
    other = KLActivation(D, 3).double().eval()
    other.load_state_dict(build().state_dict())
    assert torch.equal(other(x), build()(x))


def test_a_layer_of_torch_takes_it_and_each_layer_remembers_its_own():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, D, activation=KLActivation(D, 2), batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    model(torch.randn(3, 5, 4)).square().sum().backward()
    first, second = (part.activation for part in model.layers)
    assert first.weight == second.weight == 15
    assert not torch.allclose(first.mean, second.mean)
    model(torch.randn(3, 5, 4)).square().sum().backward()
    assert all(weights.grad.any() for weights in first.parameters())


def test_along_a_mode_it_is_a_nonlinearity_of_its_own():
    activation = build(activation=nn.Identity())
    x = draw(3, seed=1)
    middle = activation((x[:1] + x[1:2]) / 2)
    assert not torch.allclose(middle, (activation(x[:1]) + activation(x[1:2])) / 2)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"d_hidden": 0}, "d_hidden=0"),
        ({"n_components": 0}, "n_components=0"),
        ({"forgetting": 0.0}, r"forgetting=0.0; pass a number in \(0, 1\]"),
    ],
)
def test_options_that_cannot_be_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        KLActivation(**{"d_hidden": D, **options})


def test_another_width_is_refused():
    with pytest.raises(ValueError, match="width 7; pass 6"):
        build()(torch.zeros(2, 7))
