"""The second signature of a session: over its OCMF text, carried in the record that ends it.

docs/formats.md, section 1.2. The text follows from the two records of the session alone, so it is
signed and thrown away; whoever has the records writes it again. Its numbers are made of integers,
digit by digit, and never of a float.
"""

from hashlib import sha256

from node.chain import EVENT, TRANSACTION


class SessionSigner:
    """Signs the text of one session, in the record that is to end it.

    What its first record said is kept in memory only: after a reset the clock is not set, and the
    record that says so (P) has no time to write into a text.

    Args:
        chain, reading: behind the record that began the session.
        writer: ClaimsWriter; for serial, cfg and kind of current.
        sign: takes a SHA-256 digest and a callable to pause with, gives r | s.
    """

    def __init__(self, chain, reading, writer, sign) -> None:
        self._writer = writer
        self._sign = sign
        self._number = chain.seq[TRANSACTION]
        self._events = chain.seq[EVENT]
        self._begin = self._reading(reading)

    def end(self, chain, reading, pause) -> bytes:
        """Sign the session.

        Returns:
            r | s, 64 bytes; empty if one of the two has no time, or if the record before is not
            the one that began the session.
        """
        if self._number != chain.seq[TRANSACTION] or not self._begin or reading.time_ms is None:
            return b""
        user = chain.transaction
        text = (
            '{"FV":"1.3","PG":"T%d","MS":"%s","IS":%s,"IL":"NONE","IF":[],"IT":"%s","ID":"%s",'
            '"RD":[%s,%s],"WC":"%s","WE":[%d,%d]}'
            % (
                (chain.seq[TRANSACTION] + 2) // 2,
                _escape(self._writer.serial),
                "true" if user else "false",
                "CENTRAL" if user else "NONE",
                _escape(user),
                self._begin,
                self._reading(reading),
                self._writer.cfg.hex(),
                self._events,
                chain.seq[EVENT],
            )
        )
        return self._sign(sha256(text.encode()).digest(), pause)

    def _reading(self, reading) -> str:
        """One reading of the text; empty if it has no time."""
        time_ms = reading.time_ms
        if time_ms is None:
            return ""
        milliwh = reading.import_milliwh
        return (
            '{"TM":"%s,%03d+0000 %s","TX":"%s","RV":%d.%03d,"RI":"01-00:01.08.00*FF","RU":"Wh",'
            '"RT":"%s","EF":"%s","ST":"%s"}'
            % (
                utc_text(time_ms // 1000),
                time_ms % 1000,
                "UISR"[reading.tsync],
                reading.tx,
                milliwh // 1000,
                milliwh % 1000,
                "AD"[self._writer.current_kind] + "C",
                reading.err,
                reading.status,
            )
        )


def utc_text(second: int) -> str:
    """A second since 1970 as YYYY-MM-DDThh:mm:ss.

    Years begin in March here, so that the day that comes and goes is the last of them.
    """
    days, second = divmod(second, 86400)
    era, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    year += 400 * era + month // 10
    month = (month + 2) % 12 + 1
    return "%04d-%02d-%02dT%02d:%02d:%02d" % (
        year,
        month,
        day,
        second // 3600,
        second // 60 % 60,
        second % 60,
    )


def _escape(text: str) -> str:
    """Printable ASCII as the inside of a JSON string without the bar that divides OCMF."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("|", "\\u007C")
