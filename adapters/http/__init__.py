"""What the JSON API and the console share: security, limits, problems, paging, uploads. It imports neither of them."""
