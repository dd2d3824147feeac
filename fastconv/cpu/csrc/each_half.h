/* Includes FC_TEMPLATE once per type of 16 bits, as each_narrow.h does. */
#define FC_N(name) name##_float16
#define FC_V float
#define FC_T fc_uint16
#include FC_TEMPLATE
#undef FC_N
#define FC_N(name) name##_bfloat16
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_TEMPLATE
