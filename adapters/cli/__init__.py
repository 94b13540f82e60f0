"""The commands, by what they are about; `adapters.cli.main` puts them together."""
