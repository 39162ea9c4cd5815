// Who is taken for whom: a table of real buttons. It is built once; new figures only change words and colours. Which button is pressed
// lives here and not in the data, so that a click needs no answer; the data says it only when somebody else changed it (`turn`).

const WEAK = [6, 62] // % of the tint in a cell that carries the text's own colour
const STRONG = [86, 100] // % in a cell that carries white

const make = (name, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(name), attributes)
  element.append(...children)
  return element
}

const buttonAt = (root, row, column) => root.buttons[row + 1]?.[column + 1]

// Row and column -1 are the heads; the corner has no button.
function build(root, size) {
  const places = [...Array(size + 1).keys()].map(place => place - 1)
  root.buttons = places.map(row => places.map(column => {
    if (row < 0 && column < 0) return null
    const button = make("button", { type: "button", tabIndex: -1 })
    button.onclick = () => choose(root, row, column)
    button.onkeydown = event => move(root, event, row, column)
    button.onfocus = () => rove(root, button)
    return button
  }))
  const corner = make("td", { className: "corner" }, "taken for →", make("br"), "truly ↓")
  const head = make("tr", {}, corner, ...root.buttons[0].slice(1).map(button => make("th", { scope: "col" }, button)))
  const body = root.buttons.slice(1).map(([name, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...cells.map(cell => make("td", {}, cell))))
  const widths = make("colgroup", {}, make("col", { className: "names" }), ...places.slice(1).map(() => make("col")))
  root.table.replaceChildren(widths, make("thead", {}, head), make("tbody", {}, ...body))
  for (const row of root.table.querySelectorAll("tr")) row.setAttribute("role", "row")
  for (const cell of root.table.querySelectorAll("td")) cell.setAttribute("role", "gridcell")
  rove(root, buttonAt(root, 0, 0))
}

function rove(root, button) {
  root.current?.setAttribute("tabindex", "-1")
  root.current = button
  button.setAttribute("tabindex", "0")
}

function move(root, event, row, column) {
  const last = root.data.order.length - 1
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0]
  const goal = event.key === "Home" ? [row, row < 0 ? 0 : -1] : event.key === "End" ? [row, last] : [row + down, column + right]
  if (event.key === "Escape" && root.chosen) return choose(root, ...placeOf(root))
  if (goal[0] === row && goal[1] === column) return
  event.preventDefault()
  buttonAt(root, ...goal)?.focus()
}

// ---- what is chosen: [truth, guess], where null stands for all of them -------------------------------------------------------------------

const classAt = (root, place) => (place < 0 ? null : root.data.order[place])
const placeOf = root => root.chosen.map(label => (label === null ? -1 : root.data.order.indexOf(label)))

function choose(root, row, column) {
  const wanted = [classAt(root, row), classAt(root, column)]
  const again = root.chosen && wanted.every((label, axis) => label === root.chosen[axis])
  root.chosen = again ? null : wanted
  mark(root)
  root.clicks += 1
  root.tell("click", { chosen: root.chosen, count: root.clicks })
}

function mark(root) {
  const place = root.chosen ? placeOf(root) : null
  root.buttons.forEach((buttons, y) => buttons.forEach((button, x) => {
    if (!button) return
    const [row, column] = [y - 1, x - 1]
    const inRow = place?.[1] === -1 && row === place[0] && column >= 0
    const inColumn = place?.[0] === -1 && column === place[1] && row >= 0
    button.setAttribute("aria-pressed", String(!!place && row === place[0] && column === place[1]))
    button.classList.toggle("near", inRow || inColumn)
    button.classList.toggle("along", inColumn)
  }))
}

// ---- words and colours -------------------------------------------------------------------------------------------------------------------

const sum = values => values.reduce((total, value) => total + value, 0)
const number = value => value.toLocaleString("en")
const percent = share => `${(100 * share).toFixed(1)} %`

function shares(data) {
  const rows = data.counts.map(sum)
  const columns = data.counts[0].map((_, guess) => sum(data.counts.map(row => row[guess])))
  const parts = { rows: truth => rows[truth], columns: (_, guess) => columns[guess] }[data.mode]
  const share = (count, whole) => (whole ? count / whole : 0)
  return data.counts.map((row, truth) => row.map((count, guess) => (parts ? share(count, parts(truth, guess)) : count)))
}

