"""The Explore page: the images by class, on a map, doubtful, twice, typical."""
