"""One of several benches that append to one database at once.

Arguments: URL, number of the bench, batches. A bench logs readings of its own node, and with each
batch the same records of a node that every bench hears. It prints what became of everything.
"""

import json
import random
import sys

from ledger_samples import SampleNode, entry_of, signer
from wattest.ledger import Ledger
from wattest.store import open_store

SHARED = 99


def main():
    url, number, batches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(number)
    own, shared = SampleNode(number), SampleNode(SHARED)
    with open_store(url) as store:
        ledger = Ledger(store, signer())
        sys.stdin.readline()  # all benches begin at once
        for _ in range(batches):
            readings = [own.reading() for _ in range(rng.randint(1, 20))]
            heard = shared.reading()
            outcomes = ledger.append([*map(entry_of, readings), entry_of(heard)])
            kinds = [type(outcome).__name__ for outcome in outcomes]
            places = [outcome.index for outcome in outcomes]
            print(json.dumps({"kinds": kinds, "places": places, "root": ledger.root().hex()}))


main()
