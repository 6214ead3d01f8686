import torch

from klforecast.evaluation.studies.stream_cost import main


def test_the_command_prints_what_it_measured_and_restores_the_threads(capsys):
    threads = torch.get_num_threads()
    small = ["--memory-depth=24", "--repeats=1", "--series=4", "--file-rows=300"]
    main(["--seen", "300", "400", *small])
    printed = capsys.readouterr().out
    assert "24 rows of one channel at memory_depth=24" in printed
    assert "panel of 4 series x 200 rows" in printed
    assert "file of a default forecaster on 300 rows x 7 channels" in printed
    assert torch.get_num_threads() == threads
