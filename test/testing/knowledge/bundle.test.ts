import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { mitreExtension, observableExtension } from '../../../src/stix/types/extensions.ts'
import { tlpMarkingIds } from '../../../src/stix/read/tlp.ts'
import {
  ManualClock,
  openCtiPropertiesOf,
  Simulator,
  type StixSource,
} from 'opencti-stream-connector/testing'
import { OpenStream } from '../open-stream.ts'

const bundle = JSON.parse(
  readFileSync(new URL('../../fixtures/campaign-bundle.json', import.meta.url), 'utf8'),
) as StixSource
const idOf = (type: string, end: string) => `${type}--0f4b1c1e-7d7a-4c26-9a5c-5f3f6c1b0a${end}`

const started: Simulator[] = []
afterEach(() => Promise.all(started.splice(0).map((simulator) => simulator.close())))

async function loaded(options: { asEvents?: boolean } = {}) {
  const simulator = await Simulator.start({ clock: new ManualClock() })
  started.push(simulator)
  return { simulator, summary: simulator.load(bundle, options) }
}

test('keeps the newest version of each object and tells which references lead nowhere', async () => {
  const { simulator, summary } = await loaded()
  expect(summary).toEqual({ objects: 10, missingReferences: [idOf('campaign', '0b')] })
  expect(simulator.entity(idOf('indicator', '03'))).toMatchObject({ name: 'Gate of Paper Lantern' })
  expect(simulator.history).toHaveLength(5)
})

test('gives objects the extensions of the platform, with the same internal ids each time', async () => {
  const [{ simulator: first }, { simulator: second }] = [await loaded(), await loaded()]
  const indicator = first.entity(idOf('indicator', '03'))!
  expect(openCtiPropertiesOf(indicator)).toMatchObject({
    extension_type: 'property-extension',
    type: 'Indicator',
    score: 65,
    detection: false,
    main_observable_type: 'Domain-Name',
    observable_values: [
      { type: 'Domain-Name', value: 'gate.paper-lantern.example' },
      { type: 'IPv4-Addr', value: '198.51.100.23' },
    ],
    created_by_ref_id: openCtiPropertiesOf(first.entity(idOf('identity', '06'))!).id,
  })
  expect(indicator).not.toHaveProperty('x_opencti_score')
  expect(second.entity(indicator.id)).toEqual(indicator)
})

test("turns the markings of any source into the platform's", async () => {
  const { simulator } = await loaded()
  const indicator = simulator.entity(idOf('indicator', '03'))!
  expect(indicator['object_marking_refs']).toEqual([
    tlpMarkingIds['TLP:CLEAR'],
    idOf('marking-definition', '05'),
  ])
  expect(simulator.entity(idOf('marking-definition', '05'))).toMatchObject({ name: 'For training only' })
  expect(simulator.entity(idOf('marking-definition', '05'))).not.toHaveProperty('definition')
  expect(simulator.entity(tlpMarkingIds['TLP:AMBER'])).toMatchObject({ name: 'TLP:AMBER' })
})

test('puts the properties of observables and techniques where the platform does, and keeps unknown types', async () => {
  const { simulator } = await loaded()
  const address = simulator.entity('ipv4-addr--0f4b1c1e-7d7a-5c26-9a5c-5f3f6c1b0a07')!
  expect(address.extensions![observableExtension]).toEqual({
    extension_type: 'property-extension',
    score: 40,
    description: 'Seen in February',
    labels: ['lantern'],
  })
  expect(address).not.toHaveProperty('labels')
  const technique = simulator.entity(idOf('attack-pattern', '09'))!
  expect(technique.extensions![mitreExtension]).toMatchObject({ id: 'T9999', platforms: ['Windows'] })
  const tactic = simulator.entity(idOf('x-mitre-tactic', '08'))!
  expect(tactic).toMatchObject({ type: 'x-mitre-tactic', x_mitre_shortname: 'invented-tactic' })
  expect(openCtiPropertiesOf(tactic)).toMatchObject({ extension_type: 'new-sdo', type: 'X-Mitre-Tactic' })
})

test('comes with a catch-up, except relationships that lack an end', async () => {
  const { simulator } = await loaded()
  simulator.stream.filter = ({ type }) => type === 'relationship'
  const stream = await OpenStream.open(simulator, {
    from: '0-0',
    recover: '2100-01-01T00:00:00Z',
    'no-dependencies': 'true',
  })
  const frames = await stream.events(6)
  const relations = frames.filter(({ envelope }) => envelope.data.type === 'relationship')
  expect(relations.map(({ envelope }) => envelope.data.id)).toEqual([idOf('relationship', '02')])
  expect(openCtiPropertiesOf(relations[0]!.envelope.data)).toMatchObject({
    type: 'indicates',
    source_value: 'Gate of Paper Lantern',
    source_type: 'Indicator',
    target_value: 'Paper Lantern',
    source_ref: openCtiPropertiesOf(simulator.entity(idOf('indicator', '03'))!).id,
  })
  await stream.close()
})

test('comes as events on request, and the second time as updates of what changed', async () => {
  const { simulator } = await loaded({ asEvents: true })
  expect(simulator.history.slice(5).map(({ type }) => type)).toEqual(
    Array.from({ length: 10 }, () => 'create'),
  )
  const malware = simulator.entity(idOf('malware', '04'))!
  simulator.load([{ ...malware, name: 'Paper Lantern II' }], { asEvents: true })
  expect(simulator.history.at(-1)).toMatchObject({
    type: 'update',
    data: { id: malware.id, name: 'Paper Lantern II' },
  })
})
