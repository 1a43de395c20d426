import { type Server } from 'node:http'
import { type Socket } from 'node:net'

/** Maximum number of pipelined requests per connection. */
const maxPipelined = 4

/**
 * Limits what the clients of a small server can occupy: connections, and requests waiting in one of them. If
 * there are too many connections, the longest idle one is closed, not the new one. Otherwise, a stranger who
 * opens idle connections would lock out the probes, and a healthy connector would be restarted.
 */
export class ConnectionBound {
  readonly #maxConnections: number
  /** Number of running requests by connection, least recently active first. */
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
      // Do not wait for its close event: more connections may arrive before that.
      this.#connections.delete(longestIdle!)
      longestIdle!.destroy()
    })
  }

  /** Whether a request may be answered; if not, its connection has been closed. */
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

  /** An admitted request has ended. */
  leave(socket: Socket): void {
    const underWay = this.#connections.get(socket)
    if (underWay !== undefined) this.#note(socket, underWay - 1)
  }

  /** The client is active: it reads its answer. */
  touch(socket: Socket): void {
    const underWay = this.#connections.get(socket)
    if (underWay !== undefined) this.#note(socket, underWay)
  }

  #note(socket: Socket, underWay: number): void {
    this.#connections.delete(socket)
    this.#connections.set(socket, underWay)
  }
}
