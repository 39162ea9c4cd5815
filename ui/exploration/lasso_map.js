// A map of images on two canvases: the points below, what follows the hand (ring, lasso) above, so that moving redraws almost nothing.

const MARGIN = 22 // px around the points
const REACH = 14 // px from a point in which it is meant
const NEAREST = 50 // points that Space selects around the one that is looked at
const MOVED = 4 // px after which a press is no click any more

const clamp = (value, low, high) => Math.min(high, Math.max(low, value))

function theme(root) {
  const style = getComputedStyle(root)
  const value = name => style.getPropertyValue(`--st-${name}`).trim()
  return {
    text: value("text-color"), ground: value("background-color"), primary: value("primary-color"),
    wrong: value("orange-color") || "#e4572e", font: value("font") || "sans-serif", palette: value("chart-categorical-colors").split(","),
  }
}

// ---- what is shown, and where ----

const isWrong = (data, row) => data.truth[row] !== data.guess[row]

const groupOf = (data, row) => (data.colour === "error" ? Number(isWrong(data, row)) : data.colour === "prediction" ? data.guess[row] : data.truth[row])

const groupsOf = (data, look) =>
  data.colour === "error"
    ? [{ name: "right", colour: look.palette.at(-1) }, { name: "wrong", colour: look.wrong }]
    : data.names.map((name, index) => ({ name, colour: look.palette[index % look.palette.length] }))

const isShown = (map, row) => !map.hidden.has(groupOf(map.data, row))

function place(map, row) {
  const across = (map.data.x[row] / map.data.units) * (map.width - 2 * MARGIN) + MARGIN
  const down = (1 - map.data.y[row] / map.data.units) * (map.height - 2 * MARGIN) + MARGIN
  return [(across - map.width / 2) * map.zoom + map.width / 2 + map.shift[0], (down - map.height / 2) * map.zoom + map.height / 2 + map.shift[1]]
}

function resize(map) {
  const width = Math.floor(map.stage.clientWidth)
  if (!width) return false // on a hidden tab: the observer draws when it is shown
  map.width = width
  map.height = Math.round(clamp(width * 0.6, 300, 560))
  map.stage.style.height = `${map.height}px`
  for (const canvas of [map.points, map.above]) {
    canvas.width = map.width * devicePixelRatio
    canvas.height = map.height * devicePixelRatio
  }
  return true
}

function pen(canvas, map) {
  const context = canvas.getContext("2d")
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
  context.clearRect(0, 0, map.width, map.height)
  return context
}

// ---- drawing ----

function drawPoints(map) {
  if (!map.width && !resize(map)) return
  const context = pen(map.points, map)
  const groups = groupsOf(map.data, map.look)
  const radius = clamp(Math.sqrt((map.width * map.height) / map.data.x.length) / 5, 1.6, 3.4) * Math.min(1.8, map.zoom ** 0.35)
  const faint = groups.map(() => new Path2D())
  const full = groups.map(() => new Path2D())
  map.at = map.data.x.map((_, row) => place(map, row))
  map.at.forEach(([x, y], row) => {
    if (!isShown(map, row)) return
    const path = (map.picked.size && !map.picked.has(row) ? faint : full)[groupOf(map.data, row)]
    const size = map.data.colour === "error" && isWrong(map.data, row) ? radius + 0.6 : radius
    path.moveTo(x + size, y)
    path.arc(x, y, size, 0, 7)
  })
  groups.forEach(({ colour }, group) => {
    context.fillStyle = colour
    context.globalAlpha = 0.16
    context.fill(faint[group])
  })
  groups.forEach(({ colour }, group) => {
    context.fillStyle = colour
    context.globalAlpha = map.picked.size ? 1 : 0.8
    context.fill(full[group])
  })
  if (map.data.colour !== "error") nameGroups(map, context, groups)
  drawAbove(map)
}

