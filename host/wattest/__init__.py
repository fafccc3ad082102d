"""wattest: a hardware-in-the-loop test bench for nodes that are paid by what they measure."""

__version__ = "0.1.0"
