import { createHash } from 'node:crypto'

/** Values for built objects, from ranges reserved for documentation (RFC 5737, RFC 3849, RFC 2606). */
export interface SampleValues {
  readonly ipv4: string
  readonly ipv6: string
  readonly domain: string
  readonly url: string
  readonly email: string
  readonly mac: string
  readonly md5: string
  readonly sha1: string
  readonly sha256: string
  readonly sha512: string
  /** A word to use in a name. */
  readonly word: string
}

const networks = ['192.0.2', '198.51.100', '203.0.113']
const firstHalves = [
  'amber',
  'brisk',
  'cold',
  'dim',
  'ember',
  'frost',
  'grey',
  'hollow',
  'iron',
  'jade',
  'keen',
  'lunar',
]
const secondHalves = [
  'otter',
  'raven',
  'lynx',
  'heron',
  'viper',
  'moth',
  'badger',
  'falcon',
  'wolf',
  'crane',
  'newt',
]

/** Values for a seed. All except `ipv4` (762 addresses) are unique per seed. */
export function sampleValues(seed: number): SampleValues {
  const digest = (algorithm: string) => createHash(algorithm).update(`invented ${seed}`).digest('hex')
  const word = wordOf(seed)
  const domain = `${word}-${seed}.example`
  const hex = digest('md5')
  return {
    ipv4: `${networks[seed % 3]}.${(Math.floor(seed / 3) % 254) + 1}`,
    ipv6: `2001:db8:${(seed >>> 16).toString(16)}:${(seed & 0xffff).toString(16)}::${(hex.charCodeAt(0) % 15) + 1}`,
    domain,
    url: `https://${domain}/${hex.slice(0, 8)}/index.html`,
    email: `${word}@mail-${seed}.example`,
    // The documentation range (RFC 7042), extended with locally administered addresses because it is too
    // small.
    mac: `02:00:5e:${[16, 8, 0].map((shift) => ((seed >>> shift) & 0xff).toString(16).padStart(2, '0')).join(':')}`,
    md5: hex,
    sha1: digest('sha1'),
    sha256: digest('sha256'),
    sha512: digest('sha512'),
    word,
  }
}

/** Two-word name for a seed: `Amber Otter 7`. */
export function sampleName(seed: number): string {
  const [first, second] = wordOf(seed).split('-')
  return `${capital(first!)} ${capital(second!)} ${seed}`
}

function wordOf(seed: number): string {
  const first = firstHalves[seed % firstHalves.length]!
  const second = secondHalves[Math.floor(seed / firstHalves.length) % secondHalves.length]!
  return `${first}-${second}`
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}
