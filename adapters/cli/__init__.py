"""The command line: one module for each group of commands, which `adapters.cli.main` puts together."""
