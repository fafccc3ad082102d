"""wattest: a hardware-in-the-loop test bench for meter nodes that are paid by what they measure."""

__version__ = "0.1.0"