// The name of each class where most of it is, so that colours need not be learnt; one that would cover another is left to the legend.
function nameGroups(map, context, groups) {
  context.globalAlpha = 1
  context.font = `600 12.5px ${map.look.font}`
  context.textAlign = "center"
  context.textBaseline = "middle"
  const taken = []
  groups.forEach(({ name }, group) => {
    if (map.hidden.has(group)) return
    const members = map.at.filter((_, row) => groupOf(map.data, row) === group)
    if (!members.length) return
    const middle = axis => members.map(point => point[axis]).sort((a, b) => a - b)[members.length >> 1]
    const half = context.measureText(name).width / 2 + 4
    const centre = [middle(0), middle(1)]
    const far = point => Math.hypot(point[0] - centre[0], point[1] - centre[1])
    const near = members.reduce((best, point) => (far(point) < far(best) ? point : best)) // between two groups there is nothing to name
    const [x, y] = [clamp(near[0], half, map.width - half), clamp(near[1], 10, map.height - 10)]
    if (taken.some(other => Math.abs(other.x - x) < other.half + half && Math.abs(other.y - y) < 17)) return
    taken.push({ x, y, half })
    context.lineWidth = 4
    context.lineJoin = "round"
    context.strokeStyle = map.look.ground
    context.strokeText(name, x, y)
    context.fillStyle = map.look.text
    context.fillText(name, x, y)
  })
}

function drawAbove(map) {
  const context = pen(map.above, map)
  context.strokeStyle = map.look.primary
  if (map.rope?.length > 1) {
    context.beginPath()
    map.rope.forEach(([x, y]) => context.lineTo(x, y))
    context.closePath()
    context.lineWidth = 1.5
    context.stroke()
    context.globalAlpha = 0.12
    context.fillStyle = map.look.primary
    context.fill()
    context.globalAlpha = 1
  }
  if (map.looked !== undefined && map.at) {
    context.beginPath()
    context.arc(...map.at[map.looked], 7, 0, 7)
    context.lineWidth = 2.5
    context.stroke()
  }
}

function drawLegend(map) {
  const counts = new Map()
  map.data.x.forEach((_, row) => counts.set(groupOf(map.data, row), (counts.get(groupOf(map.data, row)) ?? 0) + 1))
  map.legend.replaceChildren(...groupsOf(map.data, map.look).map(({ name, colour }, group) => {
    const button = Object.assign(document.createElement("button"), { type: "button", title: "Show or hide" })
    const dot = document.createElement("i")
    dot.style.background = colour
    button.append(dot, `${name} ${(counts.get(group) ?? 0).toLocaleString("en")}`)
    button.setAttribute("aria-pressed", String(!map.hidden.has(group)))
    button.onclick = () => {
      map.hidden.has(group) ? map.hidden.delete(group) : map.hidden.add(group)
      button.setAttribute("aria-pressed", String(!map.hidden.has(group)))
      look(map, undefined)
      drawPoints(map)
    }
    return button
  }))
}

// ---- one point ----

const words = (data, row) => {
  const [truth, guess, percent] = [data.names[data.truth[row]], data.names[data.guess[row]], `${Math.round(100 * data.share[row])} %`]
  return { truth, says: isWrong(data, row) ? `taken for ${guess}, ${percent}` : `recognised, ${percent}`, number: `Image ${data.number[row]}` }
}

