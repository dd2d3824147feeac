// What depthwise kernels are compiled for: FC_TAPS_H, FC_TAPS_W, FC_STRIDE_H, FC_STRIDE_W,
// FC_DILATION_H and FC_DILATION_W; with FC_ROUNDED, what their operands are rounded to.
#pragma once
#include "factors.cuh"
#include "params.cuh"

enum {
  TAPS_H = FC_TAPS_H, TAPS_W = FC_TAPS_W, STRIDE_H = FC_STRIDE_H, STRIDE_W = FC_STRIDE_W,
  DILATION_H = FC_DILATION_H, DILATION_W = FC_DILATION_W,
};

// By itself ptxas spills a few registers to make room for one more block.
#define FC_ONE_BLOCK __launch_bounds__(256, 1)
