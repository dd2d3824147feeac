# What fc.h offers, as Cython sees it.


cdef extern from "fc.h" nogil:
    enum:
        FC_DTYPE_COUNT
        FC_int8
        FC_uint8
        FC_float32
        FC_ACTIVATIONS
        FC_FORWARD
        FC_INPUT_GRAD
        FC_WEIGHT_GRAD
        FC_MOST_PHASES
        FC_PIXELS
        FC_TRANSPOSED
        FC_MOST_PANELS
        FC_NARROW_float16
        FC_NARROW_bfloat16
        FC_NARROW_int8

    ctypedef struct fc_dtype:
        const char *name
        int64_t size
        int is_float
        int is_signed

    const fc_dtype *fc_dtypes

    ctypedef struct fc_array:
        char *data
        int64_t[5] shape
        int64_t[5] stride
        int64_t size

    # In Cython "in" is a keyword.
    ctypedef struct fc_geometry:
        int64_t[3] inputs "in"
        int64_t[3] kernel
        int64_t[3] stride
        int64_t[3] before
        int64_t[3] dilation
        int64_t[3] out

    ctypedef struct fc_axis:
        const int64_t *begin
        const int64_t *taps
        const int64_t *share
        const int64_t *run
        int64_t step
        int64_t outputs
        int64_t inputs

    ctypedef struct fc_windows:
        fc_axis[3] axis

    ctypedef struct fc_norm:
        double p
        double volume
        int absolute

    ctypedef struct fc_narrow:
        int64_t sources
        int64_t multiplier_step
        uint32_t x_flip
        uint32_t weight_flip
        int32_t x_zero
        int32_t y_zero
        int32_t low
        int32_t high
        const char *multiplier
        char *sums
        const char *w_zeros
        int64_t w_zero_step

    ctypedef struct fc_product:
        fc_geometry g
        int64_t[3] first
        int64_t[3] step
        int64_t[3] place
        int64_t[3] every
        int64_t images
        int64_t lines
        int64_t items
        int64_t depth
        int64_t blocks
        int64_t gathered
        int64_t apart
        int64_t packed
        int64_t packed_at
        int64_t units
        int64_t width
        int64_t *offsets

    ctypedef struct fc_turned:
        int64_t units

    ctypedef struct fc_conv:
        const fc_product *products
        fc_turned box
        fc_array x
        fc_array y
        fc_array weight
        const char *bias
        char *packed
        char *scratch
        int64_t count
        int64_t groups
        int64_t inner
        int64_t channels
        int64_t bias_step
        int64_t scratch_bytes
        double parameter
        int dtype
        int activation
        int transposed
        int turned
        int streams
        int gaps
        int tile_rows
        int tile_vectors
        int pixels
        fc_narrow narrow

    ctypedef struct fc_weight_grad:
        fc_geometry g
        fc_array x
        fc_array y
        fc_array weight
        char *sums
        char *scratch
        int64_t groups
        int64_t channels
        int64_t inner
        int64_t images
        int64_t[3] box
        int64_t splits
        int dtype
        int across_groups
        int mates

    ctypedef struct fc_grad_bytes:
        int64_t sums
        int64_t scratch

    ctypedef struct fc_winograd:
        fc_array x
        fc_array y
        int64_t[3] kernel
        int64_t[3] before
        int64_t[3] dilation
        int64_t[3] stride
        int64_t[3] up
        int64_t groups
        int64_t inner
        int64_t channels
        const char *weight
        int64_t w_group
        int64_t w_channel
        int64_t w_inner
        int64_t[3] w_tap
        char *packed
        char *inputs
        char *scratch
        const char *bias
        int64_t width
        int64_t group
        double parameter
        int[2] alpha
        int activation
        int64_t pixels
        int half

    ctypedef struct fc_winograd_grad:
        fc_array x
        fc_array y
        fc_array weight
        int64_t[3] kernel
        int64_t[3] before
        int64_t[3] dilation
        int64_t[3] stride
        int64_t groups
        int64_t inner
        int64_t channels
        char *inputs
        char *grads
        char *sums
        char *scratch
        int64_t width
        int64_t range
        int64_t group
        int64_t splits
        int64_t panels
        int[2] alpha
        int pixels

    ctypedef struct fc_depthwise:
        fc_geometry g
        fc_array x
        fc_array y
        fc_array weight
        const char *bias
        char *sums
        char *table
        char *scratch
        int64_t multiplier
        int64_t splits
        int64_t band_bytes
        double parameter
        int dtype
        int operation
        int activation
        int pixels
        fc_narrow narrow
        const char *w_zeros
        int64_t w_zero_step
        int64_t table_bytes
        int64_t scratch_bytes

    ctypedef struct fc_dense:
        fc_array a
        fc_array b
        fc_array c
        const char *bias
        char *scratch
        int64_t scratch_bytes
        double parameter
        int dtype
        int activation

    ctypedef struct fc_pointwise:
        fc_array x
        fc_array y
        fc_array weight
        const char *bias
        char *packed
        char *scratch
        int64_t groups
        int64_t inner
        int64_t channels
        int64_t images
        int64_t panels
        int64_t blocks
        int64_t depth
        int64_t bias_step
        double parameter
        int dtype
        int activation
        int transposed
        int tile_rows
        int tile_vectors
        int64_t positions
        int64_t vectors
        int64_t across
        int64_t parts
        int64_t units
        int64_t packed_bytes
        int64_t scratch_bytes
        fc_narrow narrow

    ctypedef struct fc_byte_dense:
        fc_array x
        fc_array weight
        fc_array y
        const char *bias
        char *packed
        char *items
        char *scratch
        char *scales_to
        int64_t bias_step
        int64_t packed_bytes
        int64_t items_bytes
        int64_t scratch_bytes
        double parameter
        int activation
        int scales
        fc_narrow narrow

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
        void (*byte_layout)(fc_byte_dense *) noexcept nogil
        void (*byte_pack)(const fc_byte_dense *, int) noexcept nogil
        void (*byte_run)(const fc_byte_dense *, int) noexcept nogil

    ctypedef struct fc_halves:
        char *scratch
        int64_t each
        int dtype

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

    ctypedef struct fc_kernels:
        void (*im2col)(const fc_geometry *, const fc_array *, const fc_array *, int64_t, int64_t,
                       int64_t, int) noexcept nogil
        void (*col2im)(const fc_geometry *, const fc_array *, const fc_array *, int, int64_t,
                       int64_t, int64_t, int) noexcept nogil
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
        void (*drop_bits)(char *, int64_t, int, int) noexcept nogil
        void (*quantize)(const fc_quantizer *, int) noexcept nogil
        void (*dequantize)(const fc_quantizer *, int) noexcept nogil
        void (*rescale)(const fc_rescaler *, int) noexcept nogil

    ctypedef struct fc_level:
        const char *name
        const fc_kernels *kernels
        const fc_narrow_kernels *narrow
        int (*supported)() noexcept nogil

    const fc_level *fc_levels
    const int fc_level_count
    int fc_level_built(int level)
    int fc_level_usable(int level)
    int fc_level_active()
    void fc_level_set(int level)
    const fc_kernels *fc_active()
    const fc_narrow_kernels *fc_active_narrow()
    int fc_pool_threads()
    char *fc_memory_take(int64_t size)
    void fc_memory_give(char *data, int64_t size)
    void fc_memory_bound(int64_t bytes)
    void fc_memory_release()
    int64_t fc_memory_idle()
    void fc_window_runs(const int64_t *begin, const int64_t *taps, int64_t outputs, int64_t *run)


cdef extern from "overflow.h" nogil:
    int overflow_noted()
    void clear_overflow()
