# Convolution forward by the packed matrix product.


def gemm_tile(dtype):
    """The (rows, columns) of a product's tile at the level in use: sizes are rounded up to them."""
    cdef int code = dtype_code(dtype, True)
    return fc_active().tile_rows(), fc_active().tile_columns(code)


def lanes(dtype):
    """How many items of a dtype a vector holds at the level in use."""
    size = 4 if dtype in MADE else fc_dtypes[dtype_code(dtype, True)].size
    return fc_active().vector_bytes // size
