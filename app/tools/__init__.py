"""The command line of the viewer, screenshots and recordings, benchmarks, and the report on this machine."""
