"""Where the steps of a run go: what sites offer, what laws forbid, what was measured."""
