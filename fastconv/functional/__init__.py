"""The functions: convolution, transposed convolution, pools, columns, linear; every gradient."""

from fastconv.functional.columns import col2im, im2col
from fastconv.functional.convolution import conv1d, conv2d, conv3d
from fastconv.functional.convolution_backward import (
    ConvGradients,
    conv1d_backward,
    conv2d_backward,
    conv3d_backward,
)
from fastconv.functional.convolution_gradients import (
    conv1d_input_grad,
    conv1d_weight_grad,
    conv2d_input_grad,
    conv2d_weight_grad,
    conv3d_input_grad,
    conv3d_weight_grad,
)
from fastconv.functional.dense import LinearGradients, linear, linear_backward
from fastconv.functional.transposed import (
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from fastconv.functional.transposed_backward import (
    conv_transpose1d_backward,
    conv_transpose2d_backward,
    conv_transpose3d_backward,
)

__all__ = [
    "ConvGradients",
    "LinearGradients",
    "col2im",
    "conv1d",
    "conv1d_backward",
    "conv1d_input_grad",
    "conv1d_weight_grad",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "conv3d",
    "conv3d_backward",
    "conv3d_input_grad",
    "conv3d_weight_grad",
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose3d",
    "conv_transpose3d_backward",
    "im2col",
    "linear",
    "linear_backward",
]
