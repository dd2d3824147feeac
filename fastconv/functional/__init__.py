"""The functions: convolution, transposed convolution, pools, columns, linear; every gradient."""

from fastconv.functional.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from fastconv.functional.adaptive_pooling_backward import (
    adaptive_avg_pool1d_backward,
    adaptive_avg_pool2d_backward,
    adaptive_avg_pool3d_backward,
    adaptive_max_pool1d_backward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool3d_backward,
)
from fastconv.functional.average_pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
)
from fastconv.functional.average_pooling_backward import (
    avg_pool1d_backward,
    avg_pool2d_backward,
    avg_pool3d_backward,
)
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
from fastconv.functional.lp_pooling import (
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
)
from fastconv.functional.lp_pooling_backward import (
    lp_pool1d_backward,
    lp_pool2d_backward,
    lp_pool3d_backward,
)
from fastconv.functional.max_pooling import (
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from fastconv.functional.max_pooling_backward import (
    max_pool1d_backward,
    max_pool2d_backward,
    max_pool3d_backward,
)
from fastconv.functional.preparing import prepare
from fastconv.functional.quantized import conv2d_integer, qconv2d
from fastconv.functional.quantizing import dequantize, quantize
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
from fastconv.functional.unpooling import (
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from fastconv.functional.unpooling_backward import (
    max_unpool1d_backward,
    max_unpool2d_backward,
    max_unpool3d_backward,
)

__all__ = [
    "ConvGradients",
    "LinearGradients",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool1d_backward",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool3d",
    "adaptive_avg_pool3d_backward",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_backward",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_backward",
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
    "col2im",
    "conv1d",
    "conv1d_backward",
    "conv1d_input_grad",
    "conv1d_weight_grad",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_integer",
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
    "dequantize",
    "im2col",
    "linear",
    "linear_backward",
    "lp_pool1d",
    "lp_pool1d_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "lp_pool3d",
    "lp_pool3d_backward",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "max_unpool1d",
    "max_unpool1d_backward",
    "max_unpool2d",
    "max_unpool2d_backward",
    "max_unpool3d",
    "max_unpool3d_backward",
    "prepare",
    "qconv2d",
    "quantize",
]
