import { type Command, InvalidArgumentError } from 'commander'
import { type Position } from '../util/position.ts'
import { futureText } from '../settings/reading/future-start.ts'
import { beginningForms, readBeginning } from '../settings/schemas/read-beginning.ts'
import { type Clock } from '../util/clock.ts'
import { ageMs } from './age.ts'
import { note } from './output.ts'

/** A point in time: `now`, a number of milliseconds ago, or a stream position. */
export type Moment = 'now' | { readonly agoMs: number } | { readonly position: Position }

/** Which stream to read, and from where. */
export interface FromChoices {
  readonly stream?: string | undefined
  readonly from?: Moment | undefined
  readonly recover?: boolean | undefined
}

/** Adds the options of {@link FromChoices} to a command. */
export function addFromOptions(command: Command): Command {
  return command
    .option('--stream <id>', 'another live stream than the configured one')
    .option(
      '--from <when>',
      'now, an age (15m, 2h, 7d), an ISO date (UTC by default), <ms>-<seq>, or 0',
      moment,
    )
    .option('--recover', "also existing entities older than the platform's history")
}

/** Parses a {@link Moment}. */
export function moment(text: string): Moment {
  if (text === 'now') return text
  const read = readBeginning(text)
  if (!('problem' in read)) return { position: read }
  try {
    return { agoMs: ageMs(text) }
  } catch {
    throw new InvalidArgumentError(`Must be now, an age (15m, 2h, 7d), ${beginningForms} for the beginning.`)
  }
}

/** The stream position of a moment. Asks the platform for `now`. */
export async function positionOf(
  when: Moment,
  clock: Clock,
  newest: () => Promise<Position>,
): Promise<Position> {
  if (when === 'now') return newest()
  return 'position' in when ? when.position : { ms: Math.max(0, clock.now() - when.agoMs), seq: 0 }
}

/** The position of `--from`, by default now. Warns about the future, because nothing arrives until then. */
export async function startOf(
  { from = 'now' }: FromChoices,
  clock: Clock,
  newest: () => Promise<Position>,
): Promise<Position> {
  const position = await positionOf(from, clock, newest)
  const text = from === 'now' ? undefined : futureText(position.ms, clock.now())
  if (text !== undefined) note(`--from ${text}`)
  return position
}
