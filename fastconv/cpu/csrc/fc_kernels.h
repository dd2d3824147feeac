/* The tables of kernels, one of each kind for an instruction-set level. */
#ifndef FC_KERNELS_H
#define FC_KERNELS_H

#include "fc_convolutions.h"
#include "fc_products.h"

/* Numbers, (outer, channels, inner), each over its channel's scale plus its zero point, int32, to
 * bytes within [low, high]; or such bytes, or int32, back to numbers. dtype is the numbers', size
 * the bytes of what there is to read. Scales are float64 where numbers have 64 bits that are read,
 * or integers 32, else float32. *nan becomes 1 where a quotient is NaN. */
#define FC_HALF(name) (FC_DTYPE_COUNT + FC_NARROW_##name)
typedef struct {
    const char *from, *scales, *zeros;
    char *to;
    int64_t outer, channels, inner, size;
    int32_t low, high;
    int dtype;
    int *nan;
} fc_quantizer;

/* int32 sums, (outer, channels, inner), to float32: times a factor and plus a bias for each
 * channel, activated. */
typedef struct {
    const char *sums, *factors, *bias;
    char *to;
    int64_t outer, channels, inner;
    double parameter;
    int activation;
} fc_rescaler;

/* One row per instruction-set level. The index kernels return the place (plane * elements of a
 * plane + element) of the first index outside its plane, or -1. */
typedef struct {
    void (*im2col)(const fc_geometry *, const fc_array *x, const fc_array *columns, int64_t n0,
                   int64_t r0, int64_t p0, int threads);
    void (*col2im)(const fc_geometry *, const fc_array *columns, const fc_array *x, int dtype,
                   int64_t n0, int64_t r0, int64_t p0, int threads);
    void (*scatter)(const fc_array *acc, const fc_array *y, int64_t n0, int64_t c0, int64_t p0,
                    int threads);
    void (*epilogue)(const fc_array *acc, int dtype, const char *bias, int activation,
                     double parameter, int threads);
    void (*max_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                        const fc_array *indices, int channels_inner, int dtype, int threads);
    void (*avg_forward)(const fc_windows *, const fc_array *x, const fc_array *y, int64_t divisor,
                        int dtype, int threads);
    void (*avg_backward)(const fc_windows *, const fc_array *grad, const fc_array *dx,
                         int64_t divisor, int dtype, int threads);
    void (*lp_forward)(const fc_windows *, const fc_array *x, const fc_array *y, const fc_norm *,
                       int dtype, int threads);
    void (*lp_backward)(const fc_windows *, const fc_array *grad, const fc_array *x,
                        const fc_array *y, const fc_array *dx, const fc_norm *, int dtype,
                        int threads);
    int64_t (*scatter_add)(const fc_array *grad, const fc_array *indices, const fc_array *dx,
                           int dtype, int clears, int threads);
    /* Of arrays of `dtype`, or of 1 + FC_NARROW_float16... where `half` says so. Whether dx is
     * complete; else it is anything. */
    int (*max_backward)(const fc_windows *, const fc_array *grad, const fc_array *indices,
                        const fc_array *dx, int channels_inner, int half, int dtype, int threads);
    /* The same of 16-bit floats; of a gradient, dx begins as zeros. Bytes of scratch memory. */
    int64_t (*half_pool_scratch)(const fc_windows *, int backward);
    void (*half_max_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                             const fc_array *indices, int channels_inner, const fc_halves *,
                             int threads);
    void (*half_avg_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                             int64_t divisor, const fc_halves *, int threads);
    void (*half_avg_backward)(const fc_windows *, const fc_array *grad, const fc_array *dx,
                              int64_t divisor, const fc_halves *, int threads);
    void (*half_lp_forward)(const fc_windows *, const fc_array *x, const fc_array *y,
                            const fc_norm *, const fc_halves *, int threads);
    int64_t (*half_indexed_scratch)(int64_t channels, int64_t inputs, int64_t outputs);
    int64_t (*half_scatter_add)(const fc_array *grad, const fc_array *indices, const fc_array *dx,
                                const fc_halves *, int threads);
    /* All columns, which fill x. */
    int64_t (*half_col2im_scratch)(const fc_geometry *);
    void (*half_col2im)(const fc_geometry *, const fc_array *columns, const fc_array *x,
                        const fc_halves *, int threads);
    int64_t (*unpool)(const fc_array *x, const fc_array *indices, const fc_array *y, int threads);
    /* `steps` multiply-adds of every sum that fits into the registers, on each thread and nothing
     * else: what this level can reach at best. Returns the operations done. */
    double (*peak)(int dtype, int64_t steps, int threads);
    int64_t (*gather)(const fc_array *y, const fc_array *indices, const fc_array *x, int threads);
    /* Completes a product; returns the bytes of scratch memory that a thread needs. */
    int64_t (*conv_layout)(const fc_conv *, fc_product *);
    int64_t (*conv_box)(fc_conv *); /* the same, of all products, where they are turned */
    void (*conv_offsets)(const fc_conv *, const fc_product *);
    void (*conv_pack)(const fc_conv *, int threads);
    void (*conv_run)(const fc_conv *, int threads);
    /* Most vectors of a tile so high, 0 if there is none. */
    int64_t (*conv_tile)(int64_t rows);
    void (*winograd_forward)(const fc_winograd *, int threads);
    int64_t (*winograd_weight)(const fc_winograd *, int threads); /* the bytes it takes */
    int64_t (*winograd_scratch)(const fc_winograd *); /* bytes of one thread */
    int64_t (*winograd_inputs)(const fc_winograd *);  /* bytes of all transformed inputs */
    int64_t (*winograd_tiles)(const fc_winograd *);
    int64_t (*winograd_depth)(const fc_winograd *); /* rows of the products' reduction */
    int64_t (*winograd_products)(const fc_winograd *); /* of a tile, input and output channel */
    void (*winograd_grad)(const fc_winograd_grad *, int threads);
    /* Bytes of a panel of inputs and one of grads, of all sums, and of a thread's scratch. */
    void (*winograd_grad_sizes)(const fc_winograd_grad *, int64_t *sizes);
    void (*weight_grad)(const fc_weight_grad *, int threads);
    fc_grad_bytes (*weight_grad_bytes)(const fc_weight_grad *);
    int64_t vector_bytes, tile_pixels;
    void (*bias_grad)(const fc_array *y, const fc_array *bias, int dtype, int half, char *sums,
                      int64_t splits, int threads);
    int64_t (*tile_rows)(void);
    int64_t (*tile_vectors)(void);
    int64_t (*tile_columns)(int dtype);
    void (*depthwise_plan)(fc_depthwise *);
    void (*grouped)(const fc_grouped *, int threads);
    void (*grouped_grad)(const fc_grouped_grad *, int threads);
    void (*grouped_pack)(const fc_grouped_weight *, int dtype);
    void (*depthwise)(const fc_depthwise *, int threads);
    void (*product)(const fc_dense *, int threads);
    int64_t (*product_scratch)(int dtype);
    void (*pointwise_layout)(fc_pointwise *);
    void (*pointwise_pack)(const fc_pointwise *, int threads);
    void (*pointwise_run)(const fc_pointwise *, int threads);
    /* Of lines of float32 or 16-bit numbers, side by side: the largest magnitude of each of a
     * line's parts, NaN where one is; and how many parts those are. */
    void (*reach)(const char *x, int dtype, int64_t rows, int64_t row, char *most, int threads);
    int64_t (*reach_parts)(int64_t rows, int64_t row);
    void (*round_floats)(const char *from, char *to, int64_t n, int rounding, int threads);
    void (*quantize)(const fc_quantizer *, int threads);
    void (*dequantize)(const fc_quantizer *, int threads);
    void (*rescale)(const fc_rescaler *, int threads);
} fc_kernels;

