const cut = 'the connection was dropped; check the proxies in between if this continues'
const slow = 'it did not answer in time; check that it is up and not overloaded'
const strange =
  'its certificate was issued by an unknown authority; set that authority as the CA (OPENCTI_SSL_CA, or opencti.ssl_ca)'
const badProxy = 'the proxy did not open the connection; check OPENCTI_PROXY, its user, and its rules'
const noTls = 'it does not speak TLS on that port; check http:// or https:// in OPENCTI_URL'
const ownCertificate = 'it rejected the client certificate; check OPENCTI_SSL_CERT and OPENCTI_SSL_KEY'

/** What Node, OpenSSL, and undici codes mean to an operator. */
const meanings = new Map<string, string>([
  [
    'ECONNREFUSED',
    'nothing is listening there; check that it is up, and check the host and port in OPENCTI_URL',
  ],
  ['ECONNRESET', cut],
  ['EPIPE', cut],
  ['UND_ERR_SOCKET', cut],
  ['ENOTFOUND', 'the host name does not exist; check OPENCTI_URL'],
  ['EAI_AGAIN', 'the DNS server did not answer; check the network if this continues'],
  ['EHOSTUNREACH', 'there is no route to that host; check the network'],
  ['ENETUNREACH', 'there is no route to that network; check the network'],
  ['ETIMEDOUT', slow],
  ['UND_ERR_CONNECT_TIMEOUT', slow],
  ['UND_ERR_HEADERS_TIMEOUT', slow],
  ['UND_ERR_BODY_TIMEOUT', slow],
  ['UND_ERR_ABORTED', badProxy],
  ['EPROTO', noTls],
  ['ERR_SSL_WRONG_VERSION_NUMBER', noTls],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', noTls],
  [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'it requires a client certificate; set OPENCTI_SSL_CERT and OPENCTI_SSL_KEY',
  ],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', ownCertificate],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', ownCertificate],
  ['CERT_HAS_EXPIRED', 'its certificate has expired; renew it'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet; check the clocks'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host name; check the host in OPENCTI_URL'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', strange],
  ['SELF_SIGNED_CERT_IN_CHAIN', strange],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', strange],
  ['UNABLE_TO_GET_ISSUER_CERT', strange],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', strange],
])

/** Maximum number of causes to follow, in case they form a cycle. */
const maxDepth = 8

/**
 * Explains why a request to the platform failed and what to do, including the code people search for. `fetch`
 * itself only says "fetch failed" or "terminated"; the causes hold the reason.
 */
export function explainNetworkError(error: unknown): string {
  let deepest = error
  for (let depth = 0; depth < maxDepth && deepest instanceof Error; depth++) {
    const { code } = deepest as NodeJS.ErrnoException
    const meaning = typeof code === 'string' ? meanings.get(code) : undefined
    if (meaning !== undefined) return `${meaning} (${code})`
    // This fetch error has no code.
    if (/proxy authentication required/i.test(deepest.message)) return `${badProxy} (HTTP 407)`
    if (deepest.cause === undefined) break
    deepest = deepest.cause
  }
  if (!(deepest instanceof Error)) return String(deepest)
  const { code } = deepest as NodeJS.ErrnoException
  return typeof code === 'string' ? `${deepest.message} (${code})` : deepest.message
}
