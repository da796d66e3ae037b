"""S3 and Azure Blob Storage, by the library of that name."""
