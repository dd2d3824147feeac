# Element types and arrays of the C side, as Cython sees them.


cdef extern from "fc_arrays.h" nogil:
    enum:
        FC_DTYPE_COUNT
        FC_int8
        FC_uint8
        FC_float32
        FC_NONE
        FC_RELU
        FC_ACTIVATIONS
        FC_NARROW_float16
        FC_NARROW_bfloat16
        FC_NARROW_int8
        FC_NARROW_tf32
        FC_UNROUNDED
        FC_TO_TF32
        FC_TO_BFLOAT16
        FC_TO_FLOAT16
        FC_TO_STEPS

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

    ctypedef struct fc_halves:
        char *scratch
        int64_t each
        int dtype
