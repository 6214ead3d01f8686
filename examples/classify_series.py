"""
Classify series of several channels
===================================

Motions recorded by six sensors, classified in closed form, and how sure each answer is.
"""

import numpy as np
from sktime.datasets import load_basic_motions

from klforecast import SpectralSSMPanelClassifier
from klforecast.estimators.plots.plotting import new_axes

X_train, y_train = load_basic_motions(split="train")
X_test, y_test = load_basic_motions(split="test")

classifier = SpectralSSMPanelClassifier(random_state=0).fit(X_train, y_train)
probabilities = classifier.predict_proba(X_test)
accuracy = classifier.score(X_test, y_test)

print(
    f"{len(y_test)} series of {X_test.shape[1]} channels, classes {', '.join(classifier.classes_)}"
)
print(
    f"accuracy {accuracy:.3f}, mean probability of the answers {probabilities.max(axis=1).mean():.3f}"
)

# %%
# A line for each recording: the probability of each class.

axes = new_axes()
picture = probabilities[np.argsort(y_test)].T
shades = axes.imshow(picture, aspect="auto", cmap="Blues", vmin=0, vmax=1)
axes.figure.colorbar(shades, label="probability")
axes.set_yticks(range(len(classifier.classes_)), classifier.classes_)
axes.set_xlabel("recordings, sorted by what they are")
figure = axes.figure

assert accuracy > 0.95
