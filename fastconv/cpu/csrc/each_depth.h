/* Includes FC_TEMPLATE once per type that depthwise convolution takes: FC_V is a sum and an item of
 * scratch memory, FC_SUMS names what exists for that type, FC_T is an item of an array, FC_GRADS
 * tells whether there are gradients, FC_SIXTEEN whether items have 16 bits, and FC_DEALS whether
 * every second one of a line is cheaper to have than neighbours. FC_KNOWN_READER calls with a
 * reader that the compiler knows all about, but for what is done again after a quick one.
 *
 * With AVX512_BF16 there is one type alone: float32 that is rounded to bfloat16. */
#define FC_READS(given, rounding, quick)                                                           \
    ((FC_N(fc_reader)){{rounding, (given).as.scale, quick}})
#define FC_SIXTEEN 0
#if defined(__AVX512BF16__)
#define FC_GRADS 1
#define FC_DEALS 1
#define FC_KNOWN_READER(given, call, ...)                                                          \
    if ((given).as.quick)                                                                          \
        call(FC_READS(given, FC_TO_BFLOAT16, 1), __VA_ARGS__);                                     \
    else                                                                                           \
        call(FC_READS(given, FC_TO_BFLOAT16, 0), __VA_ARGS__)
#define FC_N(name) name##_lowered
#define FC_SUMS(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#include FC_TEMPLATE
#else
#define FC_GRADS 1
#define FC_KNOWN_READER(given, call, ...) call(given, __VA_ARGS__)
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
#undef FC_KNOWN_READER
#define FC_KNOWN_READER(given, call, ...)                                                          \
    switch ((given).as.quick ? (given).as.rounding : FC_UNROUNDED) {                               \
    case FC_TO_TF32: call(FC_READS(given, FC_TO_TF32, 1), __VA_ARGS__); break;                     \
    case FC_TO_BFLOAT16: call(FC_READS(given, FC_TO_BFLOAT16, 1), __VA_ARGS__); break;             \
    default: FC_SLOW_READER(given, call, __VA_ARGS__)                                              \
    }
#define FC_SLOW_READER(given, call, ...)                                                           \
    switch ((given).as.rounding) {                                                                 \
    case FC_TO_FLOAT16: call(FC_READS(given, FC_TO_FLOAT16, 0), __VA_ARGS__); break;               \
    case FC_TO_STEPS: call(FC_READS(given, FC_TO_STEPS, 0), __VA_ARGS__); break;                   \
    default: call(FC_READS(given, (given).as.rounding, 0), __VA_ARGS__); break;                    \
    }
#define FC_N(name) name##_lowered
#include FC_TEMPLATE
#undef FC_N
#undef FC_KNOWN_READER
#undef FC_SLOW_READER
#define FC_KNOWN_READER(given, call, ...) call(given, __VA_ARGS__)
#undef FC_T
#undef FC_SIXTEEN
#define FC_SIXTEEN 1
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
#undef FC_SIXTEEN
#define FC_SIXTEEN 0
#define FC_DEALS 0
#define FC_GRADS 0
#define FC_N(name) name##_int8
#define FC_T fc_uint8
#include FC_TEMPLATE
#endif
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_SUMS
#undef FC_GRADS
#undef FC_DEALS
#undef FC_KNOWN_READER
#undef FC_READS
#undef FC_SIXTEEN
#undef FC_TEMPLATE
