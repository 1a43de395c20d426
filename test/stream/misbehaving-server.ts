import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

type Route = (response: ServerResponse, request: IncomingMessage, server: MisbehavingServer) => void

/** A request as the server saw it. */
export interface SeenRequest {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
}

export function frame(id: number, data = `{"n":${id}}`): string {
  return `id: ${id}-0\nevent: create\ndata: ${data}\n\n`
}

const open = (response: ServerResponse) =>
  response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })

const refuse =
  (status: number, phrase?: string, headers: Record<string, string> = {}, body = ''): Route =>
  (response) => {
    if (phrase === undefined) response.writeHead(status, headers)
    else response.writeHead(status, phrase, headers)
    response.end(body)
  }

const bytesOf = (text: string) => Buffer.from(text)

/** One route per misbehavior. */
const routes: Readonly<Record<string, Route>> = {
  '/good': (response) => open(response).write(frame(1)),
  '/clean-eof': (response) => open(response).end(frame(1)),
  '/stall-before-headers': () => {},
  '/stall-mid-stream': (response) => open(response).write(frame(1) + 'id: 2-0\nevent: create\nda'),
  /** A heartbeat for each call of `beat()`. */
  '/slow-heartbeats': (response, _, server) => {
    const beat = () => response.write('event: heartbeat\ndata: ""\n\n')
    open(response)
    server.beat = beat
    server.cut = () => response.destroy()
    beat()
  },
  /** Another part of a text for each call of `beat()`. */
  '/parts': (response, _, server) => {
    open(response).write(frame(1))
    server.beat = (part) => response.write(part ?? '')
  },
  '/trickle': (response) => {
    const bytes = bytesOf(`\uFEFF${frame(1, '"ä€😀"')}${frame(2)}`)
    open(response)
    const next = (index: number) => {
      if (index === bytes.length) return
      response.write(bytes.subarray(index, index + 1), () => setImmediate(next, index + 1))
    }
    next(0)
  },
  '/cut-mid-frame': (response) => {
    open(response).write(frame(1) + 'id: 2-0\nevent: create\ndata: {"n":', () => response.destroy())
  },
  '/cut-mid-utf8': (response) => {
    const half = bytesOf('id: 2-0\nevent: create\ndata: "€').subarray(0, -1)
    open(response).write(Buffer.concat([bytesOf(frame(1)), half]), () => response.destroy())
  },
  '/eof-mid-frame': (response) => open(response).end(frame(1) + 'id: 2-0\nevent: create\ndata: {"n":2}\n'),
  '/401': refuse(401, 'You are not authenticated, please check your credentials'),
  '/403': refuse(403),
  '/404': refuse(404),
  '/410': refuse(410, 'This live stream is stopped'),
  '/429': refuse(
    429,
    undefined,
    { 'Retry-After': '7', 'Content-Type': 'application/json' },
    '{"message":"Too many requests, please try again later."}',
  ),
  '/500': refuse(500, 'Error in stream x: ERR no such key'),
  '/502': refuse(502, undefined, { 'Content-Type': 'text/html' }, '<html>nginx</html>'),
  '/503-date': (response) => {
    // A clock that is years ahead of ours: a minute from now is a minute from now.
    response.writeHead(503, {
      Date: 'Sat, 01 Sep 2029 08:00:00 GMT',
      'Retry-After': 'Sat, 01 Sep 2029 08:01:00 GMT',
    })
    response.end()
  },
  '/503-hour': refuse(503, undefined, { 'Retry-After': '3600' }, 'maintenance'),
  '/204': refuse(204),
  '/huge-error': (response) => {
    response.writeHead(500)
    const more = () => {
      while (response.writable && response.write(Buffer.alloc(65_536, 'x')));
      response.once('drain', more)
    }
    more()
  },
  '/endless-error': (response) => response.writeHead(500).write('{"message":'),
  '/html': refuse(200, undefined, { 'Content-Type': 'text/html; charset=utf-8' }, '<html>Sign in</html>'),
  '/no-type-error': (response) => {
    response
      .writeHead(200)
      .write(
        'event: error\ndata: {"stream":"x","message":"Recovery mode is only possible with a start date."}\n\n',
      )
  },
  '/no-type-html': (response) => response.writeHead(200).end('<html>Sign in</html>'),
  '/no-type-silent': (response) => response.writeHead(200).flushHeaders(),
  '/gzip': (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' })
    response.write(gzipSync(frame(1) + frame(2)))
  },
  '/crlf': (response) => open(response).write(`\uFEFF${frame(1)}${frame(2)}`.replaceAll('\n', '\r\n')),
  '/giant': (response) => open(response).write(frame(1) + frame(2, `"${'x'.repeat(20_000_000)}"`) + frame(3)),
  '/larger-than-heap': (response) => {
    const part = Buffer.alloc(1024 * 1024, 'x')
    open(response).write(`${frame(1)}id: 2-0\nevent: create\ndata: "é漢`)
    const next = (left: number) => {
      if (left > 0) response.write(part, () => setImmediate(next, left - 1))
      else response.write(`"\n\n${frame(3)}`)
    }
    next(120)
  },
  '/oversize': (response) =>
    open(response).write(frame(1) + frame(2, `"${'é'.repeat(2_000_000)}"`) + frame(3)),
  '/retry-field': (response) => open(response).end(`retry: 5000\n\n${frame(1)}`),
  '/redirect-here': (response) => response.writeHead(307, { Location: '/good' }).end(),
  '/redirect-round': (response) => response.writeHead(302, { Location: '/redirect-round' }).end(),
  '/redirect-away': (response, _, server) => {
    response.writeHead(302, { Location: `${server.elsewhere}/good?secret=yes` }).end()
  },
  '/flood': (response) => {
    open(response)
    let id = 0
    const more = () => {
      while (response.writable && response.write(frame(++id, `"${'x'.repeat(10_000)}"`)));
      response.once('drain', more)
    }
    more()
  },
  /** Another behavior for each request, as the query's `script` says: `/script?script=cut-mid-frame,good`. */
  '/script': (response, request, server) => {
    const script = server.requests.at(-1)!.query['script']!.split(',')
    const turn = server.requests.filter(({ path }) => path === '/script').length - 1
    routes[`/${script[Math.min(turn, script.length - 1)]}`]!(response, request, server)
  },
}

/** A server on loopback that does everything that a server of event streams should not do. */
export class MisbehavingServer {
  readonly requests: SeenRequest[] = []
  /** Another origin, for redirects. */
  elsewhere = ''
  beat: (part?: string) => void = () => {}
  cut: () => void = () => {}
  readonly #server: Server
  #open = 0

  private constructor() {
    this.#server = createServer((request, response) => {
      const url = new URL(request.url!, 'http://x')
      this.requests.push({
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
      })
      this.#open++
      response.once('close', () => this.#open--)
      response.on('error', () => {})
      routes[url.pathname]!(response, request, this)
    })
  }

  static async start(): Promise<MisbehavingServer> {
    const server = new MisbehavingServer()
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  /** How many answers are under way, which for a stream means: how many sockets are open. */
  get open(): number {
    return this.#open
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Stops listening and cuts everything. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
