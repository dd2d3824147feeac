/* Includes FC_TEMPLATE once per floating type: FC_V is the value, FC_T the item in memory. */
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
#undef FC_TEMPLATE