function look(map, row) {
  map.looked = row
  map.card.hidden = row === undefined
  if (row !== undefined) {
    const { truth, says, number } = words(map.data, row)
    const [title, line, small] = ["strong", "div", "small"].map(name => document.createElement(name))
    title.textContent = truth
    line.textContent = says
    line.className = isWrong(map.data, row) ? "wrong" : ""
    small.textContent = number
    map.card.querySelector(".words").replaceChildren(title, line, small)
    const image = map.card.querySelector(".image")
    const sheet = window.fmPictures?.name === map.data.pictures ? window.fmPictures.sheet : ""
    image.style.backgroundImage = sheet ? `url(${sheet})` : ""
    image.style.backgroundSize = `${84 * map.data.columns}px auto`
    image.style.backgroundPosition = `${-84 * (row % map.data.columns)}px ${-84 * Math.floor(row / map.data.columns)}px`
    const [x, y] = map.at[row]
    const { offsetWidth: width, offsetHeight: height } = map.card
    map.card.style.left = `${clamp(x + 14 + width > map.width ? x - 14 - width : x + 14, 0, Math.max(0, map.width - width))}px`
    map.card.style.top = `${clamp(y - height / 2, 0, Math.max(0, map.height - height))}px`
  }
  drawAbove(map)
}

function nearest(map, [x, y], reach = Infinity, wanted = () => true) {
  let best
  let least = reach ** 2
  map.at?.forEach(([px, py], row) => {
    const far = (px - x) ** 2 + (py - y) ** 2
    if (far <= least && isShown(map, row) && wanted(row, px - x, py - y)) [best, least] = [row, far]
  })
  return best
}

// ---- choosing ----

// Even-odd rule: a point is inside if a ray from it crosses the rope an odd number of times.
function isInside([x, y], rope) {
  let inside = false
  rope.forEach(([ax, ay], index) => {
    const [bx, by] = rope[(index || rope.length) - 1]
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside
  })
  return inside
}

function pick(map, rows) {
  map.picked = new Set(rows)
  map.clear.hidden = !rows.length
  map.said.textContent = rows.length ? `${rows.length} images selected.` : "Nothing is selected."
  drawPoints(map)
  map.tell("picked", rows)
}

function circle(map, adds) {
  const inside = map.at.flatMap((point, row) => (isShown(map, row) && isInside(point, map.rope) ? [row] : []))
  pick(map, adds ? [...new Set([...map.picked, ...inside])] : inside)
}

function zoomBy(map, factor, [x, y] = [map.width / 2, map.height / 2]) {
  const zoom = clamp(map.zoom * factor, 1, 40)
  const real = zoom / map.zoom
  map.shift = [0, 1].map(axis => {
    const from = [x, y][axis] - [map.width, map.height][axis] / 2
    return from - (from - map.shift[axis]) * real
  })
  map.zoom = zoom
  moveBy(map, 0, 0)
}

function moveBy(map, x, y) {
  const limit = size => (size * (map.zoom - 1)) / 2
  map.shift = [clamp(map.shift[0] + x, -limit(map.width), limit(map.width)), clamp(map.shift[1] + y, -limit(map.height), limit(map.height))]
  look(map, undefined)
  drawPoints(map)
}

// ---- hands ----

function setTool(map, tool) {
  map.tool = tool
  map.above.className = `above ${tool === "lasso" ? "lassoing" : tool === "move" ? "moving" : ""}`
  map.root.querySelector(".lasso").setAttribute("aria-pressed", String(tool === "lasso"))
  map.root.querySelector(".move").setAttribute("aria-pressed", String(tool === "move"))
}

