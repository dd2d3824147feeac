"""CUDA's execution model on a CPU: see simt.h."""
