"""Evidence of an import, in one file: a bundle that anybody can check without a database, and a page for people."""
