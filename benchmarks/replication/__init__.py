"""How fast do sites learn of each other, through a folder, S3, Azure Blob and Google's storage?

python -m benchmarks.replication [--json] [--short | --full] [--only PART ...]

Parts: `lag` (from an append at one site to the other), `files` (small files to a store and back,
beside rclone and DVC, and its memory), `catching-up` (a new site takes a whole history and its
artifacts), `merge` (three histories into one ledger, and its memory). `--short` takes a minute and
says nothing about speed; `--full` adds 600,000 files of 3 KB, and the peers over Google's storage.
"""
