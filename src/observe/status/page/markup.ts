import { type Headline } from '../headline.ts'
import { toneColors } from './tone-colors.ts'

/** What the status page shows before its script runs, or without it: texts by field name. */
export interface FirstState {
  readonly tone: Headline['tone']
  readonly [field: string]: string
}

/** Escapes text for HTML. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Icon of the browser tab. */
const icon = (color: string) =>
  `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23${color}'/%3E%3C/svg%3E`

/** Fields of the last card, in order. */
const facts: readonly (readonly [name: string, title: string])[] = [
  ['stream', 'Live stream'],
  ['reconnects', 'Reconnects'],
  ['pings', 'Platform pings'],
  ['saved', 'State saved'],
  ['position', 'Position'],
]

/** HTML of the status page around its style and script, neither of which contains connector data. */
export function markup(first: FirstState, style: string, script: string): string {
  const field = (name: string) => `data-field="${name}">${escaped(first[name] ?? '–')}`
  const tile = (title: string, name: string, more: string) =>
    `<dl class="card" id="tile-${name}"><dt>${title}</dt><dd ${field(name)}</dd><dd ${field(more)}</dd></dl>`
  const row = (title: string, name: string, of = '') =>
    `<dt${of === '' ? '' : ` class="key ${of}"`}>${title}</dt><dd ${field(name)}</dd>`
  const card = (title: string, id: string, content: string, more = '') =>
    `<section class="card ${more}" aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`
  const list = (name: string) => `<ul class="list" data-list="${name}"></ul>`
  const table = (titles: readonly string[], name: string) => {
    const heads = titles.map((title) => `<th scope="col">${title}</th>`).join('')
    return `<div class="scroll" tabindex="0" role="group" aria-labelledby="${name}"><table><thead><tr>${heads}</tr></thead><tbody data-list="${name}"></tbody></table></div>`
  }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(first['state'] ?? '')} · ${escaped(first['name'] ?? '')}</title>
<link rel="icon" href="${icon(toneColors[first.tone])}">
<noscript><meta http-equiv="refresh" content="10"></noscript>
<style>${style}</style>
</head>
<body data-tone="${escaped(first.tone)}">
<header class="top">
<h1 ${field('name')}</h1>
<p class="quiet">OpenCTI stream connector · <span ${field('uptime')}</span> · as of <span ${field('asOf')}</span></p>
</header>
<main class="grid">
<section class="card headline wide" aria-label="State">
<svg viewBox="0 0 44 44" class="sign good" aria-hidden="true"><circle cx="22" cy="22" r="19"/><path d="M13 23l6 6 12-13"/></svg>
<svg viewBox="0 0 44 44" class="sign busy" aria-hidden="true"><circle cx="22" cy="22" r="19"/><path d="M22 11v11l8 5"/></svg>
<svg viewBox="0 0 44 44" class="sign bad" aria-hidden="true"><path d="M22 4L42 39H2z"/><path d="M22 17v10M22 32.5v.5"/></svg>
<div role="status"><p ${field('state')}</p><p ${field('reason')}</p></div>
<p class="since" ${field('since')}</p>
</section>
<section class="tiles wide" aria-label="Key figures">
${tile('Lag', 'lag', 'lagMore')}
${tile('In flight', 'inFlight', 'inFlightMore')}
${tile('Finished now', 'rate', 'rateMore')}
${tile('Skipped', 'skippedShare', 'skippedMore')}
${tile('Retries', 'retries', 'retriesMore')}
${tile('Dead letters kept', 'deadLettersKept', 'deadLettersMore')}
</section>
${card(
  'Events per second, last 15 minutes',
  'throughput',
  `<div class="plot needs-script" id="plot"></div>
<p class="legend"><span class="key received">received</span><span class="key delivered">delivered</span><span class="key skipped">skipped</span><span class="key dead">dead letters</span><span ${field('plotNote')}</span></p>`,
  'two-thirds',
)}
${card(
  'Counters since the start',
  'counters',
  `<div class="sum" aria-hidden="true"><span class="delivered" data-share="delivered"></span><span class="skipped" data-share="skipped"></span><span class="dead" data-share="deadLettered"></span><span class="flight" data-share="inFlight"></span></div>
<dl class="rows">${row('delivered', 'delivered', 'delivered')}${row('skipped', 'skipped', 'skipped')}${row('dead letters', 'deadLettered', 'dead')}${row('in flight', 'inFlightCount', 'flight')}<dt class="total">received</dt><dd class="total" ${field('received')}</dd></dl>
<p class="quiet verdict" ${field('balance')}</p>`,
)}
${card('Skipped, and why', 'skips', list('skips'))}
${card(
  'Hooks in the last five minutes',
  'hooks',
  `${table(['hook', 'calls', 'errors', 'p50', 'p95', 'p99'], 'hooks')}
<p class="quiet verdict">Times are upper bounds.</p>`,
)}
${card('Waiting longest', 'oldest', list('oldest'))}
${card(
  'Routes since the start',
  'routes',
  table(['route', 'state', 'delivered', 'skipped', 'dead letters', 'in flight', 'retries'], 'routes'),
  'wide if-any',
)}
${card(
  'Copies that share the work',
  'copies',
  `${table(['copy', 'state', 'partitions', 'delivered', 'skipped', 'dead letters', 'in flight'], 'copies')}
<p class="quiet verdict" ${field('clusterNote')}</p>`,
  'wide if-any',
)}
${card('Last errors', 'errors', list('errors'), 'half')}
${card('Newest dead letters', 'letters', list('letters'), 'half')}
${card(
  'Connections and state',
  'connections',
  `<dl class="facts">${facts.map(([name, title]) => `<div>${row(title, name)}</div>`).join('')}</dl>`,
  'wide',
)}
</main>
<footer class="quiet"><noscript><p>Without JavaScript this page shows the main figures and loads itself again every ten seconds.</p></noscript><p>Everything as JSON: <a href="status">/status</a></p></footer>
<script>${script}</script>
</body>
</html>
`
}
