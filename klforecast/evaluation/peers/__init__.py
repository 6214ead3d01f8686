"""Published networks that run beside our own models, on the same windows, in the same run."""
