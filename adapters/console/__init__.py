"""Pages for people: templates, a stylesheet, and the routes that show them. They work without a script."""
