import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** PEM text of a certificate and its key. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

/** An authority with a server and a client below it, all fresh. `key` of the client is locked with `passphrase`. */
export interface Certificates {
  readonly ca: string
  readonly server: Pair
  readonly client: Pair
  readonly passphrase: string
}

export function makeCertificates(): Certificates {
  const directory = mkdtempSync(join(tmpdir(), 'certificates-'))
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const read = (name: string) => readFileSync(join(directory, name), 'utf8')
  const passphrase = 'open sesame'
  try {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    openssl(
      'req',
      '-x509',
      ...curve,
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=Test authority',
      '-days',
      '2',
    )
    writeFileSync(join(directory, 'server.ext'), 'subjectAltName = DNS:localhost, IP:127.0.0.1\n')
    writeFileSync(join(directory, 'client.ext'), 'extendedKeyUsage = clientAuth\n')
    for (const name of ['server', 'client']) {
      const lock = name === 'client' ? ['-passout', `pass:${passphrase}`] : ['-nodes']
      openssl(
        'req',
        ...curve,
        ...lock,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      )
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.pem`,
        '-extfile',
        `${name}.ext`,
        '-days',
        '2',
      )
    }
    const pair = (name: string) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) })
    return { ca: read('ca.pem'), server: pair('server'), client: pair('client'), passphrase }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
