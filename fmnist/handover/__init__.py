"""Handing a run over: everything that leaves the studio in a file or to another program, and what comes back in."""
