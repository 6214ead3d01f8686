"""`python -m klforecast.evaluation.lra`: the command as a module, for `torchrun`."""

import typer

from klforecast.evaluation.lra.command import lra

if __name__ == "__main__":
    typer.run(lra)
