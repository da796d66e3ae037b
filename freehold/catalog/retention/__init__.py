"""What must stay, what may go: decided from the state alone.

Law. An object goes only if nothing below refers to it, and if that was so for a grace period:
- a version that has an alias, is in a running or its model's latest release, was the one before
  any of these, is among the newest of its model, or is on hold: its package, and what its run read
  and made;
- any version: its attestations, which are its evidence for ever;
- a run that is open, younger than the retention, or on hold: what its steps read and made;
- an open run: whatever appeared after it began, though no fact names it yet; and the newest
  checkpoints of its steps, which nothing else keeps;
- a contract report on data that stays; any report, labels and parts of the request log within
  their days, and within what monitoring and a running release look back on;
- metered usage, and the bills that hold, for ever; a bill that was replaced, as long as a report;
- a hold on the digest itself; a release or a rule that asks for it at this site;
- a fact of a type that this room does not know, or that is not folded yet: all that it names.

Attachments stay as long as the ledger: `audit erase` is the way for them to go.
"""
