/* Includes FC_TEMPLATE once per type of 16 bits that float32 operands are rounded to, as they are
 * read. */
#define FC_N(name) name##_as_float16
#define FC_V float
#define FC_T fc_float32
#include FC_TEMPLATE
#undef FC_N
#define FC_N(name) name##_as_bfloat16
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_TEMPLATE
