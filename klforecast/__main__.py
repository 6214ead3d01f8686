"""``python -m klforecast``: the command line."""

from klforecast.cli import app

if __name__ == "__main__":
    app()
