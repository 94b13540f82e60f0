"""The commands, by what they are about; `adapters.cli` puts them together."""
