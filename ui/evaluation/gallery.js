// A page of small images as buttons, cut from one sheet. A click or Enter reports the image; arrows move between them.

const make = (name, className = "", text = "") => Object.assign(document.createElement(name), { className, textContent: text })

function tile(root, data, place) {
  const [truth, guess] = [data.names[data.truth[place]], data.names[data.guess[place]]]
  const right = truth === guess
  const percent = data.share[place] > 0.995 ? "> 99 %" : `${Math.round(100 * data.share[place])} %`
  const button = Object.assign(make("button", right ? "right" : "wrong"), { type: "button", tabIndex: place ? -1 : 0 })
  const image = make("div", "image")
  image.style.backgroundImage = `url(${data.sheet})`
  image.style.backgroundSize = `${100 * data.truth.length}% 100%`
  image.style.backgroundPosition = `${data.truth.length > 1 ? (100 * place) / (data.truth.length - 1) : 0}% 0`
  const line = make("div", "line")
  line.append(make("span", "guess", `${right ? "✓" : "✗"} ${guess}`), make("span", "share", percent))
  const words = make("div", "words")
  words.append(line, make("div", "", right ? "" : `is ${truth}`), make("div", "note", data.notes[place] ?? ""))
  button.append(image, words)
  button.setAttribute("aria-label", [`true ${truth}, predicted ${guess}, ${percent}`, data.notes[place]].filter(Boolean).join(", "))
  button.title = `Image ${data.index[place]}`
  button.dataset.index = data.index[place]
  button.onclick = () => root.tell("opened", data.index[place])
  button.onkeydown = event => move(root, event, place)
  button.onfocus = () => rove(root, place)
  return button
}

function rove(root, place) {
  root.tiles.forEach((button, index) => { button.tabIndex = index === place ? 0 : -1 })
}

function move(root, event, place) {
  const first = root.tiles[0].offsetTop
  const columns = root.tiles.filter(button => button.offsetTop === first).length
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -place, End: root.tiles.length - 1 - place }
  const goal = root.tiles[place + (steps[event.key] ?? 0)]
  if (!(event.key in steps)) return
  event.preventDefault()
  goal?.focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".frame")
  root.tell = setTriggerValue
  const drawn = JSON.stringify(data)
  if (root.drawn === drawn) return // the theme changed: the colours follow by themselves, and the focus stays
  root.drawn = drawn
  const images = root.querySelector(".images")
  images.setAttribute("aria-label", data.label)
  root.tiles = data.truth.map((_, place) => tile(root, data, place))
  images.replaceChildren(...root.tiles)
}
