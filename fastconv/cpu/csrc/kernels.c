/* All kernels of one instruction-set level; compiled once per level with FC_ISA naming it.
 *
 * Everything here is static but the table: an inline function compiled for a newer processor could
 * win over its twin at link time and crash an older one.
 */
#include "bias_grad.h"
#include "columns.h"
#include "common.h"
#include "finish.h"
#include "implicit_gemm.h"
#include "indexed.h"
#include "pools.h"
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
#define FC_TEMPLATE "epilogue.inc"
#include "each_float.h"
#define FC_TEMPLATE "sum_pool.inc"
#include "each_float.h"
#define FC_TEMPLATE "sum_pool_backward.inc"
#include "each_float.h"
#define FC_TEMPLATE "gemm.inc"
#include "each_float.h"
#define FC_TEMPLATE "transpose.inc"
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

#include "columns.inc"
#include "indexed.inc"
#include "pools.inc"
#include "finish.inc"
#include "implicit_gemm.inc"
#include "bias_grad_run.inc"
#include "weight_grad_run.inc"

#define FC_PASTE(a, b) a##b
#define FC_TABLE(isa) FC_PASTE(fc_kernels_, isa)

extern const fc_kernels FC_TABLE(FC_ISA);
const fc_kernels FC_TABLE(FC_ISA) = {
    .im2col = im2col,
    .col2im = col2im,
    .scatter = scatter,
    .epilogue = epilogue,
    .max_forward = max_forward,
    .avg_forward = avg_forward,
    .avg_backward = avg_backward,
    .lp_forward = lp_forward,
    .lp_backward = lp_backward,
    .scatter_add = scatter_add,
    .unpool = unpool,
    .gather = gather,
    .conv_forward = conv_forward,
    .weight_grad = weight_grad,
    .weight_grad_bytes = weight_grad_bytes,
    .bias_grad = bias_grad,
    .pack_weight = pack_weight,
    .tile_rows = tile_rows,
    .tile_vectors = tile_vectors,
    .tile_columns = tile_columns,
};
