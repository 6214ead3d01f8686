import numpy as np
import pandas as pd
import pytest

from klforecast.core.plan import plan_core
from klforecast.evaluation.studies import core_weights
from klforecast.evaluation.studies.choices import DEFAULT
from klforecast.evaluation.studies.core_weights import RULES, Source, main, page_of, score


def wave(rows=240, level=0.0):
    noise = 0.1 * np.random.default_rng(0).standard_normal(rows)
    return pd.DataFrame({"a": np.sin(np.arange(rows) * np.pi / 6) + noise + level, "flat": 1.0})


def test_every_rule_changes_something_but_the_default():
    plan = plan_core([2000], 2, 24, periods=[12])
    for rule in RULES:
        changed = rule.constants or rule.variant.edit(plan) != plan
        assert bool(changed) == (rule.variant.name != DEFAULT)
    assert len({rule.variant.name for rule in RULES}) == len(RULES)


def test_rules_are_scored_after_the_share_and_a_constant_channel_is_left_out():
    rules = (RULES[0], RULES[-1])
    whole = list(score(wave(), 0.65, 12, rules))
    assert [row["alternative"] for row in whole] == [rule.variant.name for rule in rules]
    assert all(0 < row["mse"] < 0.2 for row in whole)
    changed = wave()
    changed.iloc[200:, 0] += 5.0  # beyond the rows that are scored: 156 to 191
    assert list(score(changed, 0.65, 12, rules)) == whole


def test_the_unit_of_the_rows_does_not_matter():
    plain = next(iter(score(wave(), 0.65, 12, RULES[:1])))["mse"]
    assert next(iter(score(1000 * wave(), 0.65, 12, RULES[:1])))["mse"] == pytest.approx(plain)


def test_the_page_has_a_line_for_each_rule_and_leaves_each_domain_out_once():
    rows = [
        {"config": domain, "domain": domain, "alternative": name, "mse": error, "mae": 1.0}
        for domain, worse in (("load", 2.0), ("finance", 0.5), ("weather", 1.2))
        for name, error in ((DEFAULT, 1.0), ("other", worse))
    ]
    line = page_of(rows).splitlines()[2]
    assert line == "| other | +100.0 % | -50.0 % | +20.0 % | +6.3 % | +0.0 % | 2 of 3 |"


def test_the_command_writes_rows_and_a_page(tmp_path, monkeypatch):
    source = Source("waves", "made", (12,), lambda: [wave(), wave(level=3.0)])
    monkeypatch.setattr(core_weights, "SOURCES", (source,))
    main(["--rules", "prior*", "--out", str(tmp_path / "rows"), "--page", str(tmp_path / "page")])
    assert len((tmp_path / "rows").read_text().splitlines()) == 2 * 3 * 2
    assert "| prior weights alone |" in (tmp_path / "page").read_text()
