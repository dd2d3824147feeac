/* Includes FC_TEMPLATE once per floating type and vector width; see lanes.h. */
#define FC_L(name) name##_item_float32
#define FC_V float
#define FC_T fc_float32
#define FC_I int32_t
#define FC_BYTES 4
#define FC_LANES 1
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#define FC_L(name) name##_item_float64
#define FC_V double
#define FC_T fc_float64
#define FC_I int64_t
#define FC_BYTES 8
#define FC_LANES 1
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#define FC_L(name) name##_16_float32
#define FC_V float
#define FC_T fc_float32
#define FC_I int32_t
#define FC_BYTES 16
#define FC_LANES 4
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#define FC_L(name) name##_16_float64
#define FC_V double
#define FC_T fc_float64
#define FC_I int64_t
#define FC_BYTES 16
#define FC_LANES 2
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#if defined(__AVX__)
#define FC_L(name) name##_32_float32
#define FC_V float
#define FC_T fc_float32
#define FC_I int32_t
#define FC_BYTES 32
#define FC_LANES 8
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#define FC_L(name) name##_32_float64
#define FC_V double
#define FC_T fc_float64
#define FC_I int64_t
#define FC_BYTES 32
#define FC_LANES 4
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#endif
#if defined(__AVX512F__)
#define FC_L(name) name##_64_float32
#define FC_V float
#define FC_T fc_float32
#define FC_I int32_t
#define FC_BYTES 64
#define FC_LANES 16
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#define FC_L(name) name##_64_float64
#define FC_V double
#define FC_T fc_float64
#define FC_I int64_t
#define FC_BYTES 64
#define FC_LANES 8
#include FC_TEMPLATE
#undef FC_L
#undef FC_V
#undef FC_T
#undef FC_I
#undef FC_BYTES
#undef FC_LANES
#endif
#undef FC_TEMPLATE
