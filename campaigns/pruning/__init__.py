"""What nobody needs any more goes, in batches, beside paid work: `manage.py prune`."""
