/* Includes FC_TEMPLATE once per dtype: FC_V is the value, FC_T the item in memory, FC_LOWEST the
 * least value, FC_NAN(v) whether v is not a number. */
#define FC_N(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#define FC_LOWEST -INFINITY
#define FC_NAN(v) ((v) != (v))
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_float64
#define FC_V double
#define FC_T fc_float64
#define FC_LOWEST -INFINITY
#define FC_NAN(v) ((v) != (v))
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_int8
#define FC_V int8_t
#define FC_T fc_int8
#define FC_LOWEST INT8_MIN
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_int16
#define FC_V int16_t
#define FC_T fc_int16
#define FC_LOWEST INT16_MIN
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_int32
#define FC_V int32_t
#define FC_T fc_int32
#define FC_LOWEST INT32_MIN
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_int64
#define FC_V int64_t
#define FC_T fc_int64
#define FC_LOWEST INT64_MIN
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_uint8
#define FC_V uint8_t
#define FC_T fc_uint8
#define FC_LOWEST 0
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_uint16
#define FC_V uint16_t
#define FC_T fc_uint16
#define FC_LOWEST 0
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_uint32
#define FC_V uint32_t
#define FC_T fc_uint32
#define FC_LOWEST 0
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#define FC_N(name) name##_uint64
#define FC_V uint64_t
#define FC_T fc_uint64
#define FC_LOWEST 0
#define FC_NAN(v) 0
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_LOWEST
#undef FC_NAN
#undef FC_TEMPLATE
