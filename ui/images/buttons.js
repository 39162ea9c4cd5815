// Small images as buttons, cut from one sheet. A click or Enter reports an image.
// What the gallery and the tiles have in common: `ui/images/buttons.py` puts it before the script of each.

/** Show the image at a place of a sheet of `count` images. */
function cut(element, sheet, at, count) {
  element.style.backgroundImage = `url(${sheet})`
  element.style.backgroundSize = `${100 * count}% 100%`
  element.style.backgroundPosition = `${count > 1 ? (100 * at) / (count - 1) : 0}% 0`
}

/** A button that reports `value`, at a place among all of them. */
function opener(root, className, at, value) {
  return standing(root, make("button", className), at, () => root.tell("opened", value))
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

