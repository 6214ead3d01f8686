"""What scikit-learn's meta-estimators ask of estimators whose base is sktime's, and these lack.

A way to say that they are fitted, and a `reset` that leaves alone what scikit-learn parks on its
sub-estimators.
"""

from typing import Self

_PARKED_BY_SKLEARN = ("_parent_callback_ctx", "_skl_callbacks")


class PanelBridge:
    """Mixin, before the base class of sktime: a fitted state, and a `reset` that scikit-learn survives."""

    def reset(self) -> Self:
        """Forget what was learned; what scikit-learn has parked here stays."""
        parked = {name: vars(self)[name] for name in _PARKED_BY_SKLEARN if name in vars(self)}
        super().reset()  # type: ignore[misc]
        self.__dict__.update(parked)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self.is_fitted  # type: ignore[attr-defined]
