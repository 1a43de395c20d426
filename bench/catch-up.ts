import { createParser } from 'eventsource-parser'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from 'opencti-stream-connector'
import { NoOpConnector } from './bench-connector.ts'
import { framesRead } from './frames-read.ts'
import { type Rate, Stopwatch } from './stopwatch.ts'

/** Settings of a connector on the platform of the catch-up server. */
export type PlatformSettings = Readonly<Record<string, string>>

/** A connector that starts from nothing, until it has caught up on this many entities. */
export async function measureCatchUp(platform: PlatformSettings, entities: number): Promise<Rate> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const env = {
    ...platform,
    // The platform keeps the position of a connector.
    CONNECTOR_ID: randomUUID(),
    CONNECTOR_NAME: 'Bench',
    CONNECTOR_STATE_DIR: directory,
    CONNECTOR_CONCURRENCY: '16',
    CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
    CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES: 'true',
  }
  try {
    await using connector = new NoOpConnector({ logger: silentLogger, directory, env })
    await connector.start()
    const stopwatch = new Stopwatch()
    while (connector.status().delivered < entities) await sleep(5)
    return stopwatch.rate(entities)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The same entities in one request, only parsed. */
export async function bareCatchUp(platform: PlatformSettings, entities: number): Promise<Rate> {
  const url = new URL(`${platform['OPENCTI_URL']}/stream/${platform['CONNECTOR_LIVE_STREAM_ID']}`)
  url.searchParams.set('from', '0-0')
  url.searchParams.set('recover', new Date().toISOString())
  const headers = { authorization: `Bearer ${platform['OPENCTI_TOKEN']}`, 'no-dependencies': 'true' }
  const abort = new AbortController()
  const { body } = await fetch(url, { headers, signal: abort.signal })
  const decoder = new TextDecoder()
  const { onData, whole } = framesRead(entities)
  const parser = createParser({
    onEvent: ({ event, data }) => {
      // The platform has markings and authors, too.
      if (event === 'create' && data.includes('"id":"indicator--')) onData(data)
    },
  })
  const stopwatch = new Stopwatch()
  for await (const chunk of body!) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    if (whole.isDone) break
  }
  const rate = stopwatch.rate(entities)
  abort.abort()
  return rate
}
