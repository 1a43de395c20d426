import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { fieldOf, MemoryStore, RetryableError, type Tlp } from 'opencti-stream-connector'
import { ChannelConnector, Channels, indicator, live, specified, type Told } from '../fixtures/channels.ts'

interface Step {
  readonly kind: 'create' | 'update' | 'delete' | 'merge'
  readonly entity: number
  readonly source: number
  readonly tlp: Tlp | undefined
  readonly label: string
  /** How often each hook fails for it before it works. */
  readonly failures: number
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { arbitrary: fc.constant('update' as const), weight: 5 },
    fc.constantFrom('create' as const, 'delete' as const, 'merge' as const),
  ),
  entity: fc.nat(3),
  source: fc.nat(3),
  tlp: fc.constantFrom<(Tlp | undefined)[]>(
    undefined,
    'TLP:CLEAR',
    'TLP:AMBER',
    'TLP:AMBER+STRICT',
    'TLP:RED',
  ),
  label: fc.constantFrom('a', 'b', 'none'),
  failures: fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, fc.nat(2)),
})

/** The specification's two routes, and some that overlap with them. */
const available = {
  ...specified,
  labelled: { labels: { any: ['a'] } },
  limited: { labels: { none: ['b'] }, rateLimit: { perSecond: 50, burst: 1 }, concurrency: 1 },
  everything: {},
  coded: { when: (entity: { id: string }) => /[02]$/.test(entity.id) },
}
type RouteName = keyof typeof available

/** What a route takes, told once more in other words. */
const takes: Record<RouteName, (step: Step) => boolean> = {
  secure: ({ tlp = 'TLP:CLEAR' }) => tlp === 'TLP:CLEAR' || tlp === 'TLP:RED' || tlp === 'TLP:AMBER+STRICT',
  normal: ({ tlp = 'TLP:CLEAR' }) => tlp === 'TLP:CLEAR' || tlp === 'TLP:AMBER',
  labelled: ({ label }) => label === 'a',
  limited: ({ label }) => label !== 'b',
  everything: () => true,
  coded: ({ entity }) => entity % 2 === 0,
}

const histories = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }),
  names: fc.uniqueArray(fc.constantFrom(...(Object.keys(available) as RouteName[])), { minLength: 1 }),
  restartAt: fc.nat(40),
  /** So many events before the restart come again after it. */
  again: fc.nat(10),
  coalesce: fc.constantFrom<false | 'latest'>(false, 'latest'),
})

const stepEvent = (step: Step, index: number, alive: ReadonlySet<number>) => {
  const { entity, source, tlp, label } = step
  const data = indicator(`e${entity}`, tlp, { labels: [label], description: `v${index}` })
  const sources = step.kind === 'merge' && source !== entity && alive.has(source) ? [source] : []
  const name = step.kind === 'merge' && sources.length === 0 ? 'update' : step.kind
  const context = { sources: sources.map((each) => indicator(`e${each}`, undefined)) }
  return { gone: sources, message: live(name, data, `${1000 + index}-0`, context) }
}

function expectInOrder(told: readonly Told[]): void {
  const newest = new Map<string, number>()
  for (const { key, position } of told) {
    const ms = Number.parseInt(position!, 10)
    expect(ms).toBeGreaterThan(newest.get(key) ?? 0)
    newest.set(key, ms)
  }
}

test("each route ends with its part of the platform's last state, in order, across a restart", async () => {
  await fc.assert(
    fc.asyncProperty(histories, async ({ steps, names, restartAt, again, coalesce }) => {
      const channels = new Channels()
      const store = new MemoryStore()
      const failures = new Map<string, number>()
      const defaults = {
        routes: Object.fromEntries(names.map((name) => [name, available[name]])),
        coalesce,
        // Failures here are of single calls: nothing may come to be a dead letter.
        retry: { attempts: 100, baseMs: 1, maxMs: 10 },
      }
      const make = () =>
        ChannelConnector.of({
          channels,
          store,
          defaults,
          onCall: (route, { position }) => {
            const key = `${route} ${position!}`
            const left = failures.get(key) ?? steps[Number.parseInt(position!, 10) - 1000]!.failures
            failures.set(key, left - 1)
            if (left > 0) throw new RetryableError('not now')
          },
        })
      const alive = new Map<number, { step: Step; index: number }>()
      const messages = steps.map((each, index) => {
        const { gone, message } = stepEvent(each, index, new Set(alive.keys()))
        for (const source of gone) alive.delete(source)
        if (each.kind === 'delete') alive.delete(each.entity)
        else alive.set(each.entity, { step: each, index })
        return message
      })
      const run = async (part: typeof messages) => {
        const connector = make()
        await Promise.all(part.map((message) => connector.processMessage(message)))
        const { received, delivered, skipped, deadLettered, inFlight, routes } = connector.status()
        expect({ sum: delivered + skipped, deadLettered, inFlight }).toEqual({
          sum: received,
          deadLettered: 0,
          inFlight: 0,
        })
        expect(Object.keys(routes)).toEqual(names)
        for (const account of Object.values(routes)) {
          expect(account.received).toBe(account.delivered + account.skipped)
        }
        await connector.stop()
        for (const told of channels.told.values()) expectInOrder(told)
        channels.told.clear()
      }
      await run(messages.slice(0, restartAt))
      await run(messages.slice(Math.max(0, restartAt - again)))
      for (const name of names) {
        const wanted = [...alive.values()].filter(({ step: each }) => takes[name](each))
        const held = [...channels.heldBy(name)].map(([key, entity]) => [key, fieldOf(entity, 'description')])
        expect(Object.fromEntries(held)).toEqual(
          Object.fromEntries(wanted.map(({ step: each, index }) => [`e${each.entity}`, `v${index}`])),
        )
      }
    }),
    { numRuns: 60 },
  )
})
