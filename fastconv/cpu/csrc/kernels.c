/* The kernels of one instruction-set level, but for what has a file of its own; compiled once per
 * level with FC_ISA naming it.
 *
 * Everything here is static but the table: an inline function compiled for a newer processor could
 * win over its twin at link time and crash an older one.
 */
#include "bias_grad.h"
#include "byte_lanes.h"
#include "columns.h"
#include "common.h"
#include "depthwise_level.h"
#include "dense_gemm.h"
#include "finish.h"
#include "grouped.h"
#include "gathered.h"
#include "indexed.h"
#include "narrow_few.h"
#include "peak.h"
#include "pointwise.h"
#include "lanes.h"
#include "pools.h"
#include "shuffles.h"
#include "winograd.h"
#include "product.h"
#include "floats.h"
#include "half_vectors.h"
#include "halves.h"
#include "turned.h"
#include "pixels.h"
#include "rounding.h"
#include "weight_grad.h"
#include "weight_grad_plan.inc"

/* Templates: copied by item size, added by number type, computed in float. */
#define FC_TEMPLATE "im2col.inc"
#include "each_item.h"
#define FC_TEMPLATE "scatter.inc"
#include "each_item.h"
#define FC_TEMPLATE "unpool.inc"
#include "each_item.h"
#define FC_TEMPLATE "col2im.inc"
#include "each_sum.h"
#define FC_TEMPLATE "scatter_add.inc"
#include "each_sum.h"
#define FC_TEMPLATE "max_pool.inc"
#include "each_dtype.h"
#define FC_TEMPLATE "lanes.inc"
#include "each_lanes.h"
#define FC_TEMPLATE "max_lanes.inc"
#include "each_lanes.h"
#define FC_TEMPLATE "pool_rows.inc"
#include "each_float.h"
#define FC_TEMPLATE "pool_pairs.inc"
#include "each_float.h"
#define FC_TEMPLATE "max_floats.inc"
#include "each_float.h"
#define FC_TEMPLATE "gathered.inc"
#include "each_float.h"
#define FC_TEMPLATE "activate.inc"
#include "each_float.h"
#define FC_TEMPLATE "grouped_pack.inc"
#include "each_float.h"
#define FC_TEMPLATE "grouped.inc"
#include "each_float.h"
#define FC_TEMPLATE "epilogue.inc"
#include "each_float.h"
#define FC_TEMPLATE "sum_pool.inc"
#include "each_float.h"
#define FC_TEMPLATE "sum_lanes.inc"
#include "each_lanes.h"
#define FC_TEMPLATE "avg_whole.inc"
#include "each_float.h"
#define FC_TEMPLATE "avg_pool.inc"
#include "each_float.h"
#define FC_TEMPLATE "sum_pool_backward.inc"
#include "each_float.h"
#define FC_TEMPLATE "spread_lanes.inc"
#include "each_lanes.h"
#define FC_TEMPLATE "avg_backward.inc"
#include "each_float.h"

#include "turned_layout.inc"
#include "product_layout.inc"
#include "pixels_layout.inc"
#define FC_TEMPLATE "product_tile.inc"
#include "each_float.h"
#define FC_TEMPLATE "grouped_alone.inc"
#include "each_float.h"
#define FC_TEMPLATE "grouped_alone_rows.inc"
#include "each_float.h"
#define FC_TEMPLATE "grouped_slide.inc"
#include "each_float.h"
#define FC_TEMPLATE "grouped_grad.inc"
#include "each_float.h"
#define FC_TEMPLATE "product_items.inc"
#include "each_float.h"
#define FC_TEMPLATE "product_copy.inc"
#include "each_float.h"
#define FC_TEMPLATE "transpose.inc"
#include "each_float.h"
#define FC_TEMPLATE "pixels_tile.inc"
#include "each_float.h"
#define FC_TEMPLATE "pixels_pack.inc"
#include "each_float.h"
#define FC_TEMPLATE "pixels_copy.inc"
#include "each_float.h"
#define FC_TEMPLATE "pixels_unit.inc"
#include "each_float.h"
#define FC_TEMPLATE "product_unit.inc"
#include "each_float.h"
#define FC_TEMPLATE "product_fill.inc"
#include "each_float.h"
#define FC_TEMPLATE "product_pack.inc"
#include "each_float.h"
#define FC_TEMPLATE "multiply_add.inc"
#include "each_float.h"
#define FC_TEMPLATE "turned_tile.inc"
#include "each_float.h"
#define FC_TEMPLATE "turned_lines.inc"
#include "each_float.h"
#define FC_TEMPLATE "turned_copy.inc"
#include "each_float.h"
#define FC_TEMPLATE "turned_pack.inc"
#include "each_float.h"
#define FC_TEMPLATE "turned_product.inc"
#include "each_float.h"
#define FC_TEMPLATE "turned_twins.inc"
#include "each_float.h"
#define FC_TEMPLATE "turned_unit.inc"
#include "each_float.h"
#include "pointwise_layout.inc"
#define FC_TEMPLATE "pointwise_pack.inc"
#include "each_float.h"
#define FC_TEMPLATE "pointwise_panel.inc"
#include "each_float.h"
#define FC_TEMPLATE "pointwise_tile.inc"
#include "each_float.h"
#define FC_TEMPLATE "pointwise.inc"
#include "each_float.h"
#define FC_TEMPLATE "bias_grad.inc"
#include "each_float.h"
#define FC_TEMPLATE "weight_grad_tile.inc"
#include "each_float.h"
#define FC_TEMPLATE "weight_grad_copy.inc"
#include "each_float.h"
#define FC_TEMPLATE "weight_grad_groups.inc"
#include "each_float.h"
#define FC_TEMPLATE "weight_grad.inc"
#include "each_float.h"
#define FC_TEMPLATE "weight_grad_units.inc"
#include "each_float.h"
#define FC_TEMPLATE "dense_tile.inc"
#include "each_float.h"
#define FC_TEMPLATE "dense_gemm.inc"
#include "each_float.h"
#define FC_TEMPLATE "dense_dot.inc"
#include "each_float.h"

