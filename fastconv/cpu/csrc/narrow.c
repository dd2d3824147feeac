/* Convolutions of narrow types at one instruction-set level; compiled once per level with FC_ISA
 * naming it. Levels that differ from a lower one in these kernels alone have no kernels.c. */
#include "columns.h"
#include "common.h"
#include "finish.h"
#include "narrow.h"
#include "narrow_float16.h"
#include "narrow_bfloat16.h"
#include "narrow_int8.h"
#include "product.h"
#include "turned.h"
#include "shuffles.h"
#include "pointwise.h"

/* Sums are float32. */
#define FC_N(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#include "activate.inc"
#undef FC_N
#undef FC_V
#undef FC_T

#define FC_TEMPLATE "narrow_take.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_put.inc"
#include "each_narrow_float.h"
#include "narrow_put_int8.inc"

#include "turned_layout.inc"
#include "product_layout.inc"
#define FC_TEMPLATE "transpose.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_turn.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_tile.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_copy.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_unit.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "product_fill.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_tile.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_copy.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "narrow_pack.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_product.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_twins.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "turned_unit.inc"
#include "each_narrow.h"
#include "pointwise_layout.inc"
#define FC_TEMPLATE "pointwise_panel.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "pointwise_tile.inc"
#include "each_narrow.h"
#define FC_TEMPLATE "pointwise.inc"
#include "each_narrow.h"
#include "narrow_run.inc"
#include "narrow_convert.inc"

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
    .convert = convert,
};
