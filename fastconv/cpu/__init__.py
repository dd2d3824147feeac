"""The built-in backend: NumPy arrays on the CPU. It enters through an entry point as any other."""
