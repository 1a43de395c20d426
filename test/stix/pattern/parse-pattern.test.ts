import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePattern } from '../../../src/stix/pattern/parse-pattern.ts'
import {
  type PathStep,
  type PatternComparison,
  type PatternExpression,
  type PatternLiteral,
} from '../../../src/stix/pattern/pattern.ts'
import { patternText, withoutPlaces } from '../pattern-text.ts'

const parsed = (text: string): PatternExpression => {
  const result = parsePattern(text)
  if (!result.ok) throw new Error(`${result.problem.offset}: ${result.problem.message}: ${text}`)
  return result.pattern
}

/** What section 9 of STIX 2.1 shows: each of its forms at least once. */
const valid = [
  "[file:hashes.'SHA-256' = '00aa']",
  "[email-message:from_ref.value MATCHES '.+\\\\@a\\\\.example$' AND email-message:body_multipart[*].body_raw_ref.name MATCHES '^Final.+\\\\.exe$']",
  "[file:hashes.'SHA-256' = 'aa' AND file:mime_type = 'application/x-pdf']",
  "[file:hashes.'SHA-256' = 'aa' OR file:hashes.MD5 = 'bb'] AND [file:hashes.'SHA-1' = 'cc']",
  "([file:hashes.MD5 = 'aa'] FOLLOWEDBY [windows-registry-key:key = 'HKLM\\\\foo\\\\bar']) WITHIN 300 SECONDS",
  "[user-account:account_type = 'unix' AND user-account:user_id = '1007'] AND [user-account:user_id = '1008']",
  "[file:name = 'foo.dll' AND file:parent_directory_ref.path = 'C:\\\\Windows\\\\System32']",
  "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]",
  "[file:mime_type = 'image/bmp' AND file:magic_number_hex = h'ffd8']",
  "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '203.0.113.33/32']",
  "[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'a.example'] REPEATS 5 TIMES WITHIN 1800 SECONDS",
  "[domain-name:value = 'a.example' AND domain-name:resolves_to_refs[*].value = '198.51.100.1/32']",
  "[(file:name = 'pdf.exe' OR file:size = 371712) AND file:created = t'2014-01-13T07:03:17Z']",
  "[network-traffic:dst_ref.value ISSUBSET '2001:db8::/64']",
  "[network-traffic:dst_ref.value NOT ISSUPERSET '2001:db8::/64']",
  "([file:name = 'foo.dll'] AND [windows-registry-key:key = 'HKLM\\\\x']) OR [process:name = 'a' OR process:name = 'b']",
  "[process:command_line MATCHES'^.+$'] FOLLOWEDBY [process:command_line LIKE '%x_'] WITHIN 2.5 SECONDS",
  "[a:b = 1] START t'2016-06-01T01:30:00.123Z' STOP t'2016-06-01T02:20:00.123Z'",
  '[network-traffic:dst_port IN(443,6443,8443) AND network-traffic:src_packets != 0]',
  "[artifact:payload_bin = b'dGVzdA==' OR artifact:payload_bin = b'']",
  '[a:b = true OR a:b = false OR a:b = -5 OR a:b = +0.25 OR a:b = .5]',
  '[NOT EXISTS a:b OR EXISTS a:b[0].c]',
  "[a:b NOT = 1 OR a:b NOT != 1 OR a:b NOT < 1 OR a:b NOT LIKE 'x']",
  "[a:b == 1 OR a:b <> 1 OR a:b >= 1 OR a:b <= t'2016-06-01T01:30:00Z']",
  "[file:hashes.SHA-256 = 'aa']",
  '[a:b IN ()]',
]

/** What does not follow the grammar, and where that shows. */
const invalid: readonly (readonly [string, number])[] = [
  ['', 0],
  ["ipv4-addr:value = '1'", 0],
  ['[file:size = ]', 13],
  ['[file:name = abc]', 13],
  ['[file.size = 1]', 5],
  ['[file:name MATCHES /x/]', 19],
  ["[a:b = '1'] WITHIN ]", 19],
  ["[a:b = '1'] WITHIN 5 HOURS", 21],
  ["[a:b = '1'] WITHIN -5 SECONDS", 19],
  ["[a:b = '1'] REPEATS 0 TIMES", 12],
  ["[a:b = '1'] REPEATS 1.5 TIMES", 20],
  ["[a:b =? '1']", 6],
  ["[a:b = t'2457-73-22T32:81:84.1Z']", 7],
  ["[a:b = b'====']", 7],
  ["[a:b = h'abc']", 7],
  ['[a:b = 1] within 2 seconds', 10],
  ['[a:b = 1] or [a:b = 2]', 10],
  ["[a:b = 'c\\d']", 9],
  ["[a:b = 'c", 7],
  ['[a:b = 1', 8],
  ['([a:b = 1]', 10],
  ['[a:b = 1])', 9],
  ['[a:b < true]', 7],
  ['[a:b IN (1,)]', 11],
  ['[a:b IN 1]', 8],
  ['[a:b[x] = 1]', 5],
  ['[a:b NOT EXISTS]', 9],
  ['[NOT a:b = 1]', 5],
  ['[a:b = 1] /* open', 10],
  ['[a:b = 01]', 8],
]

