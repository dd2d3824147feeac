# Instruction-set levels and threads.

if fc_level_active() < 0:
    raise ImportError(
        "this processor lacks the instruction sets that fastconv's compiled core needs at least "
        f"({fc_levels[0].name.decode()}): build from source on this machine with FASTCONV_PURE=1"
    )


def isa_levels():
    """Every instruction-set level from lowest to highest.

    Returns
    -------
    tuple of (str, bool, bool)
        Name, whether this build contains it, whether this processor and its operating system can
        run it.
    """
    return tuple([
        (fc_levels[i].name.decode(), bool(fc_level_built(i)), bool(fc_levels[i].supported()))
        for i in range(fc_level_count)
    ])


def active_isa():
    """The name of the level whose kernels are in use."""
    return fc_levels[fc_level_active()].name.decode()


def set_isa(str name not None):
    """Use the kernels of another level, in the whole process.

    Raises
    ------
    ValueError
        Unknown, not in this build, or more than this processor can run.
    """
    for i in range(fc_level_count):
        if fc_levels[i].name.decode() == name and fc_level_usable(i):
            fc_level_set(i)
            return
    usable = [fc_levels[i].name.decode() for i in range(fc_level_count) if fc_level_usable(i)]
    raise ValueError(f"set_isa: name: expected one of {', '.join(usable)}, got {name!r}")


def pool_threads():
    """How many worker threads sleep or work beside the callers' own."""
    return fc_pool_threads()
