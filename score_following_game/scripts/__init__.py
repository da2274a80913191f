"""The command lines: each parses its arguments and calls the package. The scripts at the top level and `sfg-...` run these."""
