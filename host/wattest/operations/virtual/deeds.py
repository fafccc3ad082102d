"""The parties of a virtual run: they agree, pay, dispute and resolve, as the scenario has it.

Their keys derive from the seed. What they do is logged as signed acts, as real parties' acts are.
"""

from __future__ import annotations

from hashlib import sha256

from wattest.errors import ConfigError
from wattest.ledger import Ledger, Receipt
from wattest.operations.party_key import PartyKey
from wattest.operations.virtual.demo_keys import demo_key
from wattest.scenario import Deed, DeedKind, Scenario
from wattest.settlement import Terms, period_at, terms_hash
from wattest.settlement.disputes import counts_of
from wattest.settlement.folding import AccountsFold, problems
from wattest.settlement.lifecycle import cutoff_ms
from wattest.settlement.parties import parties_of
from wattest.settlement.period import periods_within
from wattest.units import NS_PER_MS, format_duration
from wattest.wire import Agreement, DisputeAct, PaymentAct, PaymentKind, ResolutionAct
from wattest.wire.act import AnyAct

_PLAYED = (DeedKind.DISPUTE, DeedKind.RESOLVE)


def party_key(seed: int, party: str) -> PartyKey:
    """Return the demo key of a party: anybody who knows the seed has it."""
    return PartyKey.from_secret(demo_key(seed, "party", party))


class Deeds:
    """Does what parties do.

    Args:
        scenario: whose.
        ledger: where acts are logged.

    Attributes:
        played: contracts in which something is disputed: they are settled as their periods end,
            the others at the end of the run.
        later: deeds that come after the end of the run, in order.
    """

    def __init__(self, scenario: Scenario, ledger: Ledger) -> None:
        self._scenario = scenario
        self._ledger = ledger
        self._contracts = {terms.contract: terms for terms in scenario.contracts}
        self._disputes: dict[str, bytes] = {}
        self._lines = {d.name: d.line for d in scenario.deeds if d.kind is DeedKind.DISPUTE}
        self._fold = AccountsFold()
        self._read = 0
        end_ns = scenario.duration_ns
        self.played = frozenset(d.contract for d in scenario.deeds if d.kind in _PLAYED)
        self.later = tuple(deed for deed in scenario.deeds if deed.at_ns >= end_ns)
        self.within = tuple(deed for deed in scenario.deeds if deed.at_ns < end_ns)

    @property
    def open_contracts(self) -> frozenset[str]:
        """Contracts that something will be done in after the end of the run."""
        return frozenset(deed.contract for deed in self.later)

    def agree(self) -> None:
        """Everybody agrees to the terms, unless the scenario says who agrees when.

        A party whose real key the terms name does not: nobody here has that key.
        """
        planned = {d.contract for d in self._scenario.deeds if d.kind is DeedKind.AGREE}
        for terms in self._scenario.contracts:
            if terms.contract not in planned:
                for party, pinned in parties_of(terms).items():
                    demo = party_key(self._scenario.seed, party).public_key
                    if pinned in (None, demo):
                        self._log(party, self._agreement(terms, party, self._scenario.epoch_ms))

    def do(self, deed: Deed) -> None:
        """Log what a deed says.

        Raises:
            ConfigError: it would move nothing, and why.
        """
        terms = self._contracts[deed.contract]
        for party in [deed.party] if deed.party else [terms.seller, terms.buyer]:
            act = self._act(deed, terms, party)
            index, body = self._log(party, act)
            if isinstance(act, DisputeAct):
                self._disputes[deed.name] = sha256(body).digest()
            self._check(deed, index)

    def due_times_ms(self) -> list[int]:
        """Return when periods of the played contracts are due within the run, UTC ms."""
        scenario = self._scenario
        times = {
            cutoff_ms(terms, period)
            for terms in scenario.contracts
            if terms.contract in self.played
            for period in periods_within(terms, scenario.epoch_ms, scenario.end_ms)
        }
        return sorted(time for time in times if scenario.epoch_ms < time < scenario.end_ms)

    def _log(self, party: str, act: AnyAct) -> tuple[int, bytes]:
        entry = party_key(self._scenario.seed, party).entry(act)
        (outcome,) = self._ledger.append([entry])
        assert isinstance(outcome, Receipt), "only records can be duplicates"
        return outcome.index, entry.body

    def _check(self, deed: Deed, index: int) -> None:
        """An act that moves nothing is a mistake in the scenario."""
        self._fold.take_all(self._ledger.entries(self._read))
        self._read = self._ledger.size
        for place, text in problems(self._fold):
            if place == index:
                when = format_duration(deed.at_ns)
                raise ConfigError(
                    text, path=self._scenario.path, key=f"action {deed.kind.value} at {when}"
                )

    def _act(self, deed: Deed, terms: Terms, party: str) -> AnyAct:
        start_ms = self._scenario.epoch_ms
        time_ms = start_ms + deed.at_ns // NS_PER_MS
        common = {"contract": deed.contract, "party": party, "time_ms": time_ms}
        match deed.kind:
            case DeedKind.AGREE:
                return self._agreement(terms, party, time_ms)
            case DeedKind.DISPUTE:
                window = tuple(start_ms + t_ns // NS_PER_MS for t_ns in deed.window_ns)
                period = period_at(terms, window[0])
                return DisputeAct(
                    **common,  # type: ignore[arg-type]
                    period=(period.start_ms, period.end_ms),
                    line=deed.line,
                    window=(window[0], window[1]),
                    reason=deed.text,
                    quantity=(
                        None
                        if deed.quantity is None
                        else counts_of(terms, deed.line, deed.quantity)
                    ),
                )
            case DeedKind.RESOLVE:
                return ResolutionAct(
                    **common,  # type: ignore[arg-type]
                    dispute=self._disputes[deed.name],
                    granted=counts_of(terms, self._lines[deed.name], deed.granted),
                    text=deed.text,
                )
            case _:
                amount = deed.amount * 10**terms.scale
                if amount.denominator != 1:
                    raise ConfigError(
                        f"at most {terms.scale} decimals expected, got {deed.amount}",
                        path=self._scenario.path,
                        key=f"action {deed.kind.value}.amount",
                    )
                return PaymentAct(
                    **common,  # type: ignore[arg-type]
                    what=PaymentKind[deed.kind.name],
                    amount_minor=amount.numerator,
                    currency=terms.currency,
                    reference=deed.reference,
                )

    def _agreement(self, terms: Terms, party: str, time_ms: int) -> Agreement:
        return Agreement(
            contract=terms.contract,
            party=party,
            time_ms=time_ms,
            terms=terms_hash(terms),
            public_key=party_key(self._scenario.seed, party).public_key,
        )
