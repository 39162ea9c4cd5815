// Pictures as buttons. A click or Enter reports its word; arrows move between them.

const make = (name, className = "", text = "") => Object.assign(document.createElement(name), { className, textContent: text })

function pick(root, item, place) {
  const button = Object.assign(make("button"), { type: "button", tabIndex: place ? -1 : 0, title: item.name })
  const image = Object.assign(make("img", item.small ? "small" : ""), { src: item.source, alt: "" })
  button.append(image)
  if (item.shown) button.append(make("div", "name", item.name))
  if (item.line) button.append(make("div", "line", item.line))
  button.setAttribute("aria-label", [item.name, item.line].filter(Boolean).join(", "))
  button.dataset.word = item.word
  button.onclick = () => root.tell("picked", item.word)
  button.onkeydown = event => move(root, event, place)
  button.onfocus = () => root.buttons.forEach((other, index) => { other.tabIndex = index === place ? 0 : -1 })
  return button
}

function move(root, event, place) {
  const top = button => button.getBoundingClientRect().top
  const columns = root.buttons.filter(button => top(button) === top(root.buttons[0])).length
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -place, End: root.buttons.length - 1 - place }
  if (!(event.key in steps)) return
  event.preventDefault()
  root.buttons[place + steps[event.key]]?.focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".frame")
  const picks = root.querySelector(".picks")
  root.tell = setTriggerValue
  const drawn = JSON.stringify(data.items)
  if (root.drawn !== drawn) { // else the focus stays where it is
    root.drawn = drawn
    root.buttons = data.items.map((item, place) => pick(root, item, place))
    picks.replaceChildren(...root.buttons)
  }
  picks.style.setProperty("--side", `${data.side}px`)
  picks.setAttribute("aria-label", data.label)
  if (data.choosing) root.buttons.forEach(button => button.setAttribute("aria-pressed", String(button.dataset.word === data.chosen)))
}
