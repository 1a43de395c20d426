import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A connection to a server that can fall silent, break, or lead elsewhere. */
export class DatabaseLink implements AsyncDisposable {
  /** Port of the server. */
  target: number
  /** Nothing passes, in either direction, and no connection ends. */
  isSilent = false
  /** What the server answers is dropped, and then the connection; what it was asked has arrived. */
  losesAnswers = false
  /** Connections are refused. */
  isDown = false
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((client) => this.#serve(client))

  private constructor(target: number) {
    this.target = target
  }

  static async to(target: number): Promise<DatabaseLink> {
    const link = new DatabaseLink(target)
    link.#server.listen(0, '127.0.0.1')
    await once(link.#server, 'listening')
    return link
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Ends all present connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(client: Socket): void {
    if (this.isDown) {
      client.resetAndDestroy()
      return
    }
    const server = connect(this.target, '127.0.0.1')
    const end = () => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    client.on('data', (bytes) => {
      if (!this.isSilent) server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (this.losesAnswers) client.resetAndDestroy()
      else if (!this.isSilent) client.write(bytes)
    })
  }
}
