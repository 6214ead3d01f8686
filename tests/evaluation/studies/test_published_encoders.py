import pytest

from klforecast.estimators.parameters import check_parameters
from klforecast.evaluation.benchmark.encoder_recipes import (
    ENCODER_RECIPES,
    UNPUBLISHED,
    make_encoder,
)
from klforecast.evaluation.benchmark.models import GROUPS, model
from klforecast.evaluation.benchmark.protocol import Task
from klforecast.evaluation.benchmark.published import STANDARD_HORIZONS, published_encoder
from klforecast.evaluation.benchmark.rows import complete
from klforecast.evaluation.benchmark.runner import benchmark_cells, expand_cells
from klforecast.evaluation.cells import run_cells
from klforecast.evaluation.json_lines import append_line
from klforecast.evaluation.studies.published_encoders import hold, main, render_page
from klforecast.modules.encoders import ENCODERS


def row(encoder, horizon, mse, seed=0, kind="published", **changes):
    return complete(
        {
            "dataset": "ETTh1",
            "model": f"{encoder}/{kind}",
            "horizon": horizon,
            "seed": seed,
            "mse": mse,
            "cpu_seconds": 10.0,
            "input_length": 96,
            "changed_params": {},
            "published": published_encoder(encoder, "ETTh1", horizon),
            **changes,
        }
    )


def task(horizon=96, past_limit=None):
    return Task("ETTh1", horizon, 24, past_limit, validation_rows=2880, seed=3)


def test_every_encoder_is_either_held_to_a_number_or_said_to_have_none():
    assert set(ENCODER_RECIPES) | set(UNPUBLISHED) == set(ENCODERS)
    assert not set(ENCODER_RECIPES) & set(UNPUBLISHED)
    for encoder in ENCODER_RECIPES:
        numbers = [published_encoder(encoder, "ETTh1", horizon) for horizon in STANDARD_HORIZONS]
        assert all(numbers), encoder
        assert numbers[0]["mse"] or any(n["mse_at_horizon"] for n in numbers), encoder
    for encoder in UNPUBLISHED:
        assert published_encoder(encoder, "ETTh1", 96) is None


def test_the_group_holds_the_encoders_with_a_published_number():
    cells = expand_cells(["ETTh1"], ["published-encoders"], [96])
    assert [cell.model for cell in cells] == [f"{name}/published" for name in ENCODER_RECIPES]
    assert set(GROUPS["published-encoders"]) == {cell.model for cell in cells}


@pytest.mark.parametrize("encoder", ENCODER_RECIPES)
@pytest.mark.parametrize("horizon", STANDARD_HORIZONS)
def test_a_recipe_is_the_encoder_alone_in_settings_that_the_estimator_takes(encoder, horizon):
    params = model(f"{encoder}/published").make(task(horizon)).get_params()
    check_parameters(params)
    assert (params["encoder"], params["horizon"], params["random_state"]) == (encoder, horizon, 3)
    assert (params["linear_core"], params["memory"]) == (False, "none")
    for name, value in ENCODER_RECIPES[encoder].at_horizon.get(horizon, {}).items():
        assert params[name] == value


def test_the_limited_regime_cuts_the_lookback():
    assert make_encoder(task(past_limit=96), "nlinear").input_length == 96
    assert make_encoder(task(past_limit=96), "itransformer").input_length == 96


def test_a_row_carries_the_number_it_is_held_to(tmp_path, monkeypatch):
    def no_file(name):
        raise OSError(f"{name} is not there")

    monkeypatch.setattr("klforecast.evaluation.benchmark.runner.load", no_file)
    cells = expand_cells(["ETTh1"], ["olinear/published", "nlinear"], [192])
    ours, peer = run_cells(benchmark_cells(), cells, tmp_path / "rows.jsonl")
    assert ours["published"]["mse_at_horizon"] == 0.416
    assert (ours["published"]["mse"], ours["published"]["lookback"]) == (0.424, 96)
    assert peer["published"]["mse"] == 0.413


def test_the_gap_is_of_the_mean_over_seeds():
    (line,) = hold([row("olinear", 96, 0.36), row("olinear", 96, 0.378, seed=1)])
    assert line.gap == pytest.approx(100 * (0.369 / 0.36 - 1))
    assert (line.n_seeds, line.is_held) == (2, True)
    (worse,) = hold([row("olinear", 96, 0.3709)])
    assert not worse.is_held


def test_rows_that_say_nothing_about_a_paper_are_left_out():
    rows = [
        row("olinear", 96, 0.4),
        row("olinear", 96, 0.36),  # the later of equal cells
        row("gru", 96, 0.3),
        row("olinear", 192, None, error="ValueError: no"),
        row("nlinear", 96, 0.3, kind="none"),
        row("dlinear", 96, 0.3, changed_params={"lr": 1.0}),
        row("dlinear", 96, 0.3, dataset="ETTh2"),
    ]
    assert [(line.encoder, line.horizon, line.ours) for line in hold(rows)] == [
        ("olinear", 96, 0.36)
    ]


def test_an_average_in_print_is_held_against_all_four_horizons():
    rows = [row("swift", horizon, 0.4) for horizon in STANDARD_HORIZONS]
    assert hold(rows[:3]) == []
    (line,) = hold(rows)
    assert (line.horizon, line.ours, line.published) == (None, pytest.approx(0.4), 0.403)
    assert line.cpu_seconds == 40


def test_the_page_names_every_encoder_and_marks_who_falls_short(tmp_path):
    path, page = tmp_path / "rows.jsonl", tmp_path / "page.md"
    for given in (row("olinear", 96, 0.36), row("timexer", 96, 0.5)):
        append_line(path, given)
    main([str(path), "--out", str(page)])
    text = page.read_text()
    assert text == render_page([row("olinear", 96, 0.36), row("timexer", 96, 0.5)])
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    (olinear,) = [cells for cells in lines if cells[:1] == ["`olinear`"]]
    assert olinear[1:6] == ["96", "96", "0.3600", "0.360", "+0.0 %"]
    (timexer,) = [cells for cells in lines if cells[:1] == ["`timexer`"]]
    assert timexer[5].startswith("+30.9 % **")
    assert all(f"- `{name}`: " in text for name in ENCODERS)
