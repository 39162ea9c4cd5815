"""The Sweep page: what to search, what it will cost, how it goes, what came out."""
