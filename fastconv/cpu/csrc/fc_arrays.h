/* What kernels work on: element types, arrays, and what an output reads of them. */
#ifndef FC_ARRAYS_H
#define FC_ARRAYS_H

#include <stdint.h>

/* The one list of element types. Whatever depends on a dtype is driven by it. */
#define FC_FLOATS(X) X(float32, float) X(float64, double)
#define FC_SIGNED(X) X(int8, int8_t) X(int16, int16_t) X(int32, int32_t) X(int64, int64_t)
#define FC_UNSIGNED(X) X(uint8, uint8_t) X(uint16, uint16_t) X(uint32, uint32_t) X(uint64, uint64_t)
#define FC_DTYPES(X) FC_FLOATS(X) FC_SIGNED(X) FC_UNSIGNED(X)

#define FC_CODE(name, type) FC_##name,
enum { FC_DTYPES(FC_CODE) FC_DTYPE_COUNT };
#undef FC_CODE

typedef struct {
    const char *name;
    int64_t size;
    int is_float, is_signed;
} fc_dtype;

extern const fc_dtype fc_dtypes[FC_DTYPE_COUNT];

/* (n, c, d, h, w), or three axes in the first three places. */
typedef struct {
    char *data;
    int64_t shape[5], stride[5], size;
} fc_array;

/* Output o of an axis reads inputs o * stride - before + k * dilation. */
typedef struct {
    int64_t in[3], kernel[3], stride[3], before[3], dilation[3], out[3];
} fc_geometry;

/* Output o of an axis reads inputs begin[o] + k * step for k < taps[o]; share[o] is the axis's
 * factor of the divisor. run[o] outputs from o on have equal taps and evenly spaced beginnings. */
typedef struct {
    const int64_t *begin, *taps, *share, *run;
    int64_t step, outputs, inputs;
} fc_axis;

typedef struct {
    fc_axis axis[3];
} fc_windows;

enum {
    FC_NONE, FC_RELU, FC_RELU6, FC_LEAKY_RELU, FC_SIGMOID, FC_TANH, FC_SILU, FC_GELU, FC_ACTIVATIONS
};

typedef struct {
    double p, volume; /* volume 0: the sum is not rescaled */
    int absolute;
} fc_norm;

/* The types of fewer bits than a sum's: what an array's items are. Scratch memory has items of 32
 * bits, each of as many source channels as narrow_channels tells, and sums are float32, or int32 of
 * int8. */
#define FC_NARROW_TYPES(X) X(float16) X(bfloat16) X(int8) X(tf32)
#define FC_CODE(name) FC_NARROW_##name,
enum { FC_NARROW_TYPES(FC_CODE) FC_NARROW_COUNT };
#undef FC_CODE

/* What float32 is rounded to, and stays float32. */
enum { FC_UNROUNDED, FC_TO_TF32, FC_TO_BFLOAT16, FC_TO_FLOAT16, FC_TO_STEPS };

/* Arrays are of FC_NARROW_float16 or FC_NARROW_bfloat16: kernels widen and round blocks of them,
 * for which each thread has `each` bytes. */
typedef struct {
    char *scratch;
    int64_t each;
    int dtype;
} fc_halves;

#endif
