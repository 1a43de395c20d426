import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatList, itemKey, type ListItem, type ListOptions } from '../../src/index.ts'

async function listed<Item extends ListItem>(items: Iterable<Item>, options: ListOptions<Item>) {
  const list = formatList(items, options)
  let text = ''
  for await (const piece of list) text += piece
  return { text, count: list.count, leftOut: list.leftOut }
}

const keys = (...all: string[]) => all.map((key) => ({ key }))

const rpz = { format: 'rpz', zone: 'rpz.example', serial: 7 } as const

const rpzHead = `$TTL 300
$ORIGIN rpz.example.
@ IN SOA localhost. hostmaster.localhost. 7 3600 600 604800 300
@ IN NS localhost.
`

test('plain has one value per line, with keys of every kind and any other text', async () => {
  const { text, count } = await listed(
    keys(
      'domain-name:evil.example',
      'ipv6-addr:2001:db8::1',
      'url:http://evil.example/#a',
      'http://x.example/',
    ),
    { format: 'plain', comments: ['Blocked', ''] },
  )
  expect(text).toBe('# Blocked\n#\nevil.example\n2001:db8::1\nhttp://evil.example/#a\nhttp://x.example/\n')
  expect(count).toBe(4)
})

test('plain leaves out what a reader would take for a comment or another value, with the reason', async () => {
  const { text, leftOut } = await listed(
    keys(
      'text:# all',
      'text:;x',
      'text://x',
      'text:a # b',
      'text: a',
      'a\nb',
      'a\u2028b',
      'a\0',
      '\u202eelpmaxe.live',
    ),
    { format: 'plain' },
  )
  expect(text).toBe('')
  expect(leftOut.count).toBe(9)
  expect(leftOut.examples[5]).toEqual({
    key: 'a\\u000ab',
    reason: 'it contains a line break or another control character',
  })
})

test('csv has the requested columns, quoted by RFC 4180', async () => {
  const { text } = await listed(
    [
      { key: 'text:say "hi", all', score: 80 },
      { key: 'md5:', score: undefined },
    ],
    {
      format: 'csv',
      columns: { value: ({ key }) => key.slice(5), score: ({ score }) => score },
    },
  )
  expect(text).toBe('value,score\r\n"say ""hi"", all",80\r\n"",""\r\n')
})

test('csv leaves out a formula unless only programs read the file, and never changes one', async () => {
  const items = keys(
    'text:=cmd',
    'text:+1+1',
    'text:-x',
    'text:@x',
    'text: =x',
    'text:＝x',
    'text:+49 30 123',
    'text:a;=x',
  )
  const safe = await listed(items, { format: 'csv', header: false })
  expect(safe.text).toBe('"+49 30 123"\r\n"a;=x"\r\n')
  expect(safe.leftOut.count).toBe(6)
  const kept = await listed(items, { format: 'csv', header: false, formulas: 'keep' })
  expect(kept.leftOut.count).toBe(0)
  expect(kept.text.split('\r\n')[0]).toBe('"=cmd"')
})

test('json-lines fits every text, in a line that no reader breaks', async () => {
  const items = keys('a\nb\r\u2028\u2029\u0085\0', '\ud800', 'é')
  const { text, count } = await listed(items, { format: 'json-lines' })
  expect(count).toBe(3)
  expect(text.split(/[\n\r\u2028\u2029\u0085]/)).toHaveLength(4)
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(items)
  const bad = await listed([{ key: 'big', size: 1n }], { format: 'json-lines' })
  expect(bad.leftOut).toMatchObject({
    count: 1,
    examples: [{ key: 'big', reason: 'it cannot be written as JSON' }],
  })
})

test('hosts has only domains, and no name of the machine', async () => {
  const { text, leftOut } = await listed(
    keys(
      'domain-name:evil.example',
      'ipv4-addr:203.0.113.7',
      'url:http://evil.example/',
      'file:evil.exe',
      'Other.Example.',
      'domain-name:localhost.localdomain',
      'domain-name:com',
      `${'a'.repeat(64)}.example`,
      `${'a.'.repeat(127)}aa`,
    ),
    { format: 'hosts' },
  )
  expect(text).toBe('0.0.0.0 evil.example\n0.0.0.0 other.example\n')
  expect(leftOut.examples.map(({ reason }) => reason)).toEqual([
    'a value of kind ipv4-addr is not a domain',
    'a value of kind url is not a domain',
    'a value of kind file is not a domain',
    "it is the machine's own name",
    'it is a single label, like a top-level domain',
    'a label is longer than 63 characters',
    'it is longer than 253 characters',
  ])
})

