"""What the page of clusters is made of."""
