/* Convolutions of narrow types at one instruction-set level; compiled once per level with FC_ISA
 * naming it. Levels that differ from a lower one in these kernels alone have no kernels.c. */
#include "columns.h"
#include "common.h"
#include "depthwise_level.h"
#include "finish.h"
#include "narrow.h"
#include "narrow_dense.h"
#include "narrow_float16.h"
#include "narrow_bfloat16.h"
#include "narrow_int8.h"
#include "narrow_rounded.h"
#include "bytes_dense.h"
#include "magnitude.h"
#include "product.h"
#include "requantize.h"
#include "turned.h"
#include "shuffles.h"
#include "pointwise.h"
#include "weight_grad.h"
#include "weight_grad_plan.inc"
#include "narrow_grad_mates.inc"

/* Sums are float32. */
#define FC_N(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#include "activate.inc"
#undef FC_N
#undef FC_V
#undef FC_T

#define FC_TEMPLATE "narrow_apart.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_take.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_floats.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_put.inc"
#include "each_half.h"
#include "narrow_put_int8.inc"

#include "turned_layout.inc"
#include "product_layout.inc"
#include "pointwise_layout.inc"
#include "narrow_windows.inc"
#define FC_TEMPLATE "transpose.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_turn.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_tile.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_copy.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_planes.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_unit.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_fill.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_tile.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_lines.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_box.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_copy.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_weight.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_pack.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_take.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "narrow_weight.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "narrow_pack.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "turned_product.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_twins.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_unit.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "pointwise_panel.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "pointwise_tile.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "pointwise.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "dense_tile.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_dense_pack.inc"
#include "each_narrow_float.h"
#define FC_TEMPLATE "narrow_dense.inc"
#include "each_narrow_float.h"
#define FC_TEMPLATE "narrow_dense_dot.inc"
#include "each_narrow_float.h"
#define FC_TEMPLATE "dense_tile.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "narrow_dense_pack.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "narrow_dense.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "narrow_dense_dot.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "weight_grad_tile.inc"
#include "each_narrow_float.h"
#define FC_TEMPLATE "narrow_grad_copy.inc"
#include "each_narrow_float.h"
#define FC_TEMPLATE "narrow_grad.inc"
#include "each_narrow_float.h"
#define FC_TEMPLATE "weight_grad_units.inc"
#include "each_narrow_float.h"
#define FC_TEMPLATE "narrow_grad_copy.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "narrow_grad.inc"
#include "each_rounded.h"
#define FC_TEMPLATE "weight_grad_units.inc"
#include "each_rounded.h"
#include "dense_cut.inc"
#include "narrow_run.inc"
#include "narrow_dense_run.inc"
#include "narrow_grad_run.inc"
#include "narrow_convert.inc"
#include "depthwise_quads.inc"
#include "bytes_items.inc"
#include "bytes_dense.inc"
#include "bytes_run.inc"

#define FC_PASTE(a, b) a##b
#define FC_TABLE(isa) FC_PASTE(fc_narrow_, isa)

extern const fc_narrow_kernels FC_TABLE(FC_ISA);
const fc_narrow_kernels FC_TABLE(FC_ISA) = {
    .channels = narrow_channels,
    .notes_overflow = NOTES_OVERFLOW,
    .conv_layout = conv_layout,
    .conv_box = conv_box,
    .conv_offsets = conv_offsets,
    .conv_pack = conv_pack,
    .conv_run = conv_run,
    .pointwise_layout = pointwise_layout,
    .pointwise_pack = pointwise_pack,
    .pointwise_run = pointwise_run,
    .product = product,
    .product_scratch = product_scratch,
    .weight_grad = weight_grad,
    .weight_grad_bytes = weight_grad_bytes,
    .convert = convert,
    .depthwise_quads = depthwise_quads,
#if defined(__AVX512BF16__)
    .depthwise_rounded = FC_DEPTHWISE,
#endif
    .byte_layout = byte_layout,
    .byte_pack = byte_pack,
    .byte_run = byte_run,
};
