"""What can be read: the views, and reports put together from them.

A small view is one module: tables, handlers, queries. A large one is a package with two files: `written.py` holds its
tables, its handlers and the `View`, `read.py` its rows and queries. Queries take a cursor and return rows: a noun names
a list, `find_…` returns one row or None, `count_…` returns a number. What is not a view is in `reports`.
"""
