import { Command, InvalidArgumentError } from 'commander'
import { anyPosition } from '../session/author-position.ts'
import { importedMap } from '../session/progress.ts'
import { resetState } from '../session/session.ts'
import { parsePlatformState, serializePlatformState, type PlatformState } from '../opencti/platform-state.ts'
import { formatPosition, startOfTime, type Position } from '../util/position.ts'
import { futureText } from '../settings/reading/future-start.ts'
import { readBeginning } from '../settings/schemas/read-beginning.ts'
import { systemClock } from '../util/clock.ts'
import { counted, note, printable, timeText, writeJson, writeLine } from './output.ts'
import { exitCodeHelp } from './run-command-line.ts'
import { addStateOptions, withState, type StateOptions } from './state-access.ts'
import { parsedJson } from '../util/json-text.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

const usualWay = `
To make a connector start over, reset it on the platform: "Reset the connector
state" on the connector's page. A running connector obeys within a minute, a
stopped one at its next start. Use reset and set if that is not possible; stop
the connector first.
`

const examples = `
Examples:
  opencti-stream state show
  opencti-stream state set 2026-09-01T08:00:00Z
  opencti-stream state reset
`

/**
 * The `state` command: shows a connector's position, and changes it.
 *
 * @example
 * ```sh
 * opencti-stream state show
 * ```
 */
export function stateCommand(): Command {
  const command = new Command('state').description("Show or change the connector's position in the stream.")
  const add = (usage: string, description: string) =>
    addStateOptions(command.command(usage).description(description)).addHelpText(
      'after',
      examples + usualWay + exitCodeHelp,
    )
  add('show', 'Show the position and the size of the id map and the dead letters.').action(
    (options: StateOptions) => show(options),
  )
  add(
    'reset',
    'At the next start, begin where the settings say, as for the first time. Keeps the id map.',
  ).action((options: StateOptions) => reset(options))
  add('set', 'At the next start, begin after this position. Keeps the id map.')
    .argument(
      '<position>',
      '<ms>-<seq>, seconds or milliseconds since 1970, an ISO date (UTC by default), or 0',
      position,
    )
    .action((from: Position, options: StateOptions) => set(from, options))
  return command.addHelpText('after', examples + usualWay + exitCodeHelp)
}

function show(options: StateOptions): Promise<void> {
  return withState(options, 'read-only', async (store, connectorId) => {
    const text = await store.value(storedValues.state)
    const state = parsePlatformState(text)
    const pushed = parsePlatformState(newestPushed(await store.value(storedValues.pushed)))
    const facts = {
      connectorId,
      isReset: text === resetState,
      position: positionText(state?.startFrom),
      problems: state?.problems ?? [],
      catchUpUntil: pendingCatchUp(state),
      positionAtPlatform: positionText(pushed?.startFrom),
      entities: await store.countEntities(),
      items: await store.countItems(),
      claims: await store.countClaims(),
      isIdMapComplete: ['complete', importedMap].includes((await store.value(storedValues.idMap)) ?? ''),
      deadLetters: await store.countDeadLetters(),
    }
    if (options.json === true) {
      await writeJson(facts)
      return
    }
    const none = facts.isReset
      ? 'reset: starts where the settings say'
      : 'none: the connector has never started'
    const unreadable = state?.problems.length ? `unreadable: ${state.problems.join('; ')}` : undefined
    const rows: readonly (readonly [string, string])[] = [
      ['Connector', connectorId],
      ['Position', withTime(state?.startFrom) ?? unreadable ?? none],
      ['On the platform', withTime(pushed?.startFrom) ?? 'none sent'],
      ['Catch-up', facts.catchUpUntil === undefined ? 'none' : `what existed until ${facts.catchUpUntil}`],
      ['Id map', `${counted(facts.entities, 'entity', 'entities')}${partly(facts)}`],
      ...(facts.items + facts.claims === 0
        ? []
        : [
            [
              'Items',
              `${facts.items}, with ${counted(facts.claims, 'claim', 'claims')} of entities`,
            ] as const,
          ]),
      ['Dead letters', String(facts.deadLetters)],
    ]
    for (const [name, value] of rows) await writeLine(`${name.padEnd(16)}${printable(value)}`)
  })
}

/**
 * End of an unfinished catch-up. The state keeps the end; its position passes it once the catch-up is over.
 */
function pendingCatchUp(state: PlatformState | undefined): string | undefined {
  const { startFrom, recoverUntil } = state ?? {}
  if (recoverUntil === undefined || recoverUntil === false) return undefined
  return startFrom !== undefined && startFrom.ms >= Date.parse(recoverUntil) ? undefined : recoverUntil
}

function partly({ isIdMapComplete }: { isIdMapComplete: boolean }): string {
  return isIdMapComplete ? '' : ' (may lack what was pushed before this file was made)'
}

function reset(options: StateOptions): Promise<void> {
  return change(
    options,
    () => resetState,
    'Reset. At its next start, the connector begins where the settings say.',
  )
}

function set(from: Position, options: StateOptions): Promise<void> {
  const text = futureText(from.ms, systemClock.now())
  if (text !== undefined) note(`The position ${text}`)
  return change(
    options,
    (text) => {
      const before = parsePlatformState(text)
      return serializePlatformState({
        startFrom: from,
        recoverUntil: before?.recoverUntil,
        foreign: before?.foreign ?? {},
      })
    },
    `Set. At its next start, the connector begins after ${formatPosition(from)}.`,
  )
}

/** Changes the position so that it overrides the platform's, and delivered events are delivered again. */
async function change(
  options: StateOptions,
  make: (text: string | undefined) => string,
  answer: string,
): Promise<void> {
  // Checked first, because exclusive access would create a missing state.
  const connectorId = await withState(options, 'read-only', async (_, id) => id)
  await withState({ ...options, connectorId }, 'exclusive', async (store) => {
    const text = make(await store.value(storedValues.state))
    await store.commit({
      values: new Map([
        [storedValues.state, text],
        [storedValues.pushed, undefined],
        [storedValues.voidPosition, anyPosition],
      ]),
      forgetPositions: true,
      durable: true,
    })
    const { startFrom } = parsePlatformState(text) ?? {}
    if (options.json === true) await writeJson({ connectorId, position: positionText(startFrom) ?? null })
    else await writeLine(answer)
  })
}

/** The last state pushed to the platform. */
function newestPushed(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const texts = parsedJson(text)
  const newest: unknown = Array.isArray(texts) ? texts.at(-1) : undefined
  return typeof newest === 'string' ? newest : undefined
}

function positionText(at: Position | undefined): string | undefined {
  return at === undefined ? undefined : formatPosition(at)
}

function withTime(at: Position | undefined): string | undefined {
  if (at === undefined) return undefined
  return at.ms === startOfTime.ms
    ? `${formatPosition(at)} (the beginning)`
    : `${formatPosition(at)} (${timeText(at.ms)} UTC)`
}

function position(text: string): Position {
  const read = readBeginning(text)
  if ('problem' in read) throw new InvalidArgumentError(`It ${read.problem}.`)
  return read
}
