"""My pictures: keeping a drawing or a photo with what it shows, and the collection of them."""
