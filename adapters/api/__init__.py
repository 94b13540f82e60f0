"""The JSON API: one module per resource, over the same use cases and views as the console and the command line."""
