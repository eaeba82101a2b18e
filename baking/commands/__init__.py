"""The command lines: parse, call one function, print."""
