/** Style of the status page. Color contrast meets WCAG AA in light and dark mode. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f3f5f8; --card: #fff; --line: #d8dee7; --ink: #131a24; --quiet: #55606f;
  --good: #0a6b3d; --good-ground: #e3f5ea; --busy: #8a4b00; --busy-ground: #fdf0d9;
  --bad: #b3191c; --bad-ground: #fde7e6;
  --delivered: #2f6fde; --skipped: #a3adba; --dead: #c62a2d; --flight: #c98a16;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0c1117; --card: #141b24; --line: #273240; --ink: #e8edf4; --quiet: #9aa7b7;
    --good: #56d38f; --good-ground: #10271b; --busy: #f3b852; --busy-ground: #2b2110;
    --bad: #ff8580; --bad-ground: #371518;
    --delivered: #4f8df5; --skipped: #5f6c7c; --dead: #ff6b66; --flight: #e0aa3e;
  }
}
* { box-sizing: border-box; margin: 0; padding: 0; }
body {
  background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; padding: clamp(12px, 2vw, 28px);
}
body > * { max-width: 1480px; margin-inline: auto; }
h1 { font-size: 1.2rem; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: .82rem; font-weight: 650; color: var(--quiet); margin-bottom: 10px; }
code { font: .86em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
ul, ol { list-style: none; }
a { color: inherit; }
.quiet { color: var(--quiet); font-size: .86rem; }
.top { display: flex; flex-wrap: wrap; gap: 4px 20px; justify-content: space-between; align-items: baseline; margin-bottom: 14px; }
.grid { display: grid; gap: 14px; grid-template-columns: minmax(0, 1fr); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }

.headline { display: flex; gap: 18px; align-items: center; border-left-width: 8px; padding: 18px 20px; }
.headline svg { flex: none; width: 44px; height: 44px; display: none; }
.headline [data-field="state"] { font-size: clamp(1.7rem, 1.2rem + 2.2vw, 2.7rem); font-weight: 700; line-height: 1.1; letter-spacing: -.015em; }
.headline div p + p { margin-top: 6px; font-size: 1rem; overflow-wrap: anywhere; }
.sign { fill: none; stroke: currentColor; stroke-width: 3; stroke-linecap: round; stroke-linejoin: round; }
[data-tone="good"] .headline { background: var(--good-ground); border-color: var(--good); }
[data-tone="busy"] .headline { background: var(--busy-ground); border-color: var(--busy); }
[data-tone="bad"] .headline { background: var(--bad-ground); border-color: var(--bad); }
[data-tone="good"] .good, [data-tone="busy"] .busy, [data-tone="bad"] .bad { display: block; }
[data-tone="good"] .headline svg, [data-tone="good"] [data-field="state"] { color: var(--good); }
[data-tone="busy"] .headline svg, [data-tone="busy"] [data-field="state"] { color: var(--busy); }
[data-tone="bad"] .headline svg, [data-tone="bad"] [data-field="state"] { color: var(--bad); }

.headline .since { margin-left: auto; text-align: right; flex: none; align-self: flex-end; color: var(--quiet); }
.headline [data-field="state"]::first-letter { text-transform: uppercase; }

.tiles { display: grid; gap: 14px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.tiles dt { color: var(--quiet); font-size: .82rem; font-weight: 650; }
.tiles dd:nth-of-type(1) { font-size: 1.6rem; font-weight: 650; line-height: 1.25; letter-spacing: -.01em; }
.tiles dd + dd { color: var(--quiet); font-size: .82rem; overflow-wrap: anywhere; }
.alert dd:nth-of-type(1) { color: var(--bad); }

.plot { height: 220px; position: relative; touch-action: pan-y; }
.plot svg { display: block; width: 100%; height: 100%; overflow: visible; }
.plot text { fill: var(--quiet); font-size: 11.5px; }
.rule { stroke: var(--line); stroke-width: 1; }
.a-delivered { fill: var(--delivered); }
.a-skipped { fill: var(--skipped); }
.a-dead { fill: var(--dead); }
.l-received { fill: none; stroke: var(--ink); stroke-width: 1.5; stroke-linejoin: round; }
.cursor { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 8px; font-size: .86rem; color: var(--quiet); }
.key::before { content: ""; display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; background: var(--c); }
.key.received::before { height: 2px; vertical-align: 4px; border-radius: 0; }
.received { --c: var(--ink); } .delivered { --c: var(--delivered); } .skipped { --c: var(--skipped); }
.dead { --c: var(--dead); } .flight { --c: var(--flight); }

.sum { display: flex; height: 12px; border-radius: 6px; overflow: hidden; background: var(--line); margin-bottom: 12px; gap: 1px; }
.sum span { background: var(--c); flex: 0 1 0; }
.rows { display: grid; gap: 5px 0; grid-template-columns: minmax(0, 1fr) auto; }
.rows dd { text-align: right; padding-left: 14px; font-weight: 600; overflow-wrap: anywhere; }
.rows .total { border-top: 1px solid var(--line); padding-top: 6px; margin-top: 2px; }
.verdict { margin-top: 10px; }
.wrong { color: var(--bad); font-weight: 650; }

.list > li + li { border-top: 1px solid var(--line); padding-top: 8px; margin-top: 8px; }
.list p { overflow-wrap: anywhere; }
.list p:not(.quiet) { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden; }
.split { display: flex; justify-content: space-between; gap: 12px; }
.split > :last-child { flex: none; font-weight: 600; }
.bar { height: 5px; border-radius: 3px; background: var(--line); margin-top: 4px; overflow: hidden; }
.bar span { display: block; height: 100%; background: var(--skipped); border-radius: 3px; }
.count { color: var(--bad); font-weight: 650; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
table { font-size: .9rem; }
th { font-weight: 600; color: var(--quiet); }
th, td { text-align: right; padding: 4px 0 4px 10px; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: anywhere; }
thead th { white-space: normal; vertical-align: bottom; }
tbody th { color: var(--ink); font-weight: 400; }
th .quiet { display: block; font-size: inherit; }
.facts { display: grid; gap: 12px 20px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr)); }
.facts dt { color: var(--quiet); font-size: .82rem; }
.facts dd { overflow-wrap: anywhere; }
tbody tr { border-top: 1px solid var(--line); }
footer { margin-top: 16px; }
.stale .grid > :not(.headline) { opacity: .55; }
.needs-script, .if-any:not(.any) { display: none; }
.live .needs-script { display: block; }

@media (min-width: 760px) {
  .grid { grid-template-columns: repeat(6, minmax(0, 1fr)); }
  .grid > * { grid-column: span 3; }
  .wide { grid-column: 1 / -1; }
  .tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); }
}
@media (max-width: 520px) {
  .headline { flex-wrap: wrap; gap: 12px; padding: 14px; }
  .headline svg { width: 32px; height: 32px; }
  .headline div { flex: 1; min-width: 0; }
  .headline .since { text-align: left; margin: 0; flex-basis: 100%; }
  .headline .since:empty { display: none; }
  table { font-size: .78rem; }
  th, td { padding-left: 6px; }
}
@media (min-width: 1120px) {
  .tiles { grid-template-columns: repeat(6, minmax(0, 1fr)); }
  .grid { grid-template-columns: repeat(12, minmax(0, 1fr)); }
  .grid > * { grid-column: span 4; }
  .wide { grid-column: 1 / -1; }
  .grid > .two-thirds { grid-column: span 8; }
  .grid > .half { grid-column: span 6; }
  .plot { height: 270px; }
}
@media (min-width: 1120px) and (max-width: 1420px) {
  table { font-size: .8rem; }
  th, td { padding-left: 6px; }
}
@media (prefers-reduced-motion: no-preference) {
  .sum span, .bar span { transition: flex-basis .4s, width .4s; }
}
`
