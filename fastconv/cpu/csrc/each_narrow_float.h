/* As each_narrow.h, of the types whose sums are float32. */
#define FC_N(name) name##_tf32
#define FC_V float
#define FC_T fc_float32
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#include "each_half.h"
