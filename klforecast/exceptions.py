"""The errors and warnings that klforecast raises by name."""


class KLForecastError(Exception):
    """Base of every error that is specific to klforecast."""


class DataNotFoundError(KLForecastError, FileNotFoundError):
    """A named data set is neither in the data folder nor could it be downloaded."""


class NumericalWarning(RuntimeWarning):
    """A computation went on only after a repair; the message gives its size."""
