"""A writer to be killed: appends signed records and says so only after they are committed.

Arguments: ledger file or URL, last acknowledged seq, seed, and after how many batches to stop, if
ever. Each line of output is the seq up to
which everything is committed; a node would take it as its acknowledgement and forget those
records. So the writer goes on from there, and sends again what was committed but never
acknowledged.
"""

import random
import sys
from hashlib import sha256
from itertools import count

from ledger_samples import SampleNode, entry_of, signer
from wattest.ledger import Conflict, Ledger
from wattest.store import open_store

BATCH_MAX = 40


def main():
    place, acknowledged, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    store = open_store(place)
    ledger = Ledger(store, signer())
    node = SampleNode()
    if not ledger.size:
        ledger.append([node.enrolment()])
    if acknowledged:
        index = store.find_record(node.kid, 0, acknowledged).index
        node.seq, node.prev = acknowledged, sha256(ledger.entry(index).body).digest()
    batches = range(int(sys.argv[4])) if len(sys.argv) > 4 else count()
    for _ in batches:
        batch = [entry_of(node.reading()) for _ in range(rng.randint(1, BATCH_MAX))]
        outcomes = ledger.append(batch)
        assert not any(isinstance(outcome, Conflict) for outcome in outcomes)
        sys.stdout.write(f"{node.seq}\n")
        sys.stdout.flush()


main()
