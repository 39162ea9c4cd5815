// Pictures as buttons. A click or Enter reports its word.

function pick(root, item, place) {
  const button = standing(root, make("button"), place, () => root.tell("picked", item.word))
  button.title = item.name
  const image = Object.assign(make("img", item.small ? "small" : ""), { src: item.source, alt: "" })
  button.append(image)
  if (item.shown) button.append(make("div", "name", item.name))
  if (item.line) button.append(make("div", "line", item.line))
  button.setAttribute("aria-label", [item.name, item.line].filter(Boolean).join(", "))
  button.dataset.word = item.word
  return button
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
