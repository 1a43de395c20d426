import { pairs } from './commit-script.ts'
import { RedisScript } from './redis-script.ts'

/** Reads rows of a hash, not too many at a time for Lua's stack. */
const rowsOf = `
local function rowsOf(hash, keys)
  local rows = {}
  for from = 1, #keys, 1000 do
    for _, row in ipairs(redis.call('HMGET', hash, unpack(keys, from, math.min(from + 999, #keys)))) do
      rows[#rows + 1] = row
    end
  end
  return rows
end
`

/**
 * A page of rows in the order of their keys. KEYS: sorted set, hash. ARGV: bounds, maximum. Returns keys, rows, and the
 * number of resets.
 */
export const pageScript = new RedisScript(`${rowsOf}
local keys = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
return { keys, rowsOf(KEYS[2], keys), redis.call('HGET', KEYS[2], '\\0epoch') }`)

/** The same by score: ARGV: greatest score, maximum. */
export const scoredPageScript = new RedisScript(`${rowsOf}
local keys = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
return { keys, rowsOf(KEYS[2], keys), redis.call('HGET', KEYS[2], '\\0epoch') }`)

/** The same for a sorted set of pairs, whose second texts are the keys. */
export const secondPageScript = new RedisScript(`${pairs}${rowsOf}
local keys = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
for index, pair in ipairs(keys) do
  local _, second = splitPair(pair)
  keys[index] = second
end
return { keys, rowsOf(KEYS[2], keys), redis.call('HGET', KEYS[2], '\\0epoch') }`)

/** A page of claims by pairs of key and entity: those are the reverse of the fields. */
export const claimsOnScript = new RedisScript(`${pairs}${rowsOf}
local places = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local fields = {}
for index, place in ipairs(places) do
  local key, entity = splitPair(place)
  fields[index] = pairOf(entity, key)
end
return { places, rowsOf(KEYS[2], fields) }`)

/**
 * A page of dead letters. KEYS: sorted set of ids, beginning of the keys of letters. ARGV: id after which the page
 * begins, or \`newest\`; maximum; names of the fields. Returns ids and their values.
 */
export const lettersScript = new RedisScript(`
local ids
if ARGV[1] == 'newest' then
  ids = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[2] - 1)
else
  ids = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
end
local letters = {}
for index, id in ipairs(ids) do letters[index] = redis.call('HMGET', KEYS[2] .. id, unpack(ARGV, 3)) end
return { ids, letters }`)
