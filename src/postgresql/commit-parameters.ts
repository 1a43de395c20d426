import { randomUUID } from 'node:crypto'
import { type NewDeadLetter, type StateChanges } from '../store/state-store.ts'
import { storedKey, storedText } from './stored-text.ts'

/** Identity of each dead letter, so that one whose commit had an unknown outcome is stored once. */
const marks = new WeakMap<NewDeadLetter, string>()

/**
 * Parameters of a commit, after the fence: JSON texts, or null where there is nothing to change. One row may
 * change once per statement, so of several changes the last one counts.
 *
 * @throws whatever the iterables throw.
 */
export function commitParameters(changes: StateChanges): readonly (string | boolean | null)[] {
  return [
    changes.forgetPositions === true,
    json(map(changes.values, ([name, value]) => ({ n: storedText(name), v: optional(value) }))),
    json(
      unique(
        changes.putEntities,
        ({ key }) => key,
        (entity) => {
          const { key, fullKey } = storedKey(entity.key)
          return {
            k: key,
            f: fullKey,
            s: storedText(entity.stixId),
            x: optional(entity.externalId),
            p: entity.position,
            e: entity.expiresAtMs,
            r: optional(entity.route),
            c: entity.caughtUpMs,
          }
        },
      ),
    ),
    keys(changes.deleteEntities),
    json(
      unique(
        changes.putClaims,
        ({ entity, key }) => JSON.stringify([entity, key]),
        (claim) => {
          const [entity, key] = [storedKey(claim.entity), storedKey(claim.key)]
          return { e: entity.key, k: key.key, g: entity.fullKey, f: key.fullKey, i: storedText(claim.item) }
        },
      ),
    ),
    json(
      map(changes.deleteClaims, ({ entity, key }) => ({ e: storedKey(entity).key, k: storedKey(key).key })),
    ),
    json(
      unique(
        changes.putItems,
        ({ key }) => key,
        (item) => {
          const { key, fullKey } = storedKey(item.key)
          return { k: key, f: fullKey, x: optional(item.externalId), i: storedText(item.item) }
        },
      ),
    ),
    keys(changes.deleteItems),
    json(
      map(changes.putDepartures, ([text, position]) => {
        const { key, fullKey } = storedKey(text)
        return { k: key, f: fullKey, p: position }
      }),
    ),
    keys(changes.removeDepartures),
    json(map(changes.addDeadLetters, letterRow)),
    json(
      unique(
        changes.updateDeadLetters,
        ({ id }) => id,
        ({ id, attempts, lastAtMs, error, answered }) => ({
          i: id,
          a: attempts,
          l: lastAtMs,
          e: storedText(error),
          r: answered,
        }),
      ),
    ),
    json(map(changes.outdateDeadLetters, ([key, position]) => ({ k: storedText(key), p: position }))),
    json(map(changes.removeDeadLetters, String)),
  ]
}

/** Number of parameters of {@link commitParameters}. */
export const commitParameterCount = commitParameters({}).length

function letterRow(letter: NewDeadLetter, n: number): object {
  let mark = marks.get(letter)
  if (mark === undefined) marks.set(letter, (mark = randomUUID()))
  return {
    n,
    m: mark,
    k: optional(letter.key),
    r: optional(letter.route),
    t: storedText(letter.eventType),
    i: optional(letter.entityId),
    y: optional(letter.entityType),
    p: optional(letter.position),
    a: letter.attempts,
    b: letter.firstAtMs,
    l: letter.lastAtMs,
    e: storedText(letter.error),
    d: storedText(letter.data),
  }
}

function optional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : storedText(text)
}

function keys(texts: Iterable<string> | undefined): string | null {
  return json(map(texts, (text) => storedKey(text).key))
}

function map<T, Row>(rows: Iterable<T> | undefined, row: (value: T, index: number) => Row): Row[] {
  return Array.from(rows ?? [], row)
}

function unique<T, Row>(
  rows: Iterable<T> | undefined,
  identity: (value: T) => unknown,
  row: (value: T) => Row,
): Row[] {
  const last = new Map<unknown, T>()
  for (const value of rows ?? []) last.set(identity(value), value)
  return Array.from(last.values(), row)
}

function json(rows: readonly unknown[]): string | null {
  return rows.length === 0 ? null : JSON.stringify(rows)
}
