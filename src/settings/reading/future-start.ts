import { type ConnectorSettings } from '../schemas/connector-settings.ts'

/** Clocks differ by that much without anybody meaning anything by it, in milliseconds. */
const clockMarginMs = 60_000

/**
 * What is said of a start that lies in the future by the clock `nowMs`, to follow the name of what puts it there;
 * `undefined` when it does not. Left alone, whoever begins there waits for that time in silence and looks well.
 */
export function futureText(startMs: number, nowMs: number): string | undefined {
  if (startMs <= nowMs + clockMarginMs) return undefined
  return `sets the start to ${timeText(startMs)}, which is in the future: this machine's clock says ${timeText(nowMs)}.`
}

/** The same of the start that the settings say, with what to do. */
export function futureStart(
  { live_stream_start_timestamp: start }: Pick<ConnectorSettings, 'live_stream_start_timestamp'>,
  nowMs: number,
): string | undefined {
  if (start === undefined || start === 'now') return undefined
  const text = futureText(Number.parseInt(start, 10), nowMs)
  return text && `CONNECTOR_LIVE_STREAM_START_TIMESTAMP ${text} Correct or remove it.`
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
