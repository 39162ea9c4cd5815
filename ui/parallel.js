// Parallel coordinates in SVG. A drag along an axis picks a stretch, a click on the axis gives it up; with the keyboard the arrows do the same.

const HEIGHT = 300 // px
const MARGIN = { top: 54, bottom: 18, left: 60, right: 80 } // px, room for titles, in two rows, and ticks
const LEAST = 84 // px between two axes; on a phone the frame scrolls
const REACH = 16 // px on both sides of an axis that take a press
const STEP = 0.05 // of an axis that an arrow key moves the stretch
const TICK = 14 // letters
const TITLE = 26
const DASHES = { solid: "none", dot: "2.5 3", dash: "7 4", dashdot: "8 3 2.5 3", longdash: "13 4" }

const clamp = value => Math.min(1, Math.max(0, value))

function make(name, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  if (text !== undefined) element.textContent = text
  parent.append(element)
  return element
}

// What is too long is cut, and whole under the pointer.
function write(parent, attributes, text, most) {
  const written = make("text", attributes, parent, text.length > most ? `${text.slice(0, most - 1)}…` : text)
  if (text.length > most) make("title", {}, written, text)
}

const up = place => HEIGHT - MARGIN.bottom - place * (HEIGHT - MARGIN.top - MARGIN.bottom)
const down = pixels => clamp((HEIGHT - MARGIN.bottom - pixels) / (HEIGHT - MARGIN.top - MARGIN.bottom))

const isIn = (plot, row) =>
  plot.data.axes.every(axis => {
    const brush = plot.brushes.get(axis.title)
    const place = axis.places[row]
    return !brush || (place !== null && place >= brush[0] - 1e-6 && place <= brush[1] + 1e-6)
  })

const picked = plot => (plot.brushes.size ? plot.data.lines.map((_, row) => row).filter(row => isIn(plot, row)) : [])

// ---- drawing ----

function draw(plot) {
  const { axes, lines } = plot.data
  const width = Math.max(plot.root.clientWidth, MARGIN.left + MARGIN.right + LEAST * (axes.length - 1))
  const gap = (width - MARGIN.left - MARGIN.right) / Math.max(1, axes.length - 1)
  const across = index => MARGIN.left + index * gap
  const focused = plot.root.getRootNode().activeElement?.dataset?.title
  plot.svg.replaceChildren()
  plot.svg.setAttribute("width", width)
  plot.svg.setAttribute("height", HEIGHT)
  plot.paths = lines.map((line, row) => {
    const points = axes.flatMap((axis, index) => (axis.places[row] === null ? [] : [`${across(index)},${up(axis.places[row])}`]))
    const path = make("path", { d: `M${points.join("L")}`, stroke: line.color, "stroke-dasharray": DASHES[line.dash], style: `--width: ${line.width}` }, plot.svg)
    path.onpointerenter = () => say(plot, row)
    path.onpointerleave = () => say(plot)
    return path
  })
  axes.forEach((axis, index) => drawAxis(plot, axis, index, across(index), focused))
  paint(plot)
}

function drawAxis(plot, axis, index, x, focused) {
  const label = `${axis.title}: drag, or use the arrow keys, to pick the ${plot.data.of} that pass here; Escape gives the choice up`
  const group = make("g", { class: "axis", tabindex: 0, role: "group", "aria-label": label, "data-title": axis.title }, plot.svg)
  make("line", { x1: x, x2: x, y1: up(0), y2: up(1) }, group)
  const brush = make("rect", { class: "brush", x: x - 7, width: 14, y: 0, height: 0 }, group)
  write(group, { class: "title", x, y: index % 2 ? 36 : 16, "text-anchor": "middle" }, axis.title, TITLE)
  axis.ticks.forEach(([place, words]) => {
    write(group, { x: x + 9, y: up(place) + 4 }, words, TICK)
  })
  const reach = make("rect", { class: "reach", x: x - REACH, width: 2 * REACH, y: up(1) - 8, height: up(0) - up(1) + 16 }, group)
  group.fmBrush = brush
  listen(plot, axis, group, reach)
  if (focused === axis.title) group.focus()
}

function paint(plot) {
  plot.paths.forEach((path, row) => path.classList.toggle("out", !isIn(plot, row)))
  plot.svg.querySelectorAll(".axis").forEach(group => {
    const brush = plot.brushes.get(group.dataset.title)
    group.fmBrush.setAttribute("y", brush ? up(brush[1]) : 0)
    group.fmBrush.setAttribute("height", brush ? Math.max(2, up(brush[0]) - up(brush[1])) : 0)
  })
}

function say(plot, row) {
  plot.paths.forEach((path, other) => path.classList.toggle("looked", other === row))
  const rows = picked(plot)
  const names = rows.map(each => plot.data.lines[each].name)
  const words = plot.brushes.size ? `${rows.length} of ${plot.data.lines.length} picked${names.length ? `: ${names.join(", ")}` : ""}` : ""
  plot.said.textContent = row === undefined ? words : plot.data.lines[row].name
}

// ---- picking ----

function brushTo(plot, axis, brush) {
  brush ? plot.brushes.set(axis.title, brush) : plot.brushes.delete(axis.title)
  paint(plot)
  say(plot)
}

function listen(plot, axis, group, reach) {
  let from
  const at = event => down(event.clientY - plot.svg.getBoundingClientRect().top)
  reach.onpointerdown = event => {
    if (event.button) return
    reach.setPointerCapture(event.pointerId)
    from = at(event)
    brushTo(plot, axis)
  }
  reach.onpointermove = event => {
    if (from === undefined) return
    const here = at(event)
    if (Math.abs(here - from) > 0.01) brushTo(plot, axis, [Math.min(from, here), Math.max(from, here)])
  }
  reach.onpointerup = reach.onpointercancel = () => {
    if (from === undefined) return
    from = undefined
    plot.tell(picked(plot))
  }
  group.onkeydown = event => {
    const brush = plot.brushes.get(axis.title)
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key]
    if (event.key !== "Escape" && !direction) return
    event.preventDefault()
    const start = direction > 0 ? [0.75, 1] : [0, 0.25]
    const moved = brush && [clamp(brush[0] + direction * STEP), clamp(brush[1] + direction * STEP)]
    brushTo(plot, axis, event.key === "Escape" ? undefined : brush ? (moved[1] - moved[0] > STEP ? moved : brush) : start)
    plot.tell(picked(plot))
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".frame")
  root.plot ??= { root, svg: root.querySelector("svg"), said: root.querySelector(".said"), brushes: new Map() }
  const plot = root.plot
  plot.tell = rows => setStateValue("picked", rows)
  const key = JSON.stringify(data)
  if (key !== plot.key) {
    plot.key = key
    plot.data = data
    const titles = new Set(data.axes.map(axis => axis.title))
    for (const title of [...plot.brushes.keys()]) if (!titles.has(title)) plot.brushes.delete(title)
    plot.svg.setAttribute("role", "group")
    plot.svg.setAttribute("aria-label", data.label)
    draw(plot)
    say(plot)
  }
  if (!plot.observer) {
    let width = root.clientWidth
    plot.observer = new ResizeObserver(() => {
      if (root.clientWidth === width) return
      width = root.clientWidth
      draw(plot)
    })
    plot.observer.observe(root)
  }
  return () => plot.observer.disconnect()
}
