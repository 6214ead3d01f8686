from klforecast.evaluation.studies import forgetting_gain


def test_the_command_shows_that_forgetting_helps_where_the_law_changes(capsys, monkeypatch):
    monkeypatch.setattr(forgetting_gain, "_PARTS", 5)  # each is a fit
    forgetting_gain.main(["--data", "--rows=3000", "--forgetting", "1.0", "0.998"])
    printed = capsys.readouterr().out.splitlines()
    drifting = next(line for line in printed if "weight of yesterday drifts" in line)
    never, forgetting = (float(cell) for cell in drifting.replace("│", " ").split()[-2:])
    assert forgetting < 0.95 * never
