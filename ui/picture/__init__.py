"""The panel about one image, which every gallery opens."""