test.each(valid)('reads %s', (text) => {
  const pattern = parsed(text)
  expect(withoutPlaces(parsed(patternText(pattern)))).toEqual(withoutPlaces(pattern))
})

test.each(invalid)('refuses %j and names the place', (text, offset) => {
  const result = parsePattern(text)
  expect(result).toMatchObject({
    ok: false,
    problem: { code: 'syntax', offset, line: 1, column: offset + 1 },
  })
})

const observation = (value: number) => `[a:b = ${value}]`

test('AND binds more than OR, and OR more than FOLLOWEDBY', () => {
  expect(withoutPlaces(parsed([1, 2, 3, 4].map(observation).join(' OR ').replace('OR', 'AND')))).toEqual(
    withoutPlaces(parsed(`([a:b = 1] AND [a:b = 2]) OR [a:b = 3] OR [a:b = 4]`)),
  )
  expect(parsed('[a:b=1] FOLLOWEDBY [a:b=2] OR [a:b=3] AND [a:b=4]')).toMatchObject({
    kind: 'followed-by',
    operands: [{ kind: 'observation' }, { kind: 'or', operands: [{}, { kind: 'and' }] }],
  })
  expect(parsed('[a:b=1 OR a:b=2 AND a:b=3]')).toMatchObject({
    comparison: { kind: 'any', operands: [{ offset: 1 }, { kind: 'all', offset: 10 }] },
  })
})

test('a qualifier belongs to the observation before it', () => {
  expect(parsed('[a:b=1] AND [a:b=2] WITHIN 5 SECONDS')).toMatchObject({
    kind: 'and',
    operands: [{ kind: 'observation' }, { kind: 'qualified', qualifiers: [{ kind: 'within', seconds: 5 }] }],
  })
})

test('unescapes quotes and backslashes, and nothing else', () => {
  expect(parsed("[a:b = 'it\\'s C:\\\\x \" -- /* no comment */']")).toMatchObject({
    comparison: { value: { kind: 'string', value: 'it\'s C:\\x " -- /* no comment */' } },
  })
})

test('reports line and column over several lines', () => {
  const result = parsePattern("[a:b = 1\n  OR a:b = // a comment\n  'x\\y']")
  expect(result).toMatchObject({ problem: { line: 3, column: 5 } })
})

describe('a generated pattern', () => {
  const name = fc.oneof(fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/), fc.string({ maxLength: 6 }))
  const whole = fc.integer({ min: 0, max: 1e9 })
  const time = fc.constantFrom('2016-06-01T01:30:00Z', '2026-12-31T23:59:59.999Z')
  const literal: fc.Arbitrary<PatternLiteral> = fc.oneof(
    fc.record({ kind: fc.constant('string' as const), value: fc.string({ unit: 'binary', maxLength: 12 }) }),
    fc.integer().map((value) => ({ kind: 'integer' as const, value, text: String(value) })),
    fc.record({ kind: fc.constant('boolean' as const), value: fc.boolean() }),
    fc.record({ kind: fc.constant('timestamp' as const), value: time }),
    fc.constantFrom<PatternLiteral>(
      { kind: 'hex', value: 'ffD8' },
      { kind: 'binary', value: 'dGVzdA==' },
      { kind: 'float', value: -0.5, text: '-.5' },
    ),
  )
  const path = fc.record({
    type: fc.stringMatching(/^x-[a-z][a-z0-9-]{0,8}$/),
    steps: fc
      .tuple(
        name.map((text) => ({ kind: 'property' as const, name: text })),
        fc.array<PathStep>(
          fc.oneof(
            name.map((text) => ({ kind: 'property' as const, name: text })),
            whole.map((index) => ({ kind: 'index' as const, index })),
            fc.constant({ kind: 'any' as const }),
          ),
          { maxLength: 3 },
        ),
      )
      .map(([first, rest]): readonly PathStep[] => rest.toSpliced(0, 0, first)),
  })
  const negated = fc.boolean()
  const offset = fc.constant(0)
  const comparison = (depth: number): fc.Arbitrary<PatternComparison> => {
    const leaf = fc.oneof(
      fc.record({
        kind: fc.constant('comparison' as const),
        path,
        negated,
        operator: fc.constantFrom('=' as const, '!=' as const),
        value: literal,
        offset,
      }),
      fc.record({
        kind: fc.constant('in' as const),
        path,
        negated,
        values: fc.array(literal, { maxLength: 3 }),
        offset,
      }),
      fc.record({ kind: fc.constant('exists' as const), path, negated, offset }),
    )
    if (depth === 0) return leaf
    // Lists of the same kind within one another are written the same as one list.
    const list = (kind: 'all' | 'any') =>
      fc
        .array(comparison(depth - 1), { minLength: 2, maxLength: 3 })
        .filter((operands) => operands.every((operand) => operand.kind !== kind))
        .map((operands) => ({ kind, operands, offset: 0 }))
    return fc.oneof(leaf, list('all'), list('any'))
  }
  const expression = (depth: number): fc.Arbitrary<PatternExpression> => {
    const leaf = comparison(2).map((inner) => ({
      kind: 'observation' as const,
      comparison: inner,
      offset: 0,
    }))
    if (depth === 0) return leaf
    const list = (kind: 'and' | 'or' | 'followed-by') =>
      fc
        .array(expression(depth - 1), { minLength: 2, maxLength: 3 })
        .map((operands) => ({ kind, operands, offset: 0 }))
    const qualifier = fc.oneof(
      fc.record({ kind: fc.constant('within' as const), seconds: fc.integer({ min: 1, max: 1e6 }), offset }),
      fc.record({ kind: fc.constant('repeats' as const), times: fc.integer({ min: 1, max: 1e6 }), offset }),
      fc.record({ kind: fc.constant('start-stop' as const), start: time, stop: time, offset }),
    )
    const qualified = fc.record({
      kind: fc.constant('qualified' as const),
      operand: expression(depth - 1).filter((operand) => operand.kind !== 'qualified'),
      qualifiers: fc.array(qualifier, { minLength: 1, maxLength: 2 }),
      offset,
    })
    return fc.oneof(leaf, list('and'), list('or'), list('followed-by'), qualified)
  }

  test('parses back to its source, whatever white space and comments are in between', () => {
    const gaps = fc.constantFrom(' ', '\n\t', '  ', " /* c ] ' */ ", ' // to the end\r\n', '\u00A0', '\u0085')
    fc.assert(
      fc.property(expression(2), fc.infiniteStream(gaps), (pattern, between) => {
        const text = patternText(pattern, () => between.next().value)
        expect(withoutPlaces(parsed(text))).toEqual(withoutPlaces(pattern))
      }),
      { numRuns: 300 },
    )
  })
})

