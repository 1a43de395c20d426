import { ManualClock } from 'opencti-stream-connector/testing'
import { expect, test } from 'vitest'
import { createLogger, type CreateLoggerOptions } from '../../../src/observe/log/create-logger.ts'
import { Redactor } from '../../../src/util/redactor.ts'

const canary = 'Zq7+canary/9Xv"{}'

function logging(options: Partial<CreateLoggerOptions> = {}) {
  const lines: string[] = []
  const clock = new ManualClock()
  const redactor = new Redactor()
  redactor.add(canary)
  redactor.add('20261124')
  const logger = createLogger({
    name: 'My SIEM',
    level: 'info',
    json: true,
    redactor,
    clock,
    write: (line) => lines.push(line),
    ...options,
  })
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { logger, lines, parsed, clock }
}

test('writes the JSON lines of OpenCTI connectors', () => {
  const { logger, lines, parsed, clock } = logging()
  logger.child({ entity_id: 'x' }).warn('Something', { attempt: 2 })
  logger.debug('not at this level')
  expect(lines[0]).toMatch(/^\{.*\}\n$/)
  expect(parsed()).toEqual([
    {
      timestamp: new Date(clock.now()).toISOString(),
      level: 'WARNING',
      name: 'My SIEM',
      message: 'Something',
      attributes: { entity_id: 'x', attempt: 2 },
    },
  ])
})

test('no line contains a secret, however it got there', () => {
  const { logger, lines, parsed } = logging()
  const error = Object.assign(new Error(`401 for ${canary}`, { cause: new Error(canary) }), {
    options: { headers: { authorization: canary } },
  })
  logger.info(`with ${canary}`, {
    error,
    nested: { list: [canary, { deep: encodeURIComponent(canary) }] },
    base64: Buffer.from(canary).toString('base64'),
    [canary]: 1,
    map: { password: 'unknown secret', 'X-Api-Key': 'unknown secret', Authorization: 'unknown secret' },
    header: `Basic ${Buffer.from(`user:${canary}`).toString('base64')}`,
    number: 20261124,
  })
  const text = lines.join('')
  for (const form of [canary, JSON.stringify(canary).slice(1, -1), encodeURIComponent(canary)])
    expect(text).not.toContain(form)
  expect(text).not.toContain(Buffer.from(`user:${canary}`).toString('base64'))
  expect(text).not.toContain('unknown secret')
  expect(text).not.toContain('20261124')
  expect(parsed()[0]!['message']).toBe('with [redacted]')
})

test('no name can forge a line for people', () => {
  const { logger, lines } = logging({ json: false, colors: false })
  logger.info('first\n12:00:00 ERROR forged \u001b[2J', { name: 'a\u009b2J\nb\u202e', number: 20261124 })
  expect(lines).toHaveLength(1)
  expect(lines[0]!.trimEnd()).not.toMatch(/[\p{Cc}\u202e]/u)
  expect(lines[0]).toContain('number=[redacted]')
})

test('only colors lines for people on a terminal', () => {
  const { logger, lines } = logging({ json: false, colors: true })
  logger.error('red')
  expect(lines[0]).toContain('\u001b[31m')
})

test('a message of endless length, depth or width stays small', () => {
  const { logger, lines } = logging()
  const ring: Record<string, unknown> = {}
  ring['again'] = ring
  logger.info('x'.repeat(1_000_000), {
    text: 'y'.repeat(1_000_000),
    ring,
    wide: Array(100_000).fill(1),
    big: 1n,
  })
  expect(lines[0]!.length).toBeLessThan(10_000)
})

test('summarizes repeated errors', async () => {
  const { logger, parsed, clock } = logging()
  for (let index = 0; index < 415; index++)
    logger.error('Event saved to dead letter queue', { entity_id: `indicator--${index}` })
  expect(parsed()).toHaveLength(3)
  await clock.advance(10_000)
  expect(parsed()).toHaveLength(4)
  expect(parsed()[3]).toMatchObject({
    level: 'ERROR',
    message: 'Event saved to dead letter queue … and 412 more in the last 10 s',
    attributes: { entity_id: 'indicator--414' },
  })
  await clock.advance(60_000)
  logger.error('Event saved to dead letter queue')
  expect(parsed()).toHaveLength(5)
})

test('writes at most ten lines a second, however different they are, and counts all', async () => {
  const { logger, parsed, clock } = logging()
  const perSecond: number[] = []
  let said = 0
  for (let second = 0; second < 60; second++) {
    const before = parsed().length
    for (let index = 0; index < 500; index++) {
      const word = String.fromCodePoint(
        ...Array.from({ length: 8 }, (_, at) => 103 + ((index * 7 + at * second) % 19)),
      )
      logger.warn(index % 3 === 0 ? 'The target does not answer' : `odd ${word}`, { index })
      said++
    }
    await clock.advance(1000)
    perSecond.push(parsed().length - before)
  }
  logger.flush()
  const counted = parsed().reduce(
    (sum, { message }) => sum + Number(/… and (\d+)/.exec(message as string)?.[1] ?? 1),
    0,
  )
  expect(counted).toBe(said)
  expect(Math.max(...perSecond)).toBeLessThanOrEqual(13)
  expect(parsed().length / 60).toBeLessThan(10)
})

test('never holds back info lines', () => {
  const { logger, parsed } = logging()
  for (let index = 0; index < 100; index++) logger.info('Event processed')
  expect(parsed()).toHaveLength(100)
})

test('prints no part of a secret that is longer than the printed part of a text', () => {
  const lines: string[] = []
  const redactor = new Redactor()
  const secret = 'Zq7canary9Xv'.repeat(2100)
  redactor.add(secret)
  const logger = createLogger({
    name: 'Test',
    level: 'debug',
    json: true,
    redactor,
    write: (line) => void lines.push(line),
  })
  logger.error(`it holds ${secret}`, {
    error: new Error(secret),
    deep: { value: `${'x'.repeat(3990)} ${secret}` },
  })
  expect(lines).toHaveLength(1)
  expect(lines[0]).not.toContain('canary')
})

test('prints a line whose attributes throw when they are read', () => {
  const lines: string[] = []
  const logger = createLogger({
    name: 'Test',
    level: 'debug',
    json: true,
    redactor: new Redactor(),
    write: (line) => void lines.push(line),
  })
  const hostile = Object.defineProperty({}, 'value', {
    enumerable: true,
    get: () => {
      throw new Error('not me')
    },
  })
  logger.error('it goes on', { hostile, toJSON: undefined })
  expect(lines.join('')).toContain('it goes on')
})
