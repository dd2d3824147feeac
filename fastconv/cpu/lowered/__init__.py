"""Products whose operands are rounded first, where no kernel takes the precision as its own."""

from fastconv.cpu.lowered.decide import Lowered, decide, plan

__all__ = ["Lowered", "decide", "plan"]
