import torch

from klforecast.core.covariate_terms import covariate_basis, moving_mean


def columns(rows=400):
    generator = torch.Generator().manual_seed(0)
    smooth = torch.randn(rows, 1, generator=generator, dtype=torch.float64).cumsum(0)
    holiday = (torch.arange(rows) % 50 == 0).double()[:, None]
    return torch.cat([smooth, holiday, torch.full((rows, 1), 3.0)], dim=1)


def basis_of(rows, period=12):
    plain = torch.zeros(rows.shape[1], dtype=torch.bool)
    return covariate_basis([rows], [torch.arange(len(rows))], period, plain)


def test_a_moving_mean_is_the_mean_of_the_last_rows():
    rows = columns()
    means = moving_mean(rows, 12)
    torch.testing.assert_close(means[100], rows[89:101].mean(dim=0))
    torch.testing.assert_close(means[3], rows[:4].mean(dim=0))


def test_the_terms_span_every_piecewise_linear_function_with_these_knots():
    rows = columns()
    basis = basis_of(rows, period=1)
    terms = basis.evaluate(rows, torch.arange(400))[:, basis.terms[:, 0] == 0]
    knot = basis.knots[0, 0, 2] * basis.scale[0] + basis.center[0]
    wanted = (rows[:, :1] - knot).abs()
    ones = torch.ones(400, 1, dtype=torch.float64)
    inputs = torch.cat([terms, ones], dim=1)
    fitted = inputs @ torch.linalg.lstsq(inputs, wanted, driver="gelsd").solution
    torch.testing.assert_close(fitted, wanted)


def test_a_column_of_two_values_is_used_as_it_is_and_at_each_phase():
    terms = basis_of(columns()).terms
    assert terms[terms[:, 0] == 1, 1].unique().tolist() == [0]
    assert len(terms[terms[:, 0] == 1]) == 9


def test_a_constant_column_does_nothing():
    rows = columns()
    basis = basis_of(rows)
    assert (basis.evaluate(rows, torch.arange(400))[:, basis.terms[:, 0] == 2] == 0).all()


def test_terms_do_not_depend_on_units_or_on_later_rows():
    rows = columns()
    values = basis_of(rows).evaluate(rows, torch.arange(400))
    other = 7 * rows - 100
    torch.testing.assert_close(basis_of(other).evaluate(other, torch.arange(400)), values)
    later = rows.clone()
    later[300:] = 1e6
    again = basis_of(rows).evaluate(later, torch.arange(400))
    assert torch.equal(again[:300], values[:300])


def test_terms_follow_the_phase_and_not_the_first_row():
    rows = columns()
    basis = basis_of(rows)
    whole = basis.evaluate(rows, torch.arange(400))
    torch.testing.assert_close(basis.evaluate(rows[50:], torch.arange(50, 400))[12:], whole[62:])


def test_a_part_keeps_the_terms_of_its_columns():
    basis = basis_of(columns())
    chosen = basis.of_columns(torch.tensor([False, True, False]))
    assert chosen.tolist() == (basis.terms[:, 0] == 1).tolist()


def test_a_column_far_from_what_was_seen_acts_like_the_edge_of_it():
    rows = torch.sin(torch.arange(400.0, dtype=torch.float64))[:, None] * torch.tensor([1.0, 5.0])
    basis = basis_of(rows)
    edge, far = (rows.amax(dim=0).repeat(50, 1) * size for size in (1.0, 1e6))
    steps = torch.arange(400, 450)
    torch.testing.assert_close(basis.evaluate(far, steps), basis.evaluate(edge, steps))
    assert basis.is_far(far, steps).all()
    assert not basis.is_far(1.05 * edge, steps).any()
    torch.testing.assert_close(basis.seen()[1], rows.amax(dim=0))


def test_beyond_the_edge_the_functions_could_go_on_linearly():
    rows = torch.sin(torch.arange(400.0, dtype=torch.float64))[:, None]
    basis = basis_of(rows, period=1)
    first, second, third = basis.without_edges().evaluate(
        torch.tensor([[10.0], [11.0], [12.0]]), torch.tensor([400, 401, 402])
    )
    torch.testing.assert_close(third - second, second - first)
    assert (second - first).abs().max() > 0.1


def test_a_trend_is_followed_beyond_its_range():
    rows = torch.arange(400.0, dtype=torch.float64)[:, None]
    basis = basis_of(rows, period=1)
    ahead, steps = torch.arange(400.0, 500.0)[:, None], torch.arange(400, 500)
    torch.testing.assert_close(
        basis.evaluate(ahead, steps), basis.without_edges().evaluate(ahead, steps)
    )
    assert not basis.is_far(ahead, steps).any()
    assert basis.is_far(2 * ahead, steps).all()
