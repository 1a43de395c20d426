import { z } from 'zod'
import { Secret } from '../util/secret.ts'

/** A proxy's URL. A secret, because it often contains a password. `host:port` means `http://host:port`. */
export function proxyUrl() {
  return z.string().transform((text, context) => {
    const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim()) ? text.trim() : `http://${text.trim()}`
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      context.addIssue({ code: 'custom', message: 'must be the URL of an http or https proxy' })
      return z.NEVER
    }
    return new Secret(address)
  })
}