function cellWords(data, value) {
  if (data.mode === "difference") return [value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "0", ""]
  if (data.mode === "counts") return [number(value), ""]
  if (!value) return ["0", ""]
  const [whole, tenth] = (100 * value).toFixed(1).split(".")
  return [whole, `.${tenth}`]
}

function cellLabel(data, truth, guess, share) {
  const count = Math.abs(data.counts[truth][guess])
  const what = truth === guess ? "recognised" : `taken for ${data.names[guess]}`
  const whom = `${number(count)} ${count === 1 ? data.names[truth] : data.plurals[truth]}`
  if (data.mode === "difference") return count ? `${whom} ${data.counts[truth][guess] > 0 ? "more" : "fewer"} ${what}` : `As many ${data.plurals[truth]} ${what}`
  if (data.mode === "counts") return `${whom} ${what}`
  const whole = data.mode === "rows" ? `of all ${data.plurals[truth]}` : `of all that was taken for ${data.names[guess]}`
  return `${whom} ${what}, ${percent(share)} ${whole}`
}

function headLabel(data, truth, guess) {
  if (data.mode === "difference") return truth === null ? `Everything taken for ${data.names[guess]}` : `All ${data.plurals[truth]}`
  if (truth === null) {
    const all = sum(data.counts.map(row => row[guess]))
    return `Everything taken for ${data.names[guess]}: ${number(all)}, ${number(all - data.counts[guess][guess])} of them wrongly`
  }
  const all = sum(data.counts[truth])
  return `All ${data.plurals[truth]}: ${number(all)}, ${number(all - data.counts[truth][truth])} of them taken for something else`
}

const off = values => values.flatMap((row, truth) => row.filter((_, guess) => guess !== truth)).map(Math.abs)

// Right answers and mistakes each have a colour and a scale of their own: else 900 on the diagonal would leave 30 mistakes white.
function dress(button, data, value, diagonal, largest) {
  const signed = data.mode === "difference"
  const good = signed ? (value > 0) === diagonal : diagonal
  const level = Math.sqrt(Math.min(1, Math.abs(value) / (largest || 1)))
  const strong = diagonal && !signed && level > 0.7
  const [from, to] = strong ? STRONG : WEAK
  button.className = [value ? (good ? "good" : "bad") : "none", strong ? "strong" : ""].join(" ")
  button.style.setProperty("--level", value ? from + (to - from) * level : 0)
}

function fill(root) {
  const { data } = root
  const values = shares(data)
  const mistakes = Math.max(...off(values), 0)
  const right = data.mode === "difference" ? Math.max(mistakes, ...values.map((row, truth) => Math.abs(row[truth]))) : Math.max(...values.map((row, truth) => row[truth]))
  const scale = data.mode === "difference" ? [right, right] : [mistakes, right]
  data.order.forEach((truth, row) => data.order.forEach((guess, column) => {
    const button = buttonAt(root, row, column)
    const [whole, tenth] = cellWords(data, values[truth][guess])
    button.replaceChildren(whole, make("span", { className: "tenth" }, tenth))
    button.setAttribute("aria-label", cellLabel(data, truth, guess, values[truth][guess]))
    dress(button, data, values[truth][guess], truth === guess, scale[Number(truth === guess)])
    if (truth === guess && !data.diagonal) button.className = "hidden"
  }))
  data.order.forEach((label, place) => {
    for (const [button, axis] of [[buttonAt(root, place, -1), [label, null]], [buttonAt(root, -1, place), [null, label]]]) {
      const names = make("span", { className: axis[0] === null ? "upright" : "" }, make("span", { className: "long" }, data.names[label]), make("span", { className: "short" }, data.short[label]))
      button.replaceChildren(names)
      button.setAttribute("aria-label", headLabel(data, ...axis))
    }
  })
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".frame")
  root.tell = setStateValue
  root.clicks ??= 0
  root.data = data
  root.table = root.querySelector("table")
  root.table.setAttribute("aria-label", data.label)
  if (root.buttons?.length !== data.order.length + 1) build(root, data.order.length)
  fill(root)
  if (root.turn !== data.turn) {
    root.turn = data.turn
    root.chosen = data.chosen
  }
  mark(root)
}
