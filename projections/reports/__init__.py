"""What is put together from events, views and blobs when asked, and the words for it.

Nothing here has tables or handlers: a module that needs them is a view.
"""
