"""What can be read: each module owns a view's tables, its handlers and its queries."""
