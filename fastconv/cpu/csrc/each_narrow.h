/* Includes FC_TEMPLATE once per narrow type: FC_V is an item of scratch memory and a sum, FC_T the
 * item in memory. */
#define FC_N(name) name##_int8
#define FC_V float
#define FC_T fc_uint8
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#include "each_narrow_float.h"
