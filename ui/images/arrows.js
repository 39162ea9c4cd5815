// Buttons in rows, of which one can be reached with Tab; arrows, Home and End move between them. What every page of pictures has in common:
// it is put before the script of each.

const make = (name, className = "", text = "") => Object.assign(document.createElement(name), { className, textContent: text })

/** A button at a place among all of them, which stand in root.buttons; a click or Enter calls `chosen`. */
function standing(root, button, at, chosen) {
  Object.assign(button, { type: "button", tabIndex: at ? -1 : 0 })
  button.onclick = chosen
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

