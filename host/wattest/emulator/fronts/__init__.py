"""Ways into an emulated board for tools that know nothing of it: its serial port, in disguise."""

from wattest.emulator.fronts.front import Front, ServedBoard
from wattest.emulator.fronts.pty import PtyFront
from wattest.emulator.fronts.rfc2217 import Rfc2217Front
from wattest.emulator.fronts.serve import serve
from wattest.emulator.fronts.tcp import SocketFront

__all__ = ["Front", "PtyFront", "Rfc2217Front", "ServedBoard", "SocketFront", "serve"]
