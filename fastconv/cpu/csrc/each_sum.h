/* Includes FC_TEMPLATE once per type that sums: the floats, and the unsigned integers, which wrap
 * and so serve the signed ones too. */
#define FC_N(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#define FC_N(name) name##_float64
#define FC_V double
#define FC_T fc_float64
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#define FC_N(name) name##_uint8
#define FC_V uint8_t
#define FC_T fc_uint8
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#define FC_N(name) name##_uint16
#define FC_V uint16_t
#define FC_T fc_uint16
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#define FC_N(name) name##_uint32
#define FC_V uint32_t
#define FC_T fc_uint32
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#define FC_N(name) name##_uint64
#define FC_V uint64_t
#define FC_T fc_uint64
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_TEMPLATE
