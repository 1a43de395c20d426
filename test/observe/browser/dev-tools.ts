type Fields = Readonly<Record<string, unknown>>

interface Message {
  readonly id?: number
  readonly sessionId?: string
  readonly method?: string
  readonly params?: Fields
  readonly result?: Fields
  readonly error?: { readonly message: string }
}

/** A connection that speaks the DevTools protocol: commands with answers, and events. */
export class DevTools {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<Fields>>()
  readonly #listeners: ((message: Message) => void)[] = []
  #sent = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(String(data)) as Message))
    socket.addEventListener('close', () => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error('The browser has gone.'))
    })
  }

  static async connect(address: string): Promise<DevTools> {
    const socket = new WebSocket(address)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true })
      socket.addEventListener('error', reject, { once: true })
    })
    return new DevTools(socket)
  }

  send<Result = Fields>(method: string, params: Fields = {}, sessionId?: string): Promise<Result> {
    const id = ++this.#sent
    const waiting = Promise.withResolvers<Fields>()
    this.#waiting.set(id, waiting)
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }))
    return waiting.promise as Promise<Result>
  }

  /** Calls `listener` with the events of one session. */
  listen(sessionId: string, listener: (method: string, params: Fields) => void): void {
    this.#listeners.push((message) => {
      if (message.sessionId === sessionId) listener(message.method!, message.params ?? {})
    })
  }

  close(): void {
    this.#socket.close()
  }

  #receive(message: Message): void {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message)
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.error === undefined) waiting?.resolve(message.result ?? {})
    else waiting?.reject(new Error(message.error.message))
  }
}
