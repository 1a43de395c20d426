import { z } from 'zod'
import { Secret } from './secret.ts'

/** The address of a proxy. It often carries a password, so it is a secret. `host:port` means `http://host:port`. */
export function proxyUrl() {
  return z.string().transform((text, context) => {
    const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim()) ? text.trim() : `http://${text.trim()}`
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      context.addIssue({ code: 'custom', message: 'must be the address of an http or https proxy' })
      return z.NEVER
    }
    return new Secret(address)
  })
}

/**
 * Whether `url` is to be reached without a proxy: an entry of `NO_PROXY` is `*`, a host, a domain (`.example.com` or
 * `example.com`, with everything below it), any of them with a port.
 */
export function isProxyExempt(url: URL, noProxy: readonly string[]): boolean {
  const host = bare(url.hostname)
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return noProxy.some((entry) => {
    const [, name = '', entryPort] = /^(\[[^\]]+\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry.trim()) ?? []
    const domain = bare(name).replace(/^\*?\./, '')
    if (entryPort !== undefined && entryPort !== port) return false
    return domain === '*' || (domain !== '' && (host === domain || host.endsWith(`.${domain}`)))
  })
}

function bare(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '')
}
