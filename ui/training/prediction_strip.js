// A handful of pictures and what the network says of each right now. The pictures are built once; only words and widths change.

const part = (figure, name) => figure.querySelector(`.${name}`)

function build(strip, data) {
  strip.replaceChildren(...data.truth.map((_, index) => {
    const figure = document.createElement("figure")
    figure.setAttribute("role", "listitem")
    figure.innerHTML = `<div class="picture"></div><figcaption><div class="guess"><span class="mark"></span><span class="name"></span></div>
      <div class="share"><span class="percent"></span><div class="bar"><div class="level"></div></div></div><div class="truth"></div></figcaption>`
    const picture = part(figure, "picture")
    picture.style.backgroundImage = `url(${data.sheet})`
    picture.style.backgroundSize = `${100 * data.truth.length}% 100%`
    picture.style.backgroundPosition = `${data.truth.length > 1 ? (100 * index) / (data.truth.length - 1) : 0}% 0`
    return figure
  }))
}

export default function ({ data, parentElement }) {
  const strip = parentElement.querySelector(".strip")
  if (strip.sheet !== data.sheet) {
    strip.sheet = data.sheet
    build(strip, data)
  }
  Array.from(strip.children).forEach((figure, index) => {
    const right = data.guess[index] === data.truth[index]
    const percent = `${Math.round(100 * data.share[index])} %`
    figure.className = right ? "right" : "wrong"
    part(figure, "mark").textContent = right ? "✓" : "✗"
    part(figure, "name").textContent = data.guess[index]
    part(figure, "percent").textContent = percent
    part(figure, "level").style.width = `${100 * data.share[index]}%`
    part(figure, "truth").textContent = right ? "" : `is ${data.truth[index]}`
    figure.setAttribute("aria-label", `true ${data.truth[index]}, predicted ${data.guess[index]}, ${percent}`)
  })
}
