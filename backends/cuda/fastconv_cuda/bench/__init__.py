"""``python -m fastconv_cuda.bench``: this backend beside cuDNN, through PyTorch, in one process."""
