import { type ConnectorSettings } from './connector-settings.ts'

/** Clocks differ by that much without anybody meaning anything by it, in milliseconds. */
const clockMarginMs = 60_000

/**
 * What is said of a start that the settings put into the future by the clock `nowMs`; `undefined` when they do not. Left
 * alone, such a connector waits for that time in silence and looks well.
 */
export function futureStart(
  { live_stream_start_timestamp: start }: Pick<ConnectorSettings, 'live_stream_start_timestamp'>,
  nowMs: number,
): string | undefined {
  const startMs = Number.parseInt(start ?? '0', 10)
  if (startMs <= nowMs + clockMarginMs) return undefined
  const at = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`
  return (
    `CONNECTOR_LIVE_STREAM_START_TIMESTAMP says to begin at ${at(startMs)}, but the clock of this machine says ${at(nowMs)}: ` +
    'the start lies in the future. Correct it, or leave it out.'
  )
}
