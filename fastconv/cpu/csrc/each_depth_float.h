/* Includes FC_TEMPLATE once per type whose items are those of scratch memory: float64, float32, and
 * `lowered`, float32 that is rounded as it is read, and may be scaled as it is written. See
 * each_depth.h. */
#if defined(__AVX512BF16__)
#define FC_SUMS(name) name##_float32
#define FC_V float
#define FC_T fc_float32
#else
#define FC_ROUNDED(reader, v) (v)
#define FC_SCALES(writer) 0
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
#undef FC_ROUNDED
#undef FC_SCALES
#endif
#define FC_ROUNDED(reader, v) read_as(&(reader)->as, v)
#define FC_SCALES(writer) (writer)->scaled
#define FC_N(name) name##_lowered
#include FC_TEMPLATE
#undef FC_N
#undef FC_V
#undef FC_T
#undef FC_SUMS
#undef FC_ROUNDED
#undef FC_SCALES
#undef FC_TEMPLATE
