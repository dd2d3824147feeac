/* Includes FC_TEMPLATE once per number of bytes; see byte_lanes.h. FC_WIDE names what exists for
 * the vector that has them, FC_HALF_VECTOR is the type of half of them. */
#if defined(__AVX512BW__)
#define FC_B(name) name##_64
#define FC_WIDE(name) name##_64
#define FC_HALF_VECTOR fc_half_of_64
#define FC_BYTES 64
#include FC_TEMPLATE
#undef FC_B
#undef FC_WIDE
#undef FC_HALF_VECTOR
#undef FC_BYTES
#endif
#if defined(__AVX2__)
#define FC_B(name) name##_32
#define FC_WIDE(name) name##_32
#define FC_HALF_VECTOR fc_half_of_32
#define FC_BYTES 32
#include FC_TEMPLATE
#undef FC_B
#undef FC_WIDE
#undef FC_HALF_VECTOR
#undef FC_BYTES
#endif
#define FC_WIDE(name) name##_16
#define FC_HALF_VECTOR fc_half_of_16
#define FC_B(name) name##_16
#define FC_BYTES 16
#include FC_TEMPLATE
#undef FC_B
#undef FC_BYTES
#define FC_B(name) name##_8
#define FC_BYTES 8
#include FC_TEMPLATE
#undef FC_B
#undef FC_BYTES
#define FC_B(name) name##_4
#define FC_BYTES 4
#include FC_TEMPLATE
#undef FC_B
#undef FC_BYTES
#undef FC_WIDE
#undef FC_HALF_VECTOR
#undef FC_TEMPLATE
