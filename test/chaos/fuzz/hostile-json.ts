import * as fc from 'fast-check'

/** JSON texts that break careless parsers and readers. */
export const hostileJson: fc.Arbitrary<string> = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    'null',
    '""',
    '[]',
    '{}',
    '1e999',
    '-0',
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"data":{"id":"a","id":"b","type":"x","type":"y"},"data":null}',
    '{"data":{"__proto__":{"id":"indicator--1","type":"indicator"}}}',
    '{"data":{"id":"indicator--\\u0000","type":"indicator"}}',
    '{"data":{"id":"indicator--1","type":"__proto__"}}',
    '{"data":{"id":"\\ud800","type":"indicator"}}',
    '{"data":{"id":"indicator--1","type":"indicator","extensions":{"__proto__":null}}}',
    '{"data":{"id":"indicator--1","type":"indicator","toString":1,"valueOf":1,"toJSON":1}}',
    '{"data":{"id":"indicator--1","type":"indicator","pattern":null,"pattern_type":7,"valid_until":{}}}',
    '{"type":"merge","data":{"id":"indicator--1","type":"indicator"},"context":{"sources":[{"id":"indicator--1"}]}}',
    '{"data":',
  ),
  fc
    .tuple(fc.constantFrom('[', '{"data":', '{"a":['), fc.integer({ min: 1, max: 20_000 }))
    .map(([open, depth]) => open.repeat(depth)),
  fc
    .integer({ min: 1, max: 8000 })
    .map(
      (depth) =>
        `{"data":{"id":"malware--deep","type":"malware","x":${'['.repeat(depth)}${']'.repeat(depth)}}}`,
    ),
  fc
    .integer({ min: 1, max: 100_000 })
    .map((length) => `{"data":{"id":"${'9'.repeat(length)}","type":"malware"}}`),
)
