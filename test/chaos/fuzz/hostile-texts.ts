import * as fc from 'fast-check'

/** No message may contain it, because received values are never shown. */
export const canary = 'Zq7-canary-9Xv'

const megabyte = 1_048_576

/** Values that people, templates, and attackers use in place of a setting. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\t\n',
    `\0${canary}`,
    `${canary}\0`,
    canary,
    `"${canary}"`,
    `${canary}\r\nX-Injected: 1`,
    '__proto__',
    'constructor',
    'hasOwnProperty',
    '{"__proto__":{"polluted":1}}',
    '[["__proto__",1]]',
    '{{ lookup }}',
    '${HOME}',
    '$(id)',
    '<%= x %>',
    '%s%n',
    'ChangeMe',
    'changeme ',
    'null',
    'undefined',
    'true ',
    'yes',
    '１２',
    '٣',
    'ｔｒｕｅ',
    'http://‮evil',
    'http://[::1',
    'https://user:pass@host:99999/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    '../../../../etc/passwd',
    '/dev/zero',
    '/proc/self/mem',
    '-----BEGIN CERTIFICATE-----',
    '0x10',
    '1e3',
    '-1',
    '-0',
    '0.1',
    '1e400',
    '-1e400',
    'NaN',
    'Infinity',
    '9007199254740993',
    '9'.repeat(400),
    'P99999999999Y',
    '\ud800',
    '\uFEFFtrue',
  ),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth)),
  fc.integer({ min: 1, max: 5000 }).map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
  fc
    .tuple(
      fc.constantFrom('a', ' ', '\r\n', '/', ',', '1', '=', ':;', '"', '\\', '{', 'é'),
      fc.integer({ min: 1, max: megabyte }),
    )
    .map(([unit, length]) => unit.repeat(Math.ceil(length / unit.length))),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.json({ maxDepth: 3 }),
  fc.double().map(String),
  fc.bigInt().map(String),
)