describe('an input', () => {
  const token = fc.constantFrom(
    ..."[ ] ( ) ' \\ a:b = != AND OR NOT IN FOLLOWEDBY 1 'x' , EXISTS WITHIN SECONDS . [*] // /* */ t' h' b' -".split(
      ' ',
    ),
    '\n',
    ' ',
    '\uFEFF',
    '\u0000',
  )

  test('never makes it throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(token).map((parts) => parts.join('')),
          fc.string({ unit: 'binary' }),
        ),
        (text) => {
          const result = parsePattern(text)
          if (!result.ok) {
            expect(result.problem.offset).toBeLessThanOrEqual(text.length)
            expect(result.problem.line).toBeGreaterThan(0)
            expect(result.problem.column).toBeGreaterThan(0)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['(', ')'],
    ['[(', ')]'],
  ])('never overflows the stack: %s a hundred thousand times', (open, close) => {
    const text = `${open}${'('.repeat(100_000)}[a:b=1]${')'.repeat(100_000)}${close}`
    expect(parsePattern(text)).toMatchObject({ ok: false, problem: { code: 'too-deep' } })
  })

  test('of sixty-four parentheses is not too deep', () => {
    expect(parsePattern(`${'('.repeat(64)}[a:b=1]${')'.repeat(64)}`).ok).toBe(true)
    expect(parsePattern(`${'('.repeat(65)}[a:b=1]${')'.repeat(65)}`).ok).toBe(false)
  })

  const million = 1_000_000
  test.each([
    [
      'one long list',
      `[${Array.from({ length: 30_000 }, () => "ipv4-addr:value = '192.0.2.1'").join(' OR ')}]`,
    ],
    ['many observations', Array.from({ length: 60_000 }, () => '[a:b = 12345]').join(' AND ')],
    ['a long string', `[a:b = '${'x'.repeat(million)}']`],
    ['escapes', `[a:b = '${"\\'".repeat(million / 2)}']`],
    ['an open string', `[a:b = '${'\\\\'.repeat(million / 2)}`],
    ['hexadecimal', `[a:b = h'${'ab'.repeat(million / 2)}']`],
    ['digits', `[a:b = ${'1'.repeat(million)}]`],
    ['decimal digits', `[a:b = ${'.1'.repeat(million / 2)}]`],
    ['a word', `[${'a'.repeat(million)}`],
    ['steps', `[a:b${'.c'.repeat(million / 2)} = 1]`],
    ['open comments', '/*'.repeat(million / 2)],
    ['line comments', `${'//\n'.repeat(million / 3)}[a:b = 1]`],
    ['white space', `[a:b =${' \u00A0'.repeat(million / 2)}1]`],
    ['NOT', `[${'NOT '.repeat(million / 4)}`],
    ['a set', `[a:b IN (${Array.from({ length: 200_000 }, () => "'x'").join(',')})]`],
  ])('of a million characters takes only a moment: %s', (_, text) => {
    const start = process.cpuUsage()
    parsePattern(text)
    // About 40 ms here; a pass that looked back at every character would take minutes.
    expect(process.cpuUsage(start).user).toBeLessThan(2_000_000)
  })
})
