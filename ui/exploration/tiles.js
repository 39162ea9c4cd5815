// Images as buttons with words below, cut from one sheet. A click or Enter reports an image; arrows move between them.

const make = (name, className = "", text = "") => Object.assign(document.createElement(name), { className, textContent: text })

function picture(root, data, tile, image, at, count) {
  const button = Object.assign(make("button"), { type: "button", tabIndex: at ? -1 : 0, title: image.name })
  button.style.backgroundImage = `url(${data.sheet})`
  button.style.backgroundSize = `${100 * count}% 100%`
  button.style.backgroundPosition = `${count > 1 ? (100 * at) / (count - 1) : 0}% 0`
  button.setAttribute("aria-label", [`${image.name}, ${image.label}`, tile.title, ...tile.lines].filter(Boolean).join(", "))
  button.dataset.place = image.place
  button.onclick = () => root.tell("opened", image.place)
  button.onkeydown = event => move(root, event, at)
  button.onfocus = () => root.buttons.forEach((other, index) => { other.tabIndex = index === at ? 0 : -1 })
  return button
}

function move(root, event, at) {
  const top = button => button.getBoundingClientRect().top
  const columns = root.buttons.filter(button => top(button) === top(root.buttons[0])).length
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: root.buttons.length - 1 - at }
  if (!(event.key in steps)) return
  event.preventDefault()
  root.buttons[at + steps[event.key]]?.focus()
}

function draw(root, data) {
  const count = data.tiles.reduce((sum, tile) => sum + tile.images.length, 0)
  root.buttons = []
  return data.tiles.map(tile => {
    const figure = make("figure", tile.marked ? "marked" : "")
    const images = make("div", "images")
    for (const image of tile.images) {
      const button = picture(root, data, tile, image, root.buttons.length, count)
      root.buttons.push(button)
      images.append(button)
    }
    const words = make("figcaption")
    words.append(make("div", "title", tile.title), ...tile.lines.map(line => make("div", "line", line)))
    words.setAttribute("aria-hidden", "true") // the buttons say it
    figure.append(images, words)
    return figure
  })
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".frame")
  root.tell = setTriggerValue
  const drawn = JSON.stringify(data)
  if (root.drawn === drawn) return // the theme changed: the colours follow by themselves, and the focus stays
  root.drawn = drawn
  const tiles = root.querySelector(".tiles")
  tiles.classList.toggle("pairs", data.pairs)
  tiles.setAttribute("aria-label", data.label)
  tiles.replaceChildren(...draw(root, data))
}
