# What kernels are asked for, as Cython sees it.


cdef extern from "fc_convolutions.h" nogil:
    enum:
        FC_FORWARD
        FC_INPUT_GRAD
        FC_WEIGHT_GRAD
        FC_MOST_PHASES
        FC_GROUPED_BYTES
        FC_LOWERED
        FC_PIXELS
        FC_TRANSPOSED
        FC_TURNED
        FC_TURNED_WHOLE
        FC_MOST_PANELS

    ctypedef struct fc_narrow:
        int64_t sources
        int64_t multiplier_step
        int scaled
        int relu
        const char *added
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
        int rounding

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
        int half
        int rounding

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
        int rounding
        const char *factors
        const char *added
        float scale
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

    enum: FC_ALONE_WIDEST

    ctypedef struct fc_grouped_weight:
        fc_array weight
        char *packed
        int turned

    ctypedef struct fc_grouped:
        fc_geometry g
        fc_array x
        fc_array y
        const char *packed
        const char *bias
        int64_t group
        double parameter
        int dtype
        int half
        int activation
        int rounding
        int streams
        int ahead
        char *scratch
        int64_t scratch_bytes

    int fc_slides(const fc_geometry *) noexcept nogil

    ctypedef struct fc_grouped_grad:
        fc_grouped conv
        fc_array weight
        char *sums
        int64_t splits
        int64_t bytes
