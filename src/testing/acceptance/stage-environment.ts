import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Given, type TargetAddress } from './acceptance-options.ts'

/** Moments instead of seconds, and lists at once. */
export const hurry = {
  CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
  CONNECTOR_RETRY_BASE_MS: '30',
  CONNECTOR_RETRY_MAX_MS: '300',
  CONNECTOR_OUTAGE_PROBE_MIN_MS: '50',
  CONNECTOR_OUTAGE_PROBE_MAX_MS: '300',
  CONNECTOR_BATCH_MAX_WAIT_MS: '50',
  CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS: '100',
  CONNECTOR_SNAPSHOT_MAX_SHRINK: '100',
}

/** Resolves an option that may be a function. */
export async function given<T>(option: Given<T> | undefined): Promise<T | undefined> {
  return typeof option === 'function' ? await (option as () => T | Promise<T>)() : option
}

/** The environment of this process, without the settings of another connector, and without proxies: everything is on this machine. */
export function inheritedEnvironment(): Record<string, string> {
  const others = /^(?:OPENCTI|CONNECTOR)_|^(?:https?|no|all)_proxy$|^NODE_CHANNEL|^VITEST/i
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name, value]) => value !== undefined && !others.test(name)),
  ) as Record<string, string>
  // Many starts: the files are compiled once.
  return { ...own, NODE_COMPILE_CACHE: join(tmpdir(), 'opencti-accept-compiled') }
}

export function addressSettings(
  { setting }: TargetAddress,
  proxied: string,
): Readonly<Record<string, string>> {
  if (typeof setting === 'string') return { [setting]: proxied }
  const { hostname, port } = new URL(/^[a-z][a-z\d+.-]*:\/\//i.test(proxied) ? proxied : `tcp://${proxied}`)
  return setting({ url: proxied, host: hostname, port: Number(port) })
}
