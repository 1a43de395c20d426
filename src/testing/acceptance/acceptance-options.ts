import { type ReadContents } from './contents.ts'

/** A value, or a function that returns it when the tests run. */
export type Given<T> = T | (() => T | Promise<T>)

/** Registers a test: `test` of Vitest or of `node:test`. */
export type AcceptanceTest = (
  name: string,
  options: { readonly timeout: number },
  run: (context: unknown) => Promise<void>,
) => unknown

/** Where a target is. */
export interface TargetAddress {
  /**
   * Environment variable that gets the address of the proxy, in the form of `url`; or a function that returns the variables, for
   * a connector that takes host and port apart.
   */
  readonly setting: string | ((proxy: ProxiedAddress) => Readonly<Record<string, string>>)
  /** Address of the target: `https://siem.example.org/api`, `postgres://user@127.0.0.1:5432/threats`, `127.0.0.1:6514`. */
  readonly url: string
}

/** The address that a connector gets. */
export interface ProxiedAddress {
  /** In the form of the target's. */
  readonly url: string
  readonly host: string
  readonly port: number
}

/** A target to try a connector on. */
export interface AcceptedTarget {
  /**
   * Its address. A proxy goes in between, which is away, slow, and loses answers. Without it, nothing of that is tried: for a
   * connector that writes files or serves a list.
   */
  readonly address?: Given<TargetAddress | undefined> | undefined
  /**
   * Reads everything that the target holds now, by a key that stays: an entity's id, a value, a file name. Leave out what the target
   * makes up: its ids, its times. Return what is current: of a log, the newest record of each key, and nothing of what is gone.
   */
  readonly read: () => ReadContents | Promise<ReadContents>
  /** Empties the target, with any position that the connector stores in it. */
  readonly reset: () => unknown
  /**
   * Everything that was ever written since the last reset, oldest first, if the target can tell: the key, and the content in the form of
   * `read`, `undefined` for a removal. Then the kit checks that no key went back to an older content.
   */
  readonly history?:
    | (() =>
        | Iterable<readonly [key: string, content: unknown]>
        | Promise<Iterable<readonly [key: string, content: unknown]>>)
    | undefined
}

/** What to try, on what. */
export interface AcceptanceOptions {
  /** File of the connector; a fragment names the export: `new URL('./connectors.ts#Blocklist', import.meta.url)`. */
  readonly connector: URL
  /** Settings of the connector, besides the address of its target and the common ones. */
  readonly env?: Given<Readonly<Record<string, string>>> | undefined
  readonly target: AcceptedTarget
  /**
   * What this target cannot promise, and why: `{ 'lost answers': 'the protocol has no answers' }`. Each name is a part of the name of a
   * promise, which is then listed as not tried, for this reason.
   */
  readonly except?: Readonly<Record<string, string>> | undefined
  /**
   * Number of entities at the start of each test; the number of changes grows with it.
   * @default 40
   */
  readonly size?: number | undefined
  /**
   * How often the connector is killed.
   * @default 4
   */
  readonly kills?: number | undefined
  /**
   * Seed of everything that happens by chance. A failure names it.
   * @default random
   */
  readonly seed?: number | undefined
  /**
   * Longest wait for the connector to finish one more event, in milliseconds. It is only used up when something hangs.
   * @default 30000
   */
  readonly patienceMs?: number | undefined
}

/** Options of `acceptTarget`. */
export interface AcceptTargetOptions extends AcceptanceOptions {
  readonly test: AcceptanceTest
}
