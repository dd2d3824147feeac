/* One test per kernel family; each draws a case and checks it. */
#ifndef TESTS_H
#define TESTS_H

#include "fc.h"

void test_im2col(const fc_kernels *k);
void test_col2im(const fc_kernels *k);
void test_scatter(const fc_kernels *k);
void test_epilogue(const fc_kernels *k);
void test_max_pool(const fc_kernels *k);
void test_max_grad(const fc_kernels *k);
void test_avg_pool(const fc_kernels *k);
void test_lp_pool(const fc_kernels *k);
void test_scatter_add(const fc_kernels *k);
void test_unpool(const fc_kernels *k);
void test_conv_forward(const fc_kernels *k);
void test_pointwise(const fc_kernels *k);
void test_narrow_conv(const fc_kernels *k);
void test_narrow_pointwise(const fc_kernels *k);
void test_conv_weight_grad(const fc_kernels *k);
void test_narrow_weight_grad(const fc_kernels *k);
void test_grouped(const fc_kernels *k);
void test_grouped_pack(const fc_kernels *k);
void test_grouped_grad(const fc_kernels *k);
void test_depthwise(const fc_kernels *k);
void test_depthwise_input_grad(const fc_kernels *k);
void test_depthwise_weight_grad(const fc_kernels *k);
void test_depthwise_halves(const fc_kernels *k);
void test_depthwise_bytes(const fc_kernels *k);
void test_winograd(const fc_kernels *k);
void test_winograd_halves(const fc_kernels *k);
void test_winograd_grad(const fc_kernels *k);
void test_winograd_grad_halves(const fc_kernels *k);
void test_product(const fc_kernels *k);
void test_narrow_product(const fc_kernels *k);
void test_bias_grad(const fc_kernels *k);

/* Of the thread pool; they know no level. */
void test_ranges(const fc_kernels *unused);
void test_slots(const fc_kernels *unused);
void test_shares(const fc_kernels *unused);
void test_many_callers(const fc_kernels *unused);
void test_nested_calls(const fc_kernels *unused);
void test_growth(const fc_kernels *unused);
void test_fork(const fc_kernels *unused);

/* Of the kept memory. */
void test_memory(const fc_kernels *unused);
void test_memory_fork(const fc_kernels *unused);

#endif
