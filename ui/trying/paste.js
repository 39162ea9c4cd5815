// A picture from the clipboard: by Ctrl+V anywhere on the page, or by the button where the browser lets a page read the clipboard.

const say = (root, text) => { root.querySelector(".said").textContent = text }

function take(root, file) {
  if (!file) return say(root, "There is no picture in the clipboard.")
  if (file.size > root.most) return say(root, `The picture has ${(file.size / 1e6).toFixed(1)} MB; at most ${root.most / 1e6} MB are taken.`)
  const reader = new FileReader()
  reader.onload = () => { say(root, "Pasted."); root.tell("pasted", { data: reader.result, at: Date.now() }) }
  reader.readAsDataURL(file)
}

async function ask(root) {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find(name => name.startsWith("image/"))
      if (type) return take(root, await item.getType(type))
    }
    take(root, null)
  } catch {
    say(root, "The browser does not let the page read the clipboard. Press Ctrl+V (on a Mac ⌘V) instead.")
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".frame")
  root.tell = setTriggerValue
  root.most = data.most
  root.querySelector("button").onclick = () => ask(root)
  const listen = event => {
    const picture = [...(event.clipboardData?.files ?? [])].find(file => file.type.startsWith("image/"))
    if (!picture) return // text for a field goes its way
    event.preventDefault()
    take(root, picture)
  }
  if (root.listen) document.removeEventListener("paste", root.listen)
  root.listen = listen
  document.addEventListener("paste", listen)
  return () => document.removeEventListener("paste", root.listen)
}
