// Draws what ui/training/charts.py describes, and redraws it in place: Plotly.react on the same node with the same uirevision keeps a zoom.

const NARROW = 620 // px; below, the panels stand one under the other, in the order in which they are given
const GAP = { x: 62, y: 74 } // px between panels, room for ticks and titles
const MARGIN = { l: 52, r: 12, t: 34, b: 44 }
const BAR = 28 // px above the first title for Plotly's buttons, which a finger cannot call up by hovering

const touched = () => matchMedia("(pointer: coarse)").matches

let library // one download of plotly.js for the whole page

function loadPlotly() {
  library ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly)
    const script = document.createElement("script")
    script.src = "/assets/plotly.min.js"
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => {
      library = undefined // the next data tries again
      script.remove()
      reject(new Error("plotly.min.js"))
    }
    document.head.append(script)
  })
  return library
}

const theme = root => {
  const style = getComputedStyle(root)
  const value = name => style.getPropertyValue(`--st-${name}`).trim()
  return {
    text: value("text-color"),
    grid: value("border-color"),
    surface: value("secondary-background-color"),
    font: value("font") || "sans-serif",
    palette: value("chart-categorical-colors").split(","),
  }
}

function rowsOf(panels, width) {
  if (width < NARROW) return panels.map(panel => [panel])
  return [...new Set(panels.map(panel => panel.row))].sort().map(row => panels.filter(panel => panel.row === row))
}

const heightOf = (data, width) => (width < NARROW ? 168 : data.height ?? 195)

// Runs have a colour and a dash of their own; the lines of one run take theirs from the theme.
const colorOf = (series, look) => series.hex ?? look.palette[series.color % look.palette.length]

const isBeneath = series => series.style === "band" || (series.style === "faint" && series.hex !== undefined)

function traces(panel, index, data, look, hidden) {
  const suffix = index ? index + 1 : ""
  return panel.series.map((series, order) => {
    const color = colorOf(series, look)
    const marks = series.style === "marks"
    return {
      type: "scatter",
      name: series.name.replaceAll("<", "&lt;"), // plotly would take a name for markup
      x: data.x[series.x],
      y: series.y,
      xaxis: `x${suffix}`,
      yaxis: `y${suffix}`,
      mode: marks ? "lines+markers" : "lines",
      visible: !hidden.has(data.legend?.[series.legend].name),
      opacity: series.style === "faint" ? 0.35 : series.style === "band" ? 0.2 : 1,
      line: { color, width: series.style === "band" ? 0 : series.style === "faint" ? 1 : 2, dash: isBeneath(series) ? "solid" : series.dash ?? (marks && order ? "dot" : "solid") },
      marker: { color, size: series.hex ? 5 : 7, symbol: order && !series.hex ? "diamond" : "circle" },
      ...(series.style === "band" ? { fill: "toself", fillcolor: color } : {}),
      ...(isBeneath(series) ? { hoverinfo: "skip" } : { hovertemplate: panel.format ? `%{y:${panel.format}}` : "%{y:.4f}" }),
      showlegend: false,
    }
  })
}

// The title says what each line is, in its colour and with its mark, so no legend takes room from the curves.
function title(panel, x, y, look, hasLegend) {
  const names = panel.series.length > 1 && !hasLegend
    ? panel.series.map((series, order) => {
      const color = colorOf(series, look)
      const mark = series.style === "marks" ? (order ? "◆" : "●") : series.style === "faint" ? "┄" : "━"
      return `<span style="color:${color}">${mark}</span> ${series.name}`
    })
    : []
  return {
    text: [`<b>${panel.title}</b>`, ...names].join("&nbsp;&nbsp; "),
    xref: "paper", yref: "paper", x, y, xanchor: "left", yanchor: "bottom", yshift: 5, xshift: -30, showarrow: false,
    font: { size: 12.5, color: look.text },
  }
}

// Where somebody changed the learning rate, or let a run go on.
const line = (mark, suffix, look) => ({
  type: "line", xref: `x${suffix}`, yref: `y${suffix} domain`, x0: mark.x, x1: mark.x, y0: 0, y1: 1,
  line: { color: look.text, width: 1, dash: "dot" }, opacity: 0.6,
})

const words = (mark, suffix, look) => ({
  text: mark.text, xref: `x${suffix}`, yref: `y${suffix} domain`, x: mark.x, y: 1, xanchor: "left", yanchor: "top", xshift: 3,
  showarrow: false, font: { size: 11, color: look.text },
})

const isEmpty = panel => panel.series.every(series => series.y.length === 0)

const hint = (x, y, look) => ({
  text: "after the first epoch", xref: "paper", yref: "paper", x, y, xanchor: "center", yanchor: "middle", showarrow: false, font: { size: 12, color: look.text }, opacity: 0.6,
})

