"""What every optimiser has: a layer to train, and state by parameter name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastconv.dispatch.arrays import namespace
from fastconv.errors import bad_argument
from fastconv.layers.arrays import require_same_library, to_namespace, widened
from fastconv.layers.base import Layer


def at_least_zero(optimizer: str, **values: float) -> None:
    """Raise ValueError for a negative or NaN hyperparameter."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(bad_argument(optimizer, name, got=value, expected="0 or more"))


class Optimizer:
    """Base class: updates a layer's parameters in place from its gradients.

    A subclass names its state arrays and defines `_change`. State is kept in float32 or wider,
    also for 16-bit parameters.

    Parameters
    ----------
    layer : Layer
        What to train, a `Sequential` for instance.
    lr : float
        Learning rate; it may be assigned to between steps.
    """

    state_names: tuple[str, ...] = ()

    def __init__(self, layer: Layer, lr: float) -> None:
        name = type(self).__name__
        if not isinstance(layer, Layer):
            raise TypeError(bad_argument(name, "layer", got=repr(layer), expected="a Layer"))
        at_least_zero(name, lr=lr)
        self.layer = layer
        self.lr = lr
        self.steps = 0
        self._state: dict[str, dict[str, Any]] = {}

    def step(self, scale: float = 1.0) -> None:
        """Update every parameter in place, by the gradients of the last backward.

        Parameters
        ----------
        scale : float
            What the loss was multiplied by; gradients are divided by it.

        Raises
        ------
        RuntimeError
            If a parameter has no gradient; no parameter is changed then.
        ValueError, TypeError
            If a gradient's shape or array library is not its parameter's.
        """
        parameters, gradients = self.layer.parameters(), self.layer.gradients()
        self._check(parameters, gradients)
        self.steps += 1
        for name, parameter in parameters.items():
            xp = namespace(parameter)
            dtype = widened(xp, parameter)
            state = self._state.get(name)
            if state is None:
                state = {key: xp.zeros(parameter.shape, dtype) for key in self.state_names}
                self._state[name] = state
            gradient = gradients[name].astype(dtype, copy=False)
            if scale != 1.0:
                gradient = gradient / scale
            wide = parameter.astype(dtype, copy=False)
            parameter[...] = wide + self._change(wide, gradient, state)

    def _change(self, parameter: Any, gradient: Any, state: dict[str, Any]) -> Any:
        """Return what to add to a parameter; update its state in place."""
        raise NotImplementedError(f"{type(self).__name__} defines no _change")

    def _check(self, parameters: Mapping[str, Any], gradients: Mapping[str, Any]) -> None:
        where = f"{type(self).__name__}.step"
        if missing := [name for name in parameters if gradients[name] is None]:
            raise RuntimeError(
                f"{where}: no gradient for {', '.join(missing)}. Call forward in training mode, "
                "then backward, before step"
            )
        for name, parameter in parameters.items():
            for array in (gradients[name], *self._state.get(name, {}).values()):
                require_same_library(where, name, array, parameter)
                if array.shape != parameter.shape:
                    raise ValueError(
                        bad_argument(
                            where,
                            name,
                            got=f"a gradient or state of shape {array.shape}",
                            expected=f"{parameter.shape}, the parameter's",
                        )
                    )

    def state_dict(self) -> dict[str, Any]:
        """Return the learning rate, the step count and copies of the state arrays by name."""
        return {
            "lr": self.lr,
            "steps": self.steps,
            "state": {
                name: {key: array.copy() for key, array in arrays.items()}
                for name, arrays in self._state.items()
            },
        }

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, for a layer with the same parameters.

        Raises
        ------
        ValueError
            With the faults listed, before anything is changed.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if set(values) != {"lr", "steps", "state"}:
            raise ValueError(
                bad_argument(where, "keys", got=sorted(values), expected="lr, state, steps")
            )
        parameters = self.layer.parameters()
        faults = [
            f"{name}: {problem}"
            for name, arrays in values["state"].items()
            if (problem := self._fault(parameters.get(name), arrays))
        ]
        if faults:
            raise ValueError(f"{where}: nothing was loaded: " + "; ".join(faults))
        self.lr = values["lr"]
        self.steps = int(values["steps"])
        self._state = {
            name: {
                key: to_namespace(array, namespace(parameters[name]), parameters[name]).copy()
                for key, array in arrays.items()
            }
            for name, arrays in values["state"].items()
        }

    def _fault(self, parameter: Any, arrays: Mapping[str, Any]) -> str:
        if parameter is None:
            return "the layer has no such parameter"
        if set(arrays) != set(self.state_names):
            return f"got {sorted(arrays)}, expected {sorted(self.state_names)}"
        shapes = {array.shape for array in arrays.values()} - {parameter.shape}
        return f"got shape {shapes.pop()}, expected {parameter.shape}" if shapes else ""
