import { request, type Agent } from 'node:http'

/** What an endpoint answered. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Asks an HTTP endpoint, over a connection of its own unless an agent is given. */
export function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string>; agent?: Agent } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, ...options }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** The samples of a text in the format of Prometheus, by name and labels. */
export function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, name, value] = /^(\S+(?:\{.*\})?) (\S+)$/.exec(line)!
    samples.set(name!, value === 'Nan' ? Number.NaN : Number(value))
  }
  return samples
}
