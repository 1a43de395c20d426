import { connect, createServer, type Socket } from 'node:net'
import { systemClock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'
import { ProxyListener } from './proxy-listener.ts'
import { type Mishap, type TargetProxy, type Trouble } from './target-proxy.ts'

/** A proxy for any protocol over TCP: passes on bytes, and can delay or cut them. */
export class TcpProxy implements TargetProxy {
  readonly isHttp = false
  trouble: Trouble | undefined
  readonly #target: Endpoint
  readonly #server = createServer({ noDelay: true }, (client) => this.#tunnel(client))
  readonly #listener = new ProxyListener(this.#server)
  #exchanges = 0

  constructor(address: string) {
    this.#target = endpointOf(address)
  }

  get address(): string {
    return this.#target.withPort(this.#listener.port)
  }

  get exchanges(): number {
    return this.#exchanges
  }

  goAway(): Promise<void> {
    return this.#listener.goAway()
  }

  comeBack(): Promise<void> {
    return this.#listener.comeBack()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goAway()
  }

  #tunnel(client: Socket): void {
    const target = connect({ host: this.#target.host, port: this.#target.port, noDelay: true })
    this.#listener.add(target)
    /** What happens to the next answer. */
    let pending: Mishap | undefined
    let asked = Promise.resolve()
    const ask = async (piece: Buffer, mishap: Mishap | undefined) => {
      if (mishap?.kind === 'delay') await delay(systemClock, mishap.ms)
      pending = mishap
      if (target.destroyed) return
      if (target.write(piece)) client.resume()
      else target.once('drain', () => client.resume())
    }
    client.on('data', (piece) => {
      const number = ++this.#exchanges
      const mishap = this.trouble?.({
        number,
        method: undefined,
        bytes: piece.length,
        text: () => piece.toString('latin1'),
      })
      if (mishap?.kind === 'cut') {
        client.destroy()
        target.destroy()
        return
      }
      client.pause()
      asked = asked.then(() => ask(piece, mishap))
    })
    target.on('data', (piece) => {
      const mishap = pending
      pending = undefined
      if (mishap?.kind === 'lost-answer') client.destroy()
      else if (mishap?.kind === 'half-answer')
        client.write(piece.subarray(0, piece.length / 2), () => client.destroy())
      else if (!client.write(piece)) {
        target.pause()
        client.once('drain', () => target.resume())
      }
    })
    client.on('end', () => void asked.then(() => target.end()))
    target.on('end', () => client.end())
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
  }
}

interface Endpoint {
  readonly host: string
  readonly port: number
  /** The address with another port, on this machine. */
  withPort(port: number): string
}

function endpointOf(address: string): Endpoint {
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(address)?.[0]
  const url = URL.canParse(scheme === undefined ? `tcp://${address}` : address)
    ? new URL(scheme === undefined ? `tcp://${address}` : address)
    : undefined
  if (url === undefined || url.hostname === '' || url.port === '')
    throw new TypeError('The address of the target must name a host and a port, such as 127.0.0.1:6514.')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port)
  return {
    host,
    port,
    withPort(own) {
      // A certificate for this name stays right.
      if (host !== 'localhost') url.hostname = '127.0.0.1'
      url.port = String(own)
      return scheme === undefined ? `${url.hostname}:${own}` : url.href
    },
  }
}