/* Products of narrow types: as fc_kernels' functions of these names, dtype being one of
 * FC_NARROW_TYPES. A level may have these alone, and share all else with a lower one. */
typedef struct {
    int64_t (*channels)(int dtype); /* source channels of an item */
    int notes_overflow; /* whether rounding to float16 sets the processor's flag; see overflow.h */
    int64_t (*conv_layout)(const fc_conv *, fc_product *);
    int64_t (*conv_box)(fc_conv *);
    void (*conv_offsets)(const fc_conv *, const fc_product *);
    void (*conv_pack)(const fc_conv *, int threads);
    void (*conv_run)(const fc_conv *, int threads);
    void (*pointwise_layout)(fc_pointwise *);
    void (*pointwise_pack)(const fc_pointwise *, int threads);
    void (*pointwise_run)(const fc_pointwise *, int threads);
    void (*product)(const fc_dense *, int threads);
    int64_t (*product_scratch)(int dtype);
    void (*weight_grad)(const fc_weight_grad *, int threads);
    fc_grad_bytes (*weight_grad_bytes)(const fc_weight_grad *);
    /* n items side by side, float16 or bfloat16 to float32, or, unless `widens`, back. */
    void (*convert)(int dtype, const char *from, char *to, int64_t n, int widens, int threads);
    /* fc_kernels' depthwise of bytes, where it can be had cheaper; else nothing is done: false. */
    int (*depthwise_quads)(const fc_depthwise *, int threads);
    /* The same of float32 that is rounded to bfloat16; NULL where it can't. */
    void (*depthwise_rounded)(const fc_depthwise *, int threads);
    void (*byte_layout)(fc_byte_dense *);
    void (*byte_pack)(const fc_byte_dense *, int threads);
    void (*byte_run)(const fc_byte_dense *, int threads);
} fc_narrow_kernels;

#endif
