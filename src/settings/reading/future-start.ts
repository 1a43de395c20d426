import { type ConnectorSettings } from '../schemas/connector-settings.ts'

/** Tolerated difference between clocks, in milliseconds. */
const clockMarginMs = 60_000

/**
 * Describes a start in the future, to follow the name of what sets it; `undefined` if it is not in the future
 * at `nowMs`. Without this warning, the connector waits silently for that time and looks healthy.
 */
export function futureText(startMs: number, nowMs: number): string | undefined {
  if (startMs <= nowMs + clockMarginMs) return undefined
  return `sets the start to ${timeText(startMs)}, which is in the future: this machine's clock says ${timeText(nowMs)}.`
}

/** The same for the start in the settings, including what to do. */
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
