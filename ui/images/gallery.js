// What each image is, what it was taken for, and how sure the model was.

function tile(root, data, place) {
  const [truth, guess] = [data.names[data.truth[place]], data.names[data.guess[place]]]
  const right = truth === guess
  const percent = data.share[place] > 0.995 ? "> 99 %" : `${Math.round(100 * data.share[place])} %`
  const button = opener(root, right ? "right" : "wrong", place, data.index[place])
  const image = make("div", "cut image")
  cut(image, data.sheet, place, data.truth.length)
  const line = make("div", "line")
  line.append(make("span", "guess", `${right ? "✓" : "✗"} ${guess}`), make("span", "share", percent))
  const words = make("div", "words")
  words.append(line, make("div", "", right ? "" : `is ${truth}`), make("div", "note", data.notes[place] ?? ""))
  button.append(image, words)
  button.setAttribute("aria-label", [`true ${truth}, predicted ${guess}, ${percent}`, data.notes[place]].filter(Boolean).join(", "))
  button.title = `Image ${data.index[place]}`
  button.dataset.index = data.index[place]
  return button
}

export default drawing((root, data) => root.buttons = data.truth.map((_, place) => tile(root, data, place)))
