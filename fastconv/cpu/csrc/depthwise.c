/* Depthwise convolution at one instruction-set level; compiled once per level, FC_ISA naming it.
 * With AVX512_BF16 for what is rounded to that type alone: all else is the lower level's. */
#include "columns.h"
#include "common.h"
#include "depthwise.h"
#include "depthwise_level.h"
#include "finish.h"
#include "overflow.h"
#include "rounding.h"
#include "vector.h"

#if defined(__AVX512BF16__)
#define FC_N(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#include "activate.inc"
#undef FC_N
#undef FC_V
#undef FC_T
#define FC_TEMPLATE "depthwise_floats.inc"
#include "each_depth_float.h"
#include "depthwise_two_rounded.inc"
#else
#define FC_TEMPLATE "activate.inc"
#include "each_float.h"
#define FC_TEMPLATE "depthwise_floats.inc"
#include "each_depth_float.h"
#define FC_TEMPLATE "depthwise_halves.inc"
#include "each_half.h"
#define FC_N(name) name##_int8
#define FC_V float
#define FC_T fc_uint8
#include "depthwise_bytes.inc"
#undef FC_N
#undef FC_V
#undef FC_T
#endif
#define FC_TEMPLATE "depthwise_two.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_lines.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_tiles.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_band.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_gather.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_units.inc"
#include "each_depth.h"
#if MASKED_LOADS
#define FC_TEMPLATE "depthwise_direct.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_direct_grad.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_pairs.inc"
#include "each_depth.h"
#define FC_TEMPLATE "depthwise_direct_units.inc"
#include "each_depth.h"
#endif
#include "depthwise.inc"
