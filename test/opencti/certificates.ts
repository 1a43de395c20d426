import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** PEM text of a certificate and its key. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

/** An authority with certificates below it, all fresh. */
export interface Certificates {
  readonly ca: string
  /** For 127.0.0.1 and localhost. */
  readonly server: Pair
  /** As `server`, and its time is over. */
  readonly expired: Pair
  /** As `server`, and its time has not come. */
  readonly early: Pair
  /** For another host. */
  readonly elsewhere: Pair
  /** For a client. `key` is locked with `passphrase`. */
  readonly client: Pair
  readonly passphrase: string
  /** Below no authority: signed by itself, for the hosts of `server` and for clients. */
  readonly selfSigned: Pair
}

const passphrase = 'open sesame'
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
const hosts = 'subjectAltName=DNS:localhost,IP:127.0.0.1'

/** What `openssl ca` needs to be told; unlike `openssl x509` it takes any dates. */
const authority = `[ca]
default_ca = own
[own]
database = issued
new_certs_dir = .
default_md = sha256
policy = names
rand_serial = yes
unique_subject = no
[names]
commonName = supplied
`

/** Days from now, as `openssl ca` reads it. */
function date(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/[-:T]|\.\d+/g, '')}`
}

export function makeCertificates(): Certificates {
  const directory = mkdtempSync(join(tmpdir(), 'certificates-'))
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const read = (name: string) => readFileSync(join(directory, name), 'utf8')
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text)

  const selfSigned = (name: string, extension: string): Pair => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
    openssl('req', '-x509', ...newKey, '-nodes', ...files, '-subj', `/CN=${name}`, '-addext', extension)
    return { cert: read(`${name}.pem`), key: read(`${name}.key`) }
  }
  const request = (name: string, ...lock: string[]) => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.csr`]
    openssl('req', ...newKey, ...lock, ...files, '-subj', `/CN=${name}`)
  }
  const issue = (name: string, extension: string, fromDays = -1, toDays = 2): Pair => {
    write('extension', extension)
    const dates = ['-startdate', date(fromDays), '-enddate', date(toDays)]
    const signer = ['-config', 'authority', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-extfile', 'extension']
    openssl('ca', '-batch', '-notext', ...signer, ...dates, '-in', `${name}.csr`, '-out', `${name}.pem`)
    return { cert: read(`${name}.pem`), key: read(`${name}.key`) }
  }

  try {
    write('authority', authority)
    write('issued', '')
    const { cert: ca } = selfSigned('ca', 'keyUsage=keyCertSign')
    request('server', '-nodes')
    request('client', '-passout', `pass:${passphrase}`)
    return {
      ca,
      server: issue('server', hosts),
      expired: issue('server', hosts, -3, -1),
      early: issue('server', hosts, 1, 2),
      elsewhere: issue('server', 'subjectAltName=DNS:elsewhere.example'),
      client: issue('client', 'extendedKeyUsage=clientAuth'),
      passphrase,
      selfSigned: selfSigned('stranger', hosts),
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
