"""Parameters of encoders, as scikit-learn's `clone` reads them, without importing scikit-learn.

Its import takes a second, and a competition's file is read for much less than a run.
"""

from __future__ import annotations

import inspect
from typing import Any, Self


class Parameters:
    """The arguments of `__init__`, which stores each under its own name and does nothing else."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        names = list(inspect.signature(cls.__init__).parameters)
        return sorted(names[1:])

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001 - sklearn's
        """By name, the arguments; with `deep` also theirs, as `name__argument`."""
        found: dict[str, Any] = {}
        for name in self._parameter_names():
            value = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                found |= {f"{name}__{inner}": part for inner, part in value.get_params().items()}
            found[name] = value
        return found

    def set_params(self, **values: Any) -> Self:
        """Set arguments by name.

        Raises:
            ValueError: There is no such argument.
        """
        for name, value in values.items():
            head, _, inner = name.partition("__")
            if head not in self._parameter_names():
                known = ", ".join(self._parameter_names())
                raise ValueError(f"{type(self).__name__} has no parameter {head!r}; it has {known}")
            if inner:
                getattr(self, head).set_params(**{inner: value})
            else:
                setattr(self, head, value)
        return self

    def __repr__(self) -> str:
        """The call that makes it."""
        parameters = self.get_params(deep=False).items()
        return f"{type(self).__name__}({', '.join(f'{name}={v!r}' for name, v in parameters)})"


def check_is_fitted(encoder: object) -> None:
    """Check that `fit` was called: it sets attributes whose names end with an underscore.

    Raises:
        NotFittedError: scikit-learn's; it was not.
    """
    if any(name.endswith("_") and not name.startswith("__") for name in vars(encoder)):
        return
    from sklearn.exceptions import NotFittedError

    raise NotFittedError(f"{type(encoder).__name__} is not fitted; call its fit first")
