import { type DeadLetterSummary } from '../../dead-letters/dead-letters.ts'
import { type ConnectorStatus } from '../../observe/connector-status.ts'
import { type ConnectorProcess } from './connector-process.ts'

/** The last lines that a connector wrote, for a failure. */
export function saidBy({ said }: ConnectorProcess): string {
  const lines = said.split('\n').filter((line) => line !== '')
  return lines.length === 0 ? '' : `\nIt said last:\n  ${lines.slice(-4).join('\n  ').slice(-1200)}`
}

/** The number of dead letters, and the first of them. */
export function lettersText(letters: readonly DeadLetterSummary[]): string {
  const [first] = letters
  if (first === undefined) return ''
  const count = letters.length === 1 ? 'There is 1 dead letter' : `There are ${letters.length} dead letters`
  return `\n${count}. The first, a ${first.eventType} of ${first.entityId ?? 'nobody knows what'}: ${first.error}`
}

/** Why a connector has not finished its work. */
export function whyNot(status: ConnectorStatus | undefined): string {
  if (status === undefined) return 'it has not even started'
  const { notReady, inFlight, catchingUp, received } = status
  const reasons = notReady.map(({ part, reason }) => `${part}: ${reason}`)
  if (inFlight > 0) reasons.push(`${inFlight} of ${received} events are not finished`)
  if (catchingUp) reasons.push('it is still catching up')
  return reasons.length === 0 ? 'it does not read on' : reasons.join('; ')
}
