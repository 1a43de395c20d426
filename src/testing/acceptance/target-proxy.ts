import { HttpProxy } from './http-proxy.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** One request to a target, or one piece of data where the protocol is not HTTP. */
export interface Exchange {
  /** Number of this exchange, from 1. */
  readonly number: number
  /** HTTP method; undefined for other protocols. */
  readonly method: string | undefined
  /** Size of the body or piece, in bytes. */
  readonly bytes: number
  /** URL and body, or the piece, as text. */
  text(): string
}

/**
 * What happens to an exchange: a later answer; a connection that breaks before the target hears of it, in the middle of the answer,
 * or once the target has done it; or, with HTTP, an answer in place of the target's, before or once the target has done it.
 */
export type Mishap =
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'cut' }
  | { readonly kind: 'half-answer' }
  | { readonly kind: 'lost-answer' }
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly isDone?: boolean
    }

/** Decides what happens to an exchange; undefined: nothing. */
export type Trouble = (exchange: Exchange) => Mishap | undefined

/** A proxy between a connector and its target. */
export interface TargetProxy extends AsyncDisposable {
  /** Address for the connector, in the form of the target's. */
  readonly address: string
  readonly isHttp: boolean
  /** Number of exchanges so far. */
  readonly exchanges: number
  trouble: Trouble | undefined
  /** Breaks all connections and refuses new ones. */
  goAway(): Promise<void>
  comeBack(): Promise<void>
}

/**
 * Starts a proxy in front of a target, on the loopback interface. It answers http and https targets by plain HTTP, and passes
 * on the bytes of all others.
 *
 * @param address `https://siem.example.org/api`, `postgres://user@127.0.0.1:5432/threats`, `127.0.0.1:6514`.
 * @throws TypeError if the address names no host and port.
 */
export async function startTargetProxy(address: string): Promise<TargetProxy> {
  const proxy = /^https?:\/\//i.test(address) ? new HttpProxy(address) : new TcpProxy(address)
  await proxy.comeBack()
  return proxy
}
