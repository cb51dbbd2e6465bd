#!/usr/bin/env python3
"""The peer of `crosscope import`: Python's sqlite3 reading every example of a database, blobs decoded with numpy.

    import_peer.py examples.db     prints seconds, rows and values as CSV
"""

import sqlite3
import sys
import time

import numpy as np

start = time.time()
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
tokens = sum(len(np.frombuffer(ids, np.int32)) for _, ids in db.execute(
    "SELECT sequence_idx, token_ids FROM sequences ORDER BY sequence_idx"))
rows = values = 0
for _, _, _, _, positions, activations in db.execute("""
    SELECT q.feature_idx, q.quantile_idx, q.activation, q.sequence_idx, a.positions, a.activation_values
    FROM quantile_examples q JOIN activation_details a USING (feature_idx, sequence_idx) ORDER BY q.feature_idx"""):
    order = np.argsort(np.frombuffer(positions, np.int32))
    values += len(np.frombuffer(activations, np.float32)[order])
    rows += 1
print("seconds,sequences_tokens,rows,values")
print(f"{time.time() - start:.1f},{tokens},{rows},{values}")
