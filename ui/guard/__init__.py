"""Who may talk to the server, and about what: the first thing that every request and every WebSocket meets."""
