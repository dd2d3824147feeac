/* Includes FC_TEMPLATE once per item size. FC_SIZE(n) is the size: a constant, so that copies
 * become single moves, except in the last instance, which takes any size. */
#define FC_N(name) name##_1
#define FC_SIZE(n) ((void)(n), (int64_t)1)
#include FC_TEMPLATE
#undef FC_N
#undef FC_SIZE
#define FC_N(name) name##_2
#define FC_SIZE(n) ((void)(n), (int64_t)2)
#include FC_TEMPLATE
#undef FC_N
#undef FC_SIZE
#define FC_N(name) name##_4
#define FC_SIZE(n) ((void)(n), (int64_t)4)
#include FC_TEMPLATE
#undef FC_N
#undef FC_SIZE
#define FC_N(name) name##_8
#define FC_SIZE(n) ((void)(n), (int64_t)8)
#include FC_TEMPLATE
#undef FC_N
#undef FC_SIZE
#define FC_N(name) name##_16
#define FC_SIZE(n) ((void)(n), (int64_t)16)
#include FC_TEMPLATE
#undef FC_N
#undef FC_SIZE
#define FC_N(name) name##_any
#define FC_SIZE(n) (n)
#include FC_TEMPLATE
#undef FC_N
#undef FC_SIZE
#undef FC_TEMPLATE
