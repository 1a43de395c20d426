/** What the codes of Node and undici mean, for people. */
const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the other side cut the connection',
  EPIPE: 'the other side cut the connection',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the name server does not answer',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'nothing came for too long',
  UND_ERR_SOCKET: 'the connection was cut',
  EPROTO: 'the other side does not speak TLS as we do; is it http instead of https?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the other side does not speak TLS; is it http instead of https?',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; give its authority as a CA file',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate comes from an unknown authority; give that authority as a CA file',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate chain is incomplete; give the authority as a CA file',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an unknown authority; give it as a CA file',
}

/** The causes of an error are followed no further than this, in case they go round in a circle. */
const maxDepth = 8

/**
 * Why a request failed, in a few words, with the code that people search for. `fetch` itself says only
 * "fetch failed" or "terminated"; what happened is in the causes.
 */
export function explainNetworkError(error: unknown): string {
  let deepest = error
  for (let depth = 0; depth < maxDepth && deepest instanceof Error; depth++) {
    const code: unknown = (deepest as NodeJS.ErrnoException).code
    if (typeof code === 'string' && meanings[code] !== undefined) return `${meanings[code]} (${code})`
    if (deepest.cause === undefined) break
    deepest = deepest.cause
  }
  if (!(deepest instanceof Error)) return String(deepest)
  const { code } = deepest as NodeJS.ErrnoException
  return typeof code === 'string' ? `${deepest.message} (${code})` : deepest.message
}