#include "columns.inc"
#include "dense_cut.inc"
#include "dense.inc"
#include "indexed.inc"
#define FC_TEMPLATE "byte_rows.inc"
#include "each_bytes.h"
#include "byte_lines.inc"
#include "max_bytes.inc"
#include "max_byte_places.inc"
#include "pools.inc"
#include "pool_gradients.inc"
#include "half_blocks.inc"
#define FC_N(name) name##_float32
#define FC_V float
#include "half_lines.inc"
#undef FC_N
#undef FC_V
#include "half_pools.inc"
#include "half_places.inc"
#include "half_bands.inc"
#include "half_indexed.inc"
#include "half_columns.inc"
#include "finish.inc"
#include "grouped_bands.inc"
#include "grouped_run.inc"
#include "quantize.inc"
#include "rescale.inc"
#include "rounding.inc"
#include "peak.inc"
#include "product.inc"
#include "pointwise_run.inc"
#include "bias_grad_run.inc"
#include "weight_grad_run.inc"
#include "winograd_transform.inc"
#include "winograd_taps.inc"
#include "winograd_runs.inc"
#include "winograd_gather.inc"
#include "winograd_finish.inc"
#include "winograd_product.inc"
#include "winograd_kernels.inc"
#include "winograd_pixels.inc"
#include "winograd.inc"
#include "winograd_grad_panels.inc"
#include "winograd_grad_tiles.inc"
#include "winograd_grad_pixels.inc"
#include "winograd_grad.inc"

#define FC_PASTE(a, b) a##b
#define FC_TABLE(isa) FC_PASTE(fc_kernels_, isa)

extern const fc_kernels FC_TABLE(FC_ISA);
const fc_kernels FC_TABLE(FC_ISA) = {
    .im2col = im2col,
    .col2im = col2im,
    .half_col2im = half_col2im,
    .half_col2im_scratch = half_col2im_scratch,
    .grouped = grouped,
    .grouped_grad = grouped_grad,
    .grouped_pack = grouped_pack,
    .scatter = scatter,
    .epilogue = epilogue,
    .max_forward = max_forward,
    .avg_forward = avg_forward,
    .avg_backward = avg_backward,
    .lp_forward = lp_forward,
    .lp_backward = lp_backward,
    .scatter_add = scatter_add,
    .max_backward = max_backward,
    .half_pool_scratch = half_pool_scratch,
    .half_max_forward = half_max_forward,
    .half_avg_forward = half_avg_forward,
    .half_avg_backward = half_avg_backward,
    .half_lp_forward = half_lp_forward,
    .half_indexed_scratch = half_indexed_scratch,
    .half_scatter_add = half_scatter_add,
    .unpool = unpool,
    .gather = gather,
    .peak = peak,
    .winograd_forward = winograd_forward,
    .winograd_weight = winograd_weight,
    .winograd_scratch = winograd_scratch_bytes,
    .winograd_inputs = winograd_inputs_bytes,
    .winograd_tiles = winograd_tiles,
    .winograd_depth = winograd_depth,
    .winograd_products = winograd_products,
    .winograd_grad = winograd_grad,
    .winograd_grad_sizes = winograd_grad_sizes,
    .conv_layout = conv_layout,
    .conv_box = conv_box,
    .tile_pixels = MOST_PIXELS,
    .conv_offsets = conv_offsets,
    .conv_pack = conv_pack,
    .conv_run = conv_run,
    .conv_tile = conv_tile,
    .weight_grad = weight_grad,
    .weight_grad_bytes = weight_grad_bytes,
    .vector_bytes = VECTOR_BYTES,
    .bias_grad = bias_grad,
    .tile_rows = tile_rows,
    .tile_vectors = tile_vectors,
    .tile_columns = tile_columns,
    .depthwise_plan = FC_DEPTHWISE_PLAN,
    .depthwise = FC_DEPTHWISE,
    .product = product,
    .product_scratch = product_scratch,
    .pointwise_layout = pointwise_layout,
    .pointwise_pack = pointwise_pack,
    .pointwise_run = pointwise_run,
    .reach = reach,
    .reach_parts = reach_parts,
    .round_floats = round_floats,
    .quantize = quantize,
    .dequantize = dequantize,
    .rescale = rescale,
};
