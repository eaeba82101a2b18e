"""Services for long runs: resumable workspace, memory checks, threads, progress."""
