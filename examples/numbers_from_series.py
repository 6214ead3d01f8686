"""
Numbers from series
===================

Tell a number from a series, and use the features under another model in a pipeline of scikit-learn.
"""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from klforecast import SpectralFeatures, SpectralSSMRegressor
from klforecast.estimators.plots import style
from klforecast.estimators.plots.plotting import new_axes

# Machines that turn at an unknown speed, heard in noise: how fast does each one turn?
rng = np.random.default_rng(0)
speed = rng.uniform(2, 8, 200)  # turns in a recording
steps = np.linspace(0, 2 * np.pi, 150)
X = np.sin(speed[:, None] * steps + rng.uniform(0, 6, (200, 1))) + 0.5 * rng.normal(size=(200, 150))
X_train, X_test, y_train, y_test = X[:120], X[120:], speed[:120], speed[120:]

regressor = SpectralSSMRegressor(random_state=0).fit(X_train, y_train)
predicted = regressor.predict(X_test)
error = np.abs(predicted - y_test).mean()
guess = np.abs(y_train.mean() - y_test).mean()
print(f"regressor: mean error {error:.2f} turns, where the mean speed errs by {guess:.2f}")

axes = new_axes()
axes.plot([2, 8], [2, 8], color=style.MUTED, linewidth=1, label="as it should be")
axes.plot(y_test, predicted, ".", color=style.MODELS[0][0], label="recordings")
axes.set(xlabel="turns in the recording", ylabel="turns told from it")
style.legend_above(axes)
style.tidy_axes(axes)
figure = axes.figure

# %%
# The features alone, under a ridge regression.

pipeline = make_pipeline(
    SpectralFeatures(n_filters=256, kinds=["sides", "peak"], random_state=0),
    StandardScaler(),
    RidgeCV(np.logspace(0, 5, 11)),
).fit(X_train, y_train)
names = pipeline[0].get_feature_names_out()
print(f"pipeline: R2 {pipeline.score(X_test, y_test):.3f} on {len(names)} features, as {names[0]}")
assert regressor.score(X_test, y_test) > 0.8
