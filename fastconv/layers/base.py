"""What every layer has: parameters by name, saved context, files, moves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from fastconv.backend import Policy
from fastconv.dispatch.arrays import namespace, take
from fastconv.dispatch.policy import current, settle
from fastconv.errors import bad_argument
from fastconv.layers import state
from fastconv.layers.arrays import require_same_library, to_namespace
from fastconv.layers.options import call_options
from fastconv.precision import array_dtype


class Layer:
    """Base class of all layers, and of your own.

    A subclass names its parameters and buffers (attributes that hold arrays, or None), and
    defines `forward` and `backward`. `forward` hands what `backward` needs to `_keep`;
    `backward` takes it back in a ``with self._kept()`` block, which releases it, and writes
    each parameter's gradient into ``self._gradients``.

    Examples
    --------
    >>> import numpy as np
    >>> class Scale(Layer):
    ...     parameter_names = ("factor",)
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = np.ones(1)
    ...     def forward(self, x):
    ...         self._keep(x)
    ...         return x * self.factor
    ...     def backward(self, grad):
    ...         with self._kept() as (x,):
    ...             self._gradients["factor"] = (grad * x).sum(keepdims=True)
    ...             return grad * self.factor
    >>> layer = Scale()
    >>> _ = layer(np.array([2.0]))
    >>> layer.backward(np.array([1.0])), layer.gradients()
    (array([1.]), {'factor': array([2.])})
    """

    parameter_names: ClassVar[tuple[str, ...]] = ()
    buffer_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: Mapping[str, object] | None = None) -> None:
        self.training = True
        self.options = call_options(type(self).__name__, options or {})
        self.compute_dtype: Any = None
        self._gradients: dict[str, Any] = {}
        self._context: tuple[Any, ...] | None = None
        self._no_context = "forward has not run"

    def forward(self, x: Any) -> Any:
        """Return the layer's output for `x`."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def backward(self, grad: Any) -> Any:
        """Return the gradient by the input of the last `forward`; store the parameters'.

        Parameters
        ----------
        grad : array
            Gradient by the output, of the output's shape.

        Raises
        ------
        RuntimeError
            If no `forward` in training mode came before, or its `backward` has run.
        ValueError
            If `grad` doesn't have the output's shape.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no backward")

    def __call__(self, x: Any) -> Any:
        """Call `forward`."""
        return self.forward(x)

    def children(self) -> Mapping[str, Layer]:
        """Return the layers inside this one, by name."""
        return {}

    def _named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        yield prefix, self
        for name, child in self.children().items():
            yield from child._named_layers(f"{prefix}{name}.")

    def parameters(self) -> dict[str, Any]:
        """Return the trainable arrays themselves by name, "0.weight" for an inner layer's."""
        return {
            prefix + name: array
            for prefix, layer in self._named_layers()
            for name in layer.parameter_names
            if (array := getattr(layer, name)) is not None
        }

    def gradients(self) -> dict[str, Any]:
        """Return the gradients of the last `backward` under the parameters' names.

        Each `backward` replaces them; None stands where none has run.
        """
        return {
            prefix + name: layer._gradients.get(name)
            for prefix, layer in self._named_layers()
            for name in layer.parameter_names
            if getattr(layer, name) is not None
        }

    def buffers(self) -> dict[str, Any]:
        """Return the arrays that are saved but not trained: running statistics."""
        return {
            prefix + name: array
            for prefix, layer in self._named_layers()
            for name in layer.buffer_names
            if (array := getattr(layer, name)) is not None
        }

    def train(self, mode: bool = True) -> Self:
        """Set training mode, or evaluation mode with ``mode=False``; return the layer."""
        for _, layer in self._named_layers():
            layer.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode: `forward` keeps nothing, and `backward` is refused."""
        return self.train(False)

    def compute_in(self, dtype: Any) -> Self:
        """Let the layers inside compute in 16 bits, while their parameters stay as they are.

        Layers with parameters take their input and copies of their parameters in that dtype,
        forward and backward, and give results in it; the others follow their input. Gradients
        of parameters come in the parameters' own dtype, so that an optimiser trains the
        parameters in all their bits. See :class:`LossScaler` for float16.

        Parameters
        ----------
        dtype : {"bfloat16", "float16"} or None
            None undoes it.

        Returns
        -------
        Layer
            The layer itself.

        Raises
        ------
        ValueError
            For another dtype.
        ModuleNotFoundError
            For bfloat16 where ml_dtypes isn't installed.
        """
        where = f"{type(self).__name__}.compute_in"
        found = None if dtype is None else array_dtype(where, "dtype", dtype)
        if found is not None and found.name not in ("float16", "bfloat16"):
            raise ValueError(
                bad_argument(where, "dtype", got=repr(dtype), expected="float16, bfloat16 or None")
            )
        for _, layer in self._named_layers():
            layer.compute_dtype = found
        return self

    def _narrowed(self, array: Any) -> Any:
        """Return a real floating array in the dtype to compute in, where there is one."""
        dtype = self.compute_dtype
        kind = getattr(getattr(array, "dtype", None), "kind", "")
        if dtype is None or kind not in ("f", "V") or array.dtype == dtype:
            return array
        with np.errstate(over="ignore"):
            return array.astype(dtype)

    def _expecting_overflow(self) -> AbstractContextManager[object]:
        """Return a context in which gradients may overflow unsaid: a LossScaler looks for it."""
        return nullcontext() if self.compute_dtype is None else np.errstate(over="ignore")

    def _store(self, **gradients: Any) -> None:
        """Keep parameters' gradients, in the parameters' own dtype where they were narrowed."""
        for name, gradient in gradients.items():
            if gradient is not None and self.compute_dtype is not None:
                gradient = gradient.astype(getattr(self, name).dtype, copy=False)
            self._gradients[name] = gradient

    def to(self, target: ModuleType | None = None, *, like: Any = None) -> Self:
        """Move parameters and buffers to another array library, or to an array's device.

        Parameters
        ----------
        target : module, optional
            ``numpy``, ``cupy``, ...
        like : array, optional
            An array whose library and device to follow instead.

        Returns
        -------
        Layer
            The layer itself. Its arrays are new ones; gradients and saved context are dropped.
        """
        name = type(self).__name__
        if (target is None) == (like is None):
            raise TypeError(f"{name}.to: expected either a module such as cupy, or like=array")
        if like is not None:
            target = namespace(like)
        if not isinstance(target, ModuleType) or not hasattr(target, "asarray"):
            raise TypeError(
                bad_argument(f"{name}.to", "target", got=repr(target), expected="an array module")
            )
        for _, layer in self._named_layers():
            for attribute in layer.parameter_names + layer.buffer_names:
                array = getattr(layer, attribute)
                if array is not None:
                    setattr(layer, attribute, to_namespace(array, target, like))
            layer._gradients.clear()
            layer._drop("the layer was moved since")
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all parameters and buffers by name."""
        return {name: array.copy() for name, array in (self.parameters() | self.buffers()).items()}

    def load_state_dict(self, values: Mapping[str, Any], strict: bool = True) -> None:
        """Copy arrays into the parameters and buffers, which stay the same objects.

        Parameters
        ----------
        values : mapping of str to array
            As `state_dict` returns it. Every shape and dtype must match.
        strict : bool
            Whether missing and unexpected names are errors, too.

        Raises
        ------
        ValueError
            With every fault listed, before anything is changed.
        """
        own = self.parameters() | self.buffers()
        state.copy_into(f"{type(self).__name__}.load_state_dict", own, values, strict)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all parameters and buffers to an .npz file.

        The file is replaced at once, when it is complete: a crash leaves the old one.
        """
        state.write(path, self.parameters() | self.buffers())

    def load(self, path: str | os.PathLike[str], strict: bool = True) -> None:
        """Read what `save` wrote. Nothing in the file is executed or unpickled.

        Raises
        ------
        ValueError
            If the file is damaged or doesn't fit this layer; the layer is unchanged then.
        """
        where = f"{type(self).__name__}.load"
        own = self.parameters() | self.buffers()
        state.copy_into(where, own, state.read(where, path, own, strict), strict)

    @property
    def _layout(self) -> dict[str, Any]:
        """The layout keyword, where the layer was given one."""
        return {name: value for name, value in self.options.items() if name == "layout"}

    def _policy(self) -> Policy:
        """Return the policy that `forward` runs under, for `backward` to run under it too."""
        options = {name: value for name, value in self.options.items() if name != "layout"}
        return settle(type(self).__name__, current(), options)

    def _keep(self, *context: Any) -> None:
        """Save what `backward` needs, in training mode only."""
        if self.training:
            self._context = context
        else:
            self._drop("forward ran in evaluation mode, which keeps nothing")

    def _drop(self, why: str) -> None:
        self._context = None
        self._no_context = why

    @contextmanager
    def _kept(self) -> Iterator[tuple[Any, ...]]:
        """Yield what `forward` saved; release it if the block succeeds."""
        if self._context is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward: nothing to differentiate, for {self._no_context}"
                ". Call train(), then forward(x), then backward(grad) once"
            )
        yield self._context
        self._drop("backward has run since the last forward")

    def _checked_gradient(self, grad: Any, shape: tuple[int, ...], like: Any) -> Any:
        """Return `grad` as an array; refuse one of another shape or library."""
        function = f"{type(self).__name__}.backward"
        grad = take(function, "grad", grad)
        require_same_library(function, "grad", grad, like)
        if grad.shape != shape:
            raise ValueError(
                bad_argument(
                    function, "grad", got=f"shape {grad.shape}", expected=f"{shape}, the output's"
                )
            )
        return grad
