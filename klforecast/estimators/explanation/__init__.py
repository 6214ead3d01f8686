"""What each part of the past and each covariate adds to a forecast."""