function drawing(data, width, look, hidden) {
  const rows = rowsOf(data.panels, width)
  const heights = rows.map(() => heightOf(data, width))
  const margin = touched() ? { ...MARGIN, t: MARGIN.t + BAR } : MARGIN
  const inner = { width: width - MARGIN.l - MARGIN.r, height: heights.reduce((sum, height) => sum + height + GAP.y, -GAP.y) }
  const layout = {
    width, height: inner.height + margin.t + margin.b, margin: { ...margin, pad: 0 }, autosize: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: look.font, size: 12, color: look.text },
    hovermode: "x unified", hoverlabel: { bgcolor: look.surface, bordercolor: look.grid, font: { color: look.text } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: look.text, activecolor: look.palette[0] },
    dragmode: touched() ? false : "zoom", // a finger scrolls the page; the buttons zoom
    uirevision: data.revision, annotations: [], shapes: [],
  }
  const all = []
  let index = 0
  let top = inner.height
  rows.forEach((row, place) => {
    const bottom = top - heights[place]
    const shares = row.map(panel => panel.share ?? 1)
    const unit = (inner.width - GAP.x * (row.length - 1)) / shares.reduce((sum, share) => sum + share)
    let left = 0
    row.forEach((panel, column) => {
      const cell = unit * shares[column]
      const suffix = index ? index + 1 : ""
      const across = [left / inner.width, (left + cell) / inner.width]
      const up = [bottom / inner.height, top / inner.height]
      const axis = { gridcolor: look.grid, linecolor: look.grid, zeroline: false, automargin: false }
      layout[`xaxis${suffix}`] = {
        ...axis, domain: across, anchor: `y${suffix}`, matches: index ? "x" : undefined, type: data.x_log ? "log" : "linear", rangemode: "tozero", showgrid: false, showline: true,
        ticks: "outside", tickcolor: look.grid, ticklen: 4, nticks: cell < 340 ? 5 : 12,
        title: { text: data.x_title, standoff: 6, font: { size: 11.5 } },
        unifiedhovertitle: { text: `${data.x_title} %{x:,.6~g}` },
      }
      layout[`yaxis${suffix}`] = {
        ...axis, domain: up, anchor: `x${suffix}`, type: panel.log ? "log" : "linear", tickformat: panel.format, nticks: 6,
        ...(isEmpty(panel) ? { range: [0, 1], showticklabels: false, showgrid: false } : {}),
        ...(panel.from_zero ? { range: [0, 1.08 * Math.max(...panel.series.flatMap(series => series.y), 1e-12)] } : {}),
      }
      layout.annotations.push(title(panel, across[0], up[1], look, data.legend))
      for (const mark of data.marks ?? []) layout.shapes.push(line(mark, suffix, look))
      if (panel.from_zero) layout.annotations.push(...(data.marks ?? []).map(mark => words(mark, suffix, look)))
      if (isEmpty(panel)) layout.annotations.push(hint((across[0] + across[1]) / 2, (up[0] + up[1]) / 2, look))
      all.push(...traces(panel, index, data, look, hidden))
      index += 1
      left += cell + GAP.x
    })
    top = bottom - GAP.y
  })
  return { traces: all, layout }
}

// A button a run, with its line; a click takes its curves away and gives them back.
function drawLegend(root) {
  const list = root.querySelector(".fm-legend")
  const entries = root.curves.legend ?? []
  list.hidden = !entries.length
  list.replaceChildren(...entries.map(({ name, color, dash }) => {
    const button = Object.assign(document.createElement("button"), { type: "button", title: "Show or hide" })
    const line = document.createElementNS("http://www.w3.org/2000/svg", "svg")
    line.innerHTML = `<line x1="1" x2="27" y1="5" y2="5" stroke-width="2.5" />`
    line.firstChild.setAttribute("stroke", color)
    line.firstChild.setAttribute("stroke-dasharray", DASHES[dash])
    button.append(line, name)
    button.setAttribute("aria-pressed", String(!root.hiddenRuns.has(name)))
    button.onclick = () => {
      root.hiddenRuns.has(name) ? root.hiddenRuns.delete(name) : root.hiddenRuns.add(name)
      button.setAttribute("aria-pressed", String(!root.hiddenRuns.has(name)))
      draw(root)
    }
    return button
  }))
}

const DASHES = { solid: "none", dot: "2.5 2.5", dash: "7 3", dashdot: "8 3 2.5 3", longdash: "12 3" }

const OPTIONS = {
  displaylogo: false,
  responsive: false,
  scrollZoom: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  toImageButtonOptions: { filename: "curves", scale: 2 },
}

async function draw(root) {
  const chart = root.querySelector(".fm-chart")
  const note = root.querySelector(".fm-note")
  try {
    const Plotly = await loadPlotly()
    const width = Math.floor(root.clientWidth)
    if (!root.isConnected || !width) return // on a hidden tab: the observer draws when it is shown
    const { traces: all, layout } = drawing(root.curves, width, theme(root), root.hiddenRuns) // the newest data, also after a wait
    await Plotly.react(chart, all, layout, { ...OPTIONS, displayModeBar: touched() ? true : "hover" })
    note.hidden = true
  } catch (error) {
    note.hidden = false
    note.textContent = `The curves could not be drawn (${error.message}). Reload the page; the training itself goes on.`
  }
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".fm-curves")
  const legend = JSON.stringify(data.legend)
  const isNew = legend !== JSON.stringify(root.curves?.legend)
  root.hiddenRuns ??= new Set()
  root.curves = data
  root.querySelector(".fm-chart").setAttribute("aria-label", data.label)
  if (isNew) drawLegend(root) // not at each tick: a button keeps the focus
  draw(root)
  if (!root.observer) {
    let width = root.clientWidth
    root.observer = new ResizeObserver(() => {
      if (Math.floor(root.clientWidth) === Math.floor(width)) return
      width = root.clientWidth
      draw(root)
    })
    root.observer.observe(root)
  }
  return () => {
    root.observer.disconnect()
    window.Plotly?.purge(root.querySelector(".fm-chart"))
  }
}