function listenToHands(map) {
  const spot = event => {
    const box = map.above.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  let press // where the pointer went down, and whether it has moved since
  map.above.onpointerdown = event => {
    if (event.button) return
    press = { from: spot(event), last: spot(event), moved: false }
    if (map.tool) map.above.setPointerCapture(event.pointerId)
    if (map.tool === "lasso") map.rope = [press.from]
  }
  map.above.onpointermove = event => {
    const here = spot(event)
    if (!press) return look(map, nearest(map, here, REACH))
    press.moved ||= Math.hypot(here[0] - press.from[0], here[1] - press.from[1]) > MOVED
    if (press.moved && map.tool === "move") moveBy(map, here[0] - press.last[0], here[1] - press.last[1])
    if (press.moved && map.tool === "lasso") {
      map.rope.push(here)
      look(map, undefined)
    }
    press.last = here
  }
  map.above.onpointerup = event => {
    if (!press) return
    const { moved, from } = press
    press = undefined
    if (moved && map.tool === "lasso") circle(map, event.shiftKey)
    map.rope = undefined
    drawAbove(map)
    if (moved) return
    const row = nearest(map, from, REACH)
    const shownBefore = map.looked
    look(map, row)
    // The first touch shows what a mouse would have shown before the click.
    if (row !== undefined && (event.pointerType !== "touch" || row === shownBefore)) map.trigger("opened", row)
  }
  map.above.onpointercancel = map.above.onlostpointercapture = () => {
    press = undefined
    map.rope = undefined
    drawAbove(map)
  }
  map.above.onpointerleave = event => event.pointerType !== "touch" && look(map, undefined)
  map.above.onwheel = event => {
    if (map.tool !== "move") return
    event.preventDefault()
    zoomBy(map, 1.0015 ** -event.deltaY, spot(event))
  }
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

function listenToKeys(map) {
  map.above.onkeydown = event => {
    const start = map.looked ?? nearest(map, [map.width / 2, map.height / 2])
    const direction = DIRECTIONS[event.key]
    if (start === undefined || !(direction || ["Enter", " ", "Escape"].includes(event.key))) return
    event.preventDefault()
    if (event.key === "Escape") return pick(map, [])
    if (event.key === "Enter") return map.trigger("opened", start)
    if (event.key === " ") {
      const [x, y] = map.at[start]
      const rows = map.at.map((_, row) => row).filter(row => isShown(map, row))
      const far = row => (map.at[row][0] - x) ** 2 + (map.at[row][1] - y) ** 2
      return pick(map, rows.sort((a, b) => far(a) - far(b)).slice(0, NEAREST))
    }
    const [dx, dy] = direction
    const ahead = (row, x, y) => row !== start && x * dx + y * dy > 2 && Math.abs(x * dy + y * dx) <= x * dx + y * dy
    const next = map.looked === undefined ? start : nearest(map, map.at[start], Infinity, ahead) ?? start
    look(map, next)
    map.said.textContent = Object.values(words(map.data, next)).join(", ")
  }
}

function build(root) {
  const part = name => root.querySelector(`.${name}`)
  const map = {
    root, stage: part("stage"), points: part("points"), above: part("above"), card: part("card"), legend: part("legend"), said: part("said"), clear: part("clear"),
    hidden: new Set(), picked: new Set(), zoom: 1, shift: [0, 0],
  }
  part("lasso").onclick = () => setTool(map, map.tool === "lasso" ? undefined : "lasso")
  part("move").onclick = () => setTool(map, map.tool === "move" ? undefined : "move")
  part("nearer").onclick = () => zoomBy(map, 1.6)
  part("farther").onclick = () => zoomBy(map, 1 / 1.6)
  part("whole").onclick = () => zoomBy(map, 0)
  map.clear.onclick = () => pick(map, [])
  setTool(map, matchMedia("(pointer: coarse)").matches ? undefined : "lasso") // a finger scrolls the page until it is told to draw
  listenToHands(map)
  listenToKeys(map)
  map.observer = new ResizeObserver(() => {
    if (Math.floor(map.stage.clientWidth) === map.width) return
    if (resize(map)) zoomBy(map, 1)
  })
  map.observer.observe(map.stage)
  return map
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".frame")
  root.map ??= build(root)
  const map = root.map
  map.tell = setStateValue
  map.trigger = setTriggerValue
  map.look = theme(root)
  if (map.data?.colour !== data.colour) map.hidden.clear()
  map.data = data
  map.looked = undefined
  map.card.hidden = true
  map.above.setAttribute("aria-label", `${data.label} Arrow keys go from image to image, Enter opens one, Space selects the ${NEAREST} nearest, Escape none.`)
  drawLegend(map)
  drawPoints(map)
  return () => map.observer.disconnect()
}
