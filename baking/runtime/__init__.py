"""What every long run needs: a resumable workspace, memory limits, threads, progress."""
