// How tiles are multiplied: FC_MATH is one of the words below.
#pragma once
#define FC_fma 0
#define FC_float16 1
#define FC_bfloat16 2
#define FC_tf32 3
#define FC_integer 4
#define FC_WORD(word) FC_##word
#define FC_NUMBER_OF(word) FC_WORD(word)
#if FC_NUMBER_OF(FC_MATH) == FC_fma
#include "math_fma.cuh"
#elif FC_NUMBER_OF(FC_MATH) == FC_integer
// FC_ELEMENT is x's type, FC_W the weight's.
#define FC_PAIR(x, w) multiply_##x##_##w
#define FC_PAIR_OF(x, w) FC_PAIR(x, w)
#define FC_MULTIPLY_BY FC_PAIR_OF(FC_ELEMENT, FC_W)
#define FC_NUMBER int
#include "math_mma.cuh"
#else
#define FC_NUMBER float
#if FC_NUMBER_OF(FC_MATH) == FC_float16
#define FC_MULTIPLY_BY multiply_float16
#elif FC_NUMBER_OF(FC_MATH) == FC_bfloat16
#define FC_MULTIPLY_BY multiply_bfloat16
#else
#define FC_TF32
#define FC_MULTIPLY_BY multiply_tf32
#endif
#include "math_mma.cuh"
#endif
