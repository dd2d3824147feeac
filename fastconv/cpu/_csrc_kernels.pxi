# The tables of kernels, as Cython sees them.


cdef extern from "fc_kernels.h" nogil:
    ctypedef struct fc_quantizer:
        const char *from_ "from"
        const char *scales
        const char *zeros
        char *to
        int64_t outer
        int64_t channels
        int64_t inner
        int64_t size
        int32_t low
        int32_t high
        int dtype
        int *nan

    ctypedef struct fc_rescaler:
        const char *sums
        const char *factors
        const char *bias
        char *to
        int64_t outer, channels, inner
        double parameter
        int activation

    ctypedef struct fc_narrow_kernels:
        int notes_overflow
        int64_t (*channels)(int) noexcept nogil
        int64_t (*conv_layout)(const fc_conv *, fc_product *) noexcept nogil
        int64_t (*conv_box)(fc_conv *) noexcept nogil
        void (*conv_offsets)(const fc_conv *, const fc_product *) noexcept nogil
        void (*conv_pack)(const fc_conv *, int) noexcept nogil
        void (*conv_run)(const fc_conv *, int) noexcept nogil
        void (*pointwise_layout)(fc_pointwise *) noexcept nogil
        void (*pointwise_pack)(const fc_pointwise *, int) noexcept nogil
        void (*pointwise_run)(const fc_pointwise *, int) noexcept nogil
        void (*product)(const fc_dense *, int) noexcept nogil
        int64_t (*product_scratch)(int) noexcept nogil
        void (*weight_grad)(const fc_weight_grad *, int) noexcept nogil
        fc_grad_bytes (*weight_grad_bytes)(const fc_weight_grad *) noexcept nogil
        void (*convert)(int, const char *, char *, int64_t, int, int) noexcept nogil
        int (*depthwise_quads)(const fc_depthwise *, int) noexcept nogil
        void (*depthwise_rounded)(const fc_depthwise *, int) noexcept nogil
        void (*byte_layout)(fc_byte_dense *) noexcept nogil
        void (*byte_pack)(const fc_byte_dense *, int) noexcept nogil
        void (*byte_run)(const fc_byte_dense *, int) noexcept nogil

    ctypedef struct fc_kernels:
        void (*im2col)(const fc_geometry *, const fc_array *, const fc_array *, int64_t, int64_t,
                       int64_t, int) noexcept nogil
        void (*col2im)(const fc_geometry *, const fc_array *, const fc_array *, int, int64_t,
                       int64_t, int64_t, int) noexcept nogil
        void (*grouped)(const fc_grouped *, int) noexcept nogil
        void (*grouped_grad)(const fc_grouped_grad *, int) noexcept nogil
        void (*grouped_pack)(const fc_grouped_weight *, int) noexcept nogil
        void (*scatter)(const fc_array *, const fc_array *, int64_t, int64_t, int64_t,
                        int) noexcept nogil
        void (*epilogue)(const fc_array *, int, const char *, int, double, int) noexcept nogil
        void (*max_forward)(const fc_windows *, const fc_array *, const fc_array *,
                            const fc_array *, int, int, int) noexcept nogil
        void (*avg_forward)(const fc_windows *, const fc_array *, const fc_array *, int64_t, int,
                            int) noexcept nogil
        void (*avg_backward)(const fc_windows *, const fc_array *, const fc_array *, int64_t, int,
                             int) noexcept nogil
        void (*lp_forward)(const fc_windows *, const fc_array *, const fc_array *, const fc_norm *,
                           int, int) noexcept nogil
        void (*lp_backward)(const fc_windows *, const fc_array *, const fc_array *,
                            const fc_array *, const fc_array *, const fc_norm *, int,
                            int) noexcept nogil
        int64_t (*scatter_add)(const fc_array *, const fc_array *, const fc_array *, int,
                               int, int) noexcept nogil
        int (*max_backward)(const fc_windows *, const fc_array *, const fc_array *,
                            const fc_array *, int, int, int, int) noexcept nogil
        int64_t (*half_pool_scratch)(const fc_windows *, int) noexcept nogil
        void (*half_max_forward)(const fc_windows *, const fc_array *, const fc_array *,
                                 const fc_array *, int, const fc_halves *, int) noexcept nogil
        void (*half_avg_forward)(const fc_windows *, const fc_array *, const fc_array *, int64_t,
                                 const fc_halves *, int) noexcept nogil
        void (*half_avg_backward)(const fc_windows *, const fc_array *, const fc_array *, int64_t,
                                  const fc_halves *, int) noexcept nogil
        void (*half_lp_forward)(const fc_windows *, const fc_array *, const fc_array *,
                                const fc_norm *, const fc_halves *, int) noexcept nogil
        int64_t (*half_indexed_scratch)(int64_t, int64_t, int64_t) noexcept nogil
        int64_t (*half_scatter_add)(const fc_array *, const fc_array *, const fc_array *,
                                    const fc_halves *, int) noexcept nogil
        int64_t (*half_col2im_scratch)(const fc_geometry *) noexcept nogil
        void (*half_col2im)(const fc_geometry *, const fc_array *, const fc_array *,
                            const fc_halves *, int) noexcept nogil
        int64_t (*unpool)(const fc_array *, const fc_array *, const fc_array *, int) noexcept nogil
        double (*peak)(int, int64_t, int) noexcept nogil
        int64_t (*gather)(const fc_array *, const fc_array *, const fc_array *, int) noexcept nogil
        int64_t (*conv_layout)(const fc_conv *, fc_product *) noexcept nogil
        int64_t (*conv_box)(fc_conv *) noexcept nogil
        void (*conv_offsets)(const fc_conv *, const fc_product *) noexcept nogil
        void (*conv_pack)(const fc_conv *, int) noexcept nogil
        void (*conv_run)(const fc_conv *, int) noexcept nogil
        int64_t (*conv_tile)(int64_t) noexcept nogil
        void (*winograd_forward)(const fc_winograd *, int) noexcept nogil
        int64_t (*winograd_weight)(const fc_winograd *, int) noexcept nogil
        int64_t (*winograd_scratch)(const fc_winograd *) noexcept nogil
        int64_t (*winograd_inputs)(const fc_winograd *) noexcept nogil
        int64_t (*winograd_tiles)(const fc_winograd *) noexcept nogil
        int64_t (*winograd_depth)(const fc_winograd *) noexcept nogil
        int64_t (*winograd_products)(const fc_winograd *) noexcept nogil
        void (*winograd_grad)(const fc_winograd_grad *, int) noexcept nogil
        void (*winograd_grad_sizes)(const fc_winograd_grad *, int64_t *) noexcept nogil
        void (*weight_grad)(const fc_weight_grad *, int) noexcept nogil
        fc_grad_bytes (*weight_grad_bytes)(const fc_weight_grad *) noexcept nogil
        int64_t vector_bytes
        int64_t tile_pixels
        void (*bias_grad)(const fc_array *, const fc_array *, int, int, char *, int64_t,
                          int) noexcept nogil
        int64_t (*tile_rows)() noexcept nogil
        int64_t (*tile_vectors)() noexcept nogil
        int64_t (*tile_columns)(int) noexcept nogil
        void (*depthwise_plan)(fc_depthwise *) noexcept nogil
        void (*depthwise)(const fc_depthwise *, int) noexcept nogil
        void (*product)(const fc_dense *, int) noexcept nogil
        int64_t (*product_scratch)(int) noexcept nogil
        void (*pointwise_layout)(fc_pointwise *) noexcept nogil
        void (*pointwise_pack)(const fc_pointwise *, int) noexcept nogil
        void (*pointwise_run)(const fc_pointwise *, int) noexcept nogil
        void (*reach)(const char *, int, int64_t, int64_t, char *, int) noexcept nogil
        int64_t (*reach_parts)(int64_t, int64_t) noexcept nogil
        void (*round_floats)(const char *, char *, int64_t, int, int) noexcept nogil
        void (*quantize)(const fc_quantizer *, int) noexcept nogil
        void (*dequantize)(const fc_quantizer *, int) noexcept nogil
        void (*rescale)(const fc_rescaler *, int) noexcept nogil
