import { type NewDeadLetter, type StateChanges } from '../store/state-store.ts'
import { fieldsOfLetter, rowOfEntity, rowOfItem } from './redis-rows.ts'

/** A command for Redis, with fewer than 8000 parts. It must not fail. */
export type RedisCommand = readonly string[]

/** What a commit does besides its changes. */
export interface CommitContext {
  /** Number of resets so far, without one in this commit. */
  readonly epoch: number
  /** Number of a dead letter in the order in which this writer adds them. */
  readonly sequenceOf: (letter: NewDeadLetter) => number
  /** What else to do in the same step. */
  readonly commands?: Iterable<RedisCommand> | undefined
}

/**
 * The changes as arguments of the script, in the order in which they take effect.
 *
 * @throws whatever the iterables of the caller throw.
 */
export function commitArguments(changes: StateChanges, context: CommitContext): string[] {
  const all: string[] = []
  const epoch = changes.forgetPositions === true ? context.epoch + 1 : context.epoch
  for (const [name, value] of changes.values ?? []) {
    if (value === undefined) all.push('v', name)
    else all.push('V', name, value)
  }
  if (changes.forgetPositions === true) all.push('F', String(epoch))
  for (const entity of changes.putEntities ?? [])
    all.push('E', entity.key, rowOfEntity(entity, epoch), String(entity.expiresAtMs ?? ''))
  for (const key of changes.deleteEntities ?? []) all.push('e', key)
  for (const { entity, key, item } of changes.putClaims ?? []) all.push('C', entity, key, item)
  for (const { entity, key } of changes.deleteClaims ?? []) all.push('c', entity, key)
  for (const item of changes.putItems ?? []) all.push('I', item.key, rowOfItem(item))
  for (const key of changes.deleteItems ?? []) all.push('i', key)
  for (const [key, position] of changes.putDepartures ?? []) all.push('D', key, position)
  for (const key of changes.removeDepartures ?? []) all.push('d', key)
  for (const letter of changes.addDeadLetters ?? []) {
    const fields = fieldsOfLetter(letter)
    all.push('L', String(context.sequenceOf(letter)), letter.key ?? '', String(fields.length), ...fields)
  }
  for (const { id, attempts, lastAtMs, error, answered } of changes.updateDeadLetters ?? [])
    all.push('U', String(id), String(attempts), String(lastAtMs), error, answered ?? '')
  for (const [key, position] of changes.outdateDeadLetters ?? []) all.push('O', key, position)
  for (const id of changes.removeDeadLetters ?? []) all.push('R', String(id))
  for (const command of context.commands ?? []) all.push('X', String(command.length), ...command)
  return all
}
