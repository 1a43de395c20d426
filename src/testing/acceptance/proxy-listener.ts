import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket } from 'node:net'
import { systemClock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'

/** Another program may have taken the port for a moment. */
const portPatienceMs = 5000

/** A server that can go away and come back on the same port. */
export class ProxyListener {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #port = 0

  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => this.add(socket))
  }

  get port(): number {
    return this.#port
  }

  /** Breaks this connection, too, when the server goes away. */
  add(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }

  async goAway(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async comeBack(): Promise<void> {
    if (this.#server.listening) return
    const untilMs = systemClock.monotonic() + portPatienceMs
    for (;;) {
      const listening = once(this.#server, 'listening')
      this.#server.listen(this.#port, '127.0.0.1')
      try {
        await listening
        this.#port = (this.#server.address() as AddressInfo).port
        return
      } catch (error) {
        if (systemClock.monotonic() > untilMs) throw error
        await delay(systemClock, 50)
      }
    }
  }
}
