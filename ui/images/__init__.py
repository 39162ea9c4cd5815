"""Pages of small images that open with a click: one with what a model says of each, one with words of any kind."""
