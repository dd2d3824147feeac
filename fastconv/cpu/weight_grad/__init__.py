"""The gradient of a convolution's weight: its vectors run along output channels.

Each thread takes a block of the weight and walks over boxes of outputs: y's box is transposed in
registers, x's is copied with its padding, and a tile of sums stays in registers while the positions
of the box pass by. No column is ever made. No sum depends on the number of threads.
"""

from fastconv.cpu.weight_grad.candidate import decide, plan

__all__ = ["decide", "plan"]
