"""The server: the app that mounts the JSON API and the console, health, and how it listens."""
