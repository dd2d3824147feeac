/* Includes FC_TEMPLATE once per type that depthwise convolution takes: FC_V is a sum and an item of
 * scratch memory, FC_SUMS names what exists for that type, FC_T is an item of an array, FC_GRADS
 * tells whether there are gradients, and FC_DEALS whether every second item of a line is cheaper
 * to have than neighbours. */
#define FC_GRADS 1
#define FC_DEALS 0
#define FC_N(name) name##_float64
#define FC_SUMS(name) name##_float64
#define FC_V double
#define FC_T fc_float64
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_SUMS
#define FC_SUMS(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#define FC_N(name) name##_float32
#include FC_TEMPLATE
#undef FC_N
#define FC_N(name) name##_lowered
#include FC_TEMPLATE
#undef FC_N
#undef FC_T
#define FC_N(name) name##_float16
#define FC_T fc_uint16
#include FC_TEMPLATE
#undef FC_N
#undef FC_DEALS
#define FC_DEALS 1
#define FC_N(name) name##_bfloat16
#include FC_TEMPLATE
#undef FC_N
#undef FC_T
#undef FC_DEALS
#undef FC_GRADS
#define FC_DEALS 0
#define FC_GRADS 0
#define FC_N(name) name##_int8
#define FC_T fc_uint8
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_SUMS
#undef FC_GRADS
#undef FC_DEALS
#undef FC_TEMPLATE
