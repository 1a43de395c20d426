import { type Server } from 'node:http'
import { type Socket } from 'node:net'

/** How many requests of one connection may be under way: who sends the next before the last is answered wants too much. */
const maxPipelined = 4

/**
 * Bounds what the clients of a small server can hold: connections, and requests that wait in one of them. When there are
 * too many connections, the one that has done nothing for longest goes, not the one that comes: else a stranger who opens
 * connections and says nothing would keep out the probes, and a connector that does its work would be restarted.
 */
export class ConnectionBound {
  readonly #maxConnections: number
  /** How many requests are under way, by connection; in the order of what they last did. */
  readonly #connections = new Map<Socket, number>()

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.#connections.set(socket, 0)
      socket.once('close', () => this.#connections.delete(socket))
      if (this.#connections.size <= this.#maxConnections) return
      const [longestIdle] = this.#connections.keys()
      // Not only when its close has come: more may arrive before that.
      this.#connections.delete(longestIdle!)
      longestIdle!.destroy()
    })
  }

  /** Whether a request may be answered; if not, its connection has been cut. */
  enter(socket: Socket): boolean {
    const underWay = this.#connections.get(socket)
    if (underWay === undefined) return false
    if (underWay >= maxPipelined) {
      socket.destroy()
      return false
    }
    this.#note(socket, underWay + 1)
    return true
  }

  /** A request that was let in has ended. */
  leave(socket: Socket): void {
    const underWay = this.#connections.get(socket)
    if (underWay !== undefined) this.#note(socket, underWay - 1)
  }

  #note(socket: Socket, underWay: number): void {
    this.#connections.delete(socket)
    this.#connections.set(socket, underWay)
  }
}
