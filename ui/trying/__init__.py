"""Drawing, photographing and uploading: what the page Try it is made of."""
