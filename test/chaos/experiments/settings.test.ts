import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { streamRequests } from '../../fixtures/stage.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { isFullChaos } from '../scale.ts'
import { Experiment, timeout } from './experiment.ts'

const required = ['OPENCTI_URL', 'OPENCTI_TOKEN', 'CONNECTOR_ID', 'CONNECTOR_LIVE_STREAM_ID']

test.for(isFullChaos ? required : required.slice(0, 1))(
  'a program without %s names it and exits with 2',
  { timeout },
  async (name) => {
    const experiment = await Experiment.start()
    delete experiment.environment[name]
    const program = experiment.run()
    expect(await program.exit, program.said()).toBe(2)
    expect(program.said()).toContain(name)
    expect(program.said()).not.toContain(experiment.simulator.token)
    expect(experiment.target.asked).toEqual([])
  },
)

test(
  'a recover date keeps its zone, and custom headers go with every request and into no log line',
  { timeout },
  async () => {
    const secret = 'canary-4f1e77'
    const experiment = await Experiment.start({
      environment: {
        OPENCTI_CUSTOM_HEADERS: `X-Tenant:${secret}; X-Realm:soc`,
        CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '2026-02-01T00:00:00Z',
        CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: '2026-03-01T10:00:00+02:00',
        CONNECTOR_LOG_LEVEL: 'debug',
      },
    })
    const { simulator } = experiment
    const program = await experiment.connect()
    expect(streamRequests(simulator)[0]!.query['recover']).toBe('2026-03-01T08:00:00.000Z')
    experiment.publish(20)
    await experiment.taken(20)
    simulator.faults.cut()
    experiment.publish(20)
    await experiment.taken(40)
    await experiment.end(program)
    expect(new Set(simulator.requests.map(({ kind }) => kind))).toEqual(new Set(['graphql', 'stream']))
    for (const { headers } of simulator.requests)
      expect(headers).toMatchObject({ 'x-tenant': secret, 'x-realm': 'soc' })
    expect(program.said()).not.toContain(secret)
  },
)

test('a date in config.yml needs no quotes', { timeout }, async () => {
  const experiment = await Experiment.start()
  delete experiment.environment['CONNECTOR_LIVE_STREAM_START_TIMESTAMP']
  delete experiment.environment['CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE']
  const directory = await temporaryFolder()
  await writeFile(
    join(directory, 'config.yml'),
    `connector:
  live_stream_start_timestamp: 2026-02-01 10:00:00
  live_stream_recover_iso_date: 2026-03-01T10:00:00Z
`,
  )
  const program = await experiment.connect({ directory })
  expect(streamRequests(experiment.simulator)[0]!.query).toMatchObject({
    from: '1769940000000-0',
    recover: '2026-03-01T10:00:00.000Z',
  })
  experiment.publish(20)
  await experiment.taken(20)
  await experiment.end(program)
})

test('slashes at the end of an address change nothing', { timeout }, async () => {
  const experiment = await Experiment.start()
  experiment.environment['OPENCTI_URL'] += '//'
  const program = await experiment.connect()
  experiment.publish(20)
  await experiment.takenOnce()
  await experiment.end(program)
})
