/**
 * The part of the page's script that plots the last fifteen minutes: finished events as stacked steps,
 * received ones as a line. Browser code; expects `make(name, attributes, ...children)` and `rate(number)`.
 */
export const plotScript = `
const plot = document.getElementById('plot')
let samples, cursorX

function niceTop(value) {
  const unit = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 3, 4, 6, 8, 10].map((step) => step * unit).find((top) => top >= value)
}

function drawPlot() {
  const width = plot.clientWidth, height = plot.clientHeight
  if (width === 0 || samples === undefined) return
  const { everyMs, received, delivered, skipped, deadLettered } = samples
  const slots = 180, left = 40, bottom = 20, right = width - 4, base = height - bottom, seconds = everyMs / 1000
  const finished = delivered.map((value, i) => value + skipped[i] + deadLettered[i])
  const top = niceTop(Math.max(1, ...received, ...finished) / seconds)
  const slot = (right - left) / slots
  const x = (index) => right - (received.length - index) * slot
  const y = (count) => base - (count / seconds / top) * (base - 12)
  const steps = (values) => values.map((value, i) => 'H' + x(i).toFixed(1) + 'V' + y(value).toFixed(1)).join('') + 'H' + right
  const area = (upper, name) =>
    make('path', { class: name, d: 'M' + x(0).toFixed(1) + ' ' + base + steps(upper) + 'V' + base + 'Z' })
  const parts = []
  for (const share of [0, 0.5, 1]) {
    const at = y(top * share * seconds)
    parts.push(make('line', { class: 'rule', x1: left, x2: right, y1: at, y2: at }))
    parts.push(make('text', { x: left - 8, y: at + 4, 'text-anchor': 'end' }, rate(top * share)))
  }
  const marks = width < 480 ? [15, 10, 5] : [15, 12, 9, 6, 3]
  for (const minutes of marks) {
    const at = right - ((minutes * 60) / seconds) * slot
    parts.push(make('text', { x: at, y: height - 2, 'text-anchor': minutes === 15 ? 'start' : 'middle' }, '−' + minutes + ' min'))
  }
  parts.push(make('text', { x: right, y: height - 2, 'text-anchor': 'end' }, 'now'))
  if (received.length > 0) {
    // From the back to the front: each is covered by what was stacked before it.
    parts.push(area(finished, 'a-dead'))
    parts.push(area(delivered.map((value, i) => value + skipped[i]), 'a-skipped'))
    parts.push(area(delivered, 'a-delivered'))
    parts.push(make('path', { class: 'l-received', d: 'M' + x(0).toFixed(1) + ' ' + y(received[0]).toFixed(1) + steps(received) }))
    deadLettered.forEach((value, i) => {
      // A single dead letter among thousands must be seen.
      if (value > 0) parts.push(make('rect', { class: 'a-dead', x: x(i), y: base - 2, width: Math.max(2, slot), height: 5 }))
    })
  }
  const index = cursorX === undefined ? -1 : Math.floor(received.length - (right - cursorX) / slot)
  if (index >= 0 && index < received.length) {
    const at = x(index) + slot / 2
    parts.push(make('line', { class: 'cursor', x1: at, x2: at, y1: 8, y2: base }))
    text('plotNote', '−' + duration((received.length - index) * everyMs) + ': received ' + rate(received[index] / seconds) +
      ', delivered ' + rate(delivered[index] / seconds) + ', skipped ' + rate(skipped[index] / seconds) +
      ', dead letters ' + number(deadLettered[index]))
  } else {
    const peak = Math.max(0, ...finished) / seconds
    const mean = finished.reduce((sum, value) => sum + value, 0) / Math.max(1, finished.length) / seconds
    text('plotNote', received.length === 0 ? 'the first figures come in a moment' : 'finished: mean ' + rate(mean) + '/s, peak ' + rate(peak) + '/s')
  }
  const label = 'Events a second over the last 15 minutes; the figures are below.'
  plot.replaceChildren(make('svg', { viewBox: '0 0 ' + width + ' ' + height, role: 'img', 'aria-label': label }, ...parts))
}

plot.addEventListener('pointermove', (event) => {
  cursorX = event.clientX - plot.getBoundingClientRect().left
  drawPlot()
})
plot.addEventListener('pointerleave', () => {
  cursorX = undefined
  drawPlot()
})
new ResizeObserver(drawPlot).observe(plot)
`
