import numpy as np
import pytest
import torch
from sklearn.utils import check_random_state

from klforecast.training.seeding import draw_seed, seeded


def draw(random_state):
    with seeded(random_state):
        return torch.rand(5)


def test_the_same_seed_draws_the_same_numbers():
    assert torch.equal(draw(7), draw(7))
    assert not torch.equal(draw(7), draw(8))
    assert torch.equal(draw(np.random.RandomState(3)), draw(np.random.RandomState(3)))


def test_no_seed_draws_other_numbers_each_time():
    assert not torch.equal(draw(None), draw(None))


@pytest.mark.parametrize("random_state", [None, 7])
def test_the_global_generators_stay_as_they_were_even_after_an_error(random_state):
    of_numpy = check_random_state(None)
    before_torch, before_numpy = torch.get_rng_state(), of_numpy.get_state()[1].copy()

    def fail():
        with seeded(random_state):
            torch.rand(5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(torch.get_rng_state(), before_torch)
    assert np.array_equal(of_numpy.get_state()[1], before_numpy)


@pytest.mark.parametrize("random_state", [-1, 2**31, 0.5, "7"])
def test_what_cannot_be_a_seed_is_refused_with_its_value(random_state):
    with pytest.raises(ValueError, match="random_state="):
        draw_seed(random_state)
