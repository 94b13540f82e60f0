"""The JSON API: one module a resource over the same use cases and views as the command line."""
