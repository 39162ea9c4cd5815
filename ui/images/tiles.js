// One image to a tile, or two that belong together, with words below.

function picture(root, data, tile, image, at, count) {
  const button = opener(root, "cut", at, image.place)
  cut(button, data.sheet, at, count)
  button.title = image.name
  button.setAttribute("aria-label", [`${image.name}, ${image.label}`, tile.title, ...tile.lines].filter(Boolean).join(", "))
  button.dataset.place = image.place
  return button
}

export default drawing((root, data, page) => {
  page.classList.toggle("pairs", data.pairs)
  const count = data.tiles.reduce((sum, tile) => sum + tile.images.length, 0)
  root.buttons = []
  return data.tiles.map(tile => {
    const figure = make("figure", tile.marked ? "marked" : "")
    const images = make("div", "images")
    for (const image of tile.images) {
      root.buttons.push(picture(root, data, tile, image, root.buttons.length, count))
      images.append(root.buttons.at(-1))
    }
    const words = make("figcaption")
    words.append(make("div", "title", tile.title), ...tile.lines.map(line => make("div", "note", line)))
    words.setAttribute("aria-hidden", "true") // the buttons say it
    figure.append(images, words)
    return figure
  })
})
