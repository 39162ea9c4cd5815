// Says "tick" once after each new moment that it is given; silent as soon as it is gone.

export default function ({ data, parentElement, setTriggerValue }) {
  const clock = parentElement.querySelector("span")
  if (clock.now !== data.now) {
    clock.now = data.now
    clearTimeout(clock.timer)
    clock.timer = setTimeout(() => setTriggerValue("tick", data.now), data.milliseconds)
  }
  return () => clearTimeout(clock.timer)
}
