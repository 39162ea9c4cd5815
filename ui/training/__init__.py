"""The Train page: what is chosen, what it will cost, what it does right now."""
