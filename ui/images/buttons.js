// Small images as buttons, cut from one sheet. A click or Enter reports an image; arrows move between them.
// What the gallery and the tiles have in common: `ui/images/buttons.py` puts it before the script of each.

const make = (name, className = "", text = "") => Object.assign(document.createElement(name), { className, textContent: text })

/** Show the image at a place of a sheet of `count` images. */
function cut(element, sheet, at, count) {
  element.style.backgroundImage = `url(${sheet})`
  element.style.backgroundSize = `${100 * count}% 100%`
  element.style.backgroundPosition = `${count > 1 ? (100 * at) / (count - 1) : 0}% 0`
}

/** A button at a place among all of them, which stand in root.buttons; reports `value`. One of them can be reached with Tab. */
function opener(root, className, at, value) {
  const button = Object.assign(make("button", className), { type: "button", tabIndex: at ? -1 : 0 })
  button.onclick = () => root.tell("opened", value)
  button.onkeydown = event => move(root, event, at)
  button.onfocus = () => root.buttons.forEach((other, place) => { other.tabIndex = place === at ? 0 : -1 })
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

/** The component: draws what `draw(root, data)` makes, and only if the data is other than before. */
const drawing = draw => ({ data, parentElement, setTriggerValue }) => {
  const root = parentElement.querySelector(".frame")
  root.tell = setTriggerValue
  const drawn = JSON.stringify(data)
  if (root.drawn === drawn) return // the theme changed: the colours follow by themselves, and the focus stays
  root.drawn = drawn
  const page = root.querySelector(".page")
  page.setAttribute("aria-label", data.label)
  page.replaceChildren(...draw(root, data, page))
}

