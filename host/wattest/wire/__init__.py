"""Formats: bytes on one side, frozen values on the other, one form only, every refusal named."""

from wattest.wire.cose import Sign1, parse_sign1, seal_sign1, sig_structure
from wattest.wire.enrolment import (
    Enrolment,
    EnrolmentKind,
    KeptFinding,
    parse_enrolment,
    parse_finding,
)
from wattest.wire.frame import (
    Frame,
    FrameFault,
    FrameScanner,
    Text,
    encode_frame,
    encode_line,
    parse_line,
)
from wattest.wire.keys import kid_of, public_key_of, spki_der
from wattest.wire.message import FrameKind, Hello, LineKind, Op, Refusal
from wattest.wire.record import (
    OBIS_EXPORT,
    OBIS_IMPORT,
    OBIS_POWER,
    OBIS_USE,
    BootClaims,
    Ctx,
    Event,
    EventKind,
    Input,
    Record,
    Register,
    RegistersFrom,
    Tsync,
)
from wattest.wire.record_reader import parse_record

__all__ = [
    "OBIS_EXPORT",
    "OBIS_IMPORT",
    "OBIS_POWER",
    "OBIS_USE",
    "BootClaims",
    "Ctx",
    "Enrolment",
    "EnrolmentKind",
    "Event",
    "EventKind",
    "Frame",
    "FrameFault",
    "FrameKind",
    "FrameScanner",
    "Hello",
    "Input",
    "KeptFinding",
    "LineKind",
    "Op",
    "Record",
    "Refusal",
    "Register",
    "RegistersFrom",
    "Sign1",
    "Text",
    "Tsync",
    "encode_frame",
    "encode_line",
    "kid_of",
    "parse_enrolment",
    "parse_finding",
    "parse_line",
    "parse_record",
    "parse_sign1",
    "public_key_of",
    "seal_sign1",
    "sig_structure",
    "spki_der",
]