test('rpz has names with their subdomains, and addresses and ranges as triggers', async () => {
  const { text } = await listed(
    keys(
      'domain-name:evil.example',
      'ipv4-addr:203.0.113.7',
      'ipv4-addr:203.0.113.0/24',
      'ipv6-addr:2001:db8::1',
      'ipv6-addr:2001:db8::/32',
      'ipv6-addr:::1',
      'ipv6-addr:1:2:3:4:5:6:7:8',
    ),
    rpz,
  )
  expect(text).toBe(`${rpzHead}evil.example CNAME .
*.evil.example CNAME .
32.7.113.0.203.rpz-ip CNAME .
24.0.113.0.203.rpz-ip CNAME .
128.1.zz.db8.2001.rpz-ip CNAME .
32.zz.db8.2001.rpz-ip CNAME .
128.1.zz.rpz-ip CNAME .
128.8.7.6.5.4.3.2.1.rpz-ip CNAME .
`)
})

test('rpz never has a trigger that means more than a name, an address or a range', async () => {
  const { text, leftOut } = await listed(
    keys(
      'domain-name:32.8.8.8.8.rpz-ip',
      'domain-name:good.example.rpz-passthru',
      'ipv4-addr:0.0.0.0/0',
      'domain-name:com',
      `${`${'a'.repeat(62)}.`.repeat(3)}${'a'.repeat(50)}.a`,
      '$ORIGIN evil.example',
      'evil.example CNAME good.example',
      '@',
      '*',
      '"; x',
    ),
    rpz,
  )
  expect(text).toBe(rpzHead)
  expect(leftOut.count).toBe(10)
})

test('refuses an rpz list without a serial, and impossible options, before it reads anything', () => {
  expect(() => formatList([], { format: 'rpz', zone: 'rpz.example' })).toThrow(/serial of an RPZ list/)
  expect(() => formatList([], { ...rpz, serial: 2 ** 32 })).toThrow(/serial/)
  expect(() => formatList([], { ...rpz, zone: 'a b' })).toThrow(/zone of an RPZ list/)
  expect(() => formatList([], { format: 'plain', comments: ['a\nevil.example'] })).toThrow(/one line/)
  expect(() => formatList([], { format: 'hosts', address: '0.0.0.0 good.example\n1' })).toThrow(/address/)
  expect(() => formatList([], { format: 'xml' as 'plain' })).toThrow(/format of a list/)
})

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.domain(),
  fc
    .array(
      fc.constantFrom(
        '\n',
        '\r',
        '\0',
        '"',
        ';',
        ',',
        '#',
        ' ',
        '$ORIGIN',
        '.',
        '*',
        '=',
        '@',
        '(',
        '\\',
        '\u202e',
        '\u2028',
        '\u0085',
        'evil',
        'example',
        'rpz-ip',
        '8',
      ),
    )
    .map((parts) => parts.join('')),
)
const hostileKey = fc.oneof(
  hostile,
  hostile.map((text) => `domain-name:${text}`),
  hostile.map((text) => `text:${text}`),
  fc.ipV6().map((text) => itemKey('ipv6-addr', text)!),
)

/** What a line of each format may be at most. */
const shapes: readonly (readonly [ListOptions, number, RegExp])[] = [
  [{ format: 'plain' }, 1, /^[^#;\s][^\n]*$/],
  [{ format: 'csv', header: false }, 1, /^(?:[\w.:/-]+|"(?:[^"]|"")*")\r$/],
  [{ format: 'json-lines' }, 1, /^\{.*\}$/],
  [{ format: 'hosts' }, 1, /^0\.0\.0\.0 [a-z0-9_.-]+$/],
  [rpz, 2, /^(?:\*\.)?[a-z0-9_.-]+ CNAME \.$/],
]

test.each(shapes)(
  'never lets a value add a line, a record or a comment: %j',
  async (options, maxLines, shape) => {
    const empty = (await listed([], options)).text
    await fc.assert(
      fc.asyncProperty(hostileKey, async (key) => {
        const { text, count, leftOut } = await listed([{ key }], options)
        expect(count + leftOut.count).toBe(1)
        expect(text.startsWith(empty)).toBe(true)
        const lines = text.slice(empty.length).split('\n')
        expect(lines.pop()).toBe('')
        expect(lines.length).toBeLessThanOrEqual(count * maxLines)
        for (const line of lines) {
          expect(line).toMatch(shape)
          expect(line.replace(/\r$/, '')).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
        }
      }),
      { numRuns: 500 },
    )
  },
)

test('passes a million items in pieces, one after another', async () => {
  let taken = 0
  function* items() {
    for (; taken < 1_000_000; taken++) yield { key: `domain-name:host-${taken}.example` }
  }
  const list = formatList(items(), { format: 'plain' })
  let longest = 0
  let ahead = 0
  let told = 0
  for await (const piece of list) {
    longest = Math.max(longest, piece.length)
    ahead = Math.max(ahead, taken - told)
    told = list.count
  }
  expect(list.count).toBe(1_000_000)
  expect(longest).toBeLessThan(70_000)
  expect(ahead).toBeLessThan(10_000)
})
