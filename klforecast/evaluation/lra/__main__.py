"""`python -m klforecast.evaluation.lra`: the command as a module, for `torchrun`."""

import typer

from klforecast.evaluation.lra.command import lra

typer.run(lra)
