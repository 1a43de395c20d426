import { type RedisKeys } from './redis-keys.ts'
import { RedisScript } from './redis-script.ts'

/** KEYS of {@link commitScript} and {@link requestReplayScript}: these, then the keys of the fence. */
export function commitKeysOf(keys: RedisKeys, writer: string): string[] {
  return [
    keys.meta,
    keys.writer(writer),
    keys.values,
    keys.valueNames,
    keys.entities,
    keys.entityKeys,
    keys.entityIds,
    keys.expiries,
    keys.claims,
    keys.claimsOf,
    keys.claimsOn,
    keys.items,
    keys.itemKeys,
    keys.itemIds,
    keys.departures,
    keys.letters,
    keys.replays,
    keys.lettersOf,
    keys.letter,
  ]
}

/** Redis has local variables for at most 200 names, and our names follow {@link commitKeysOf}. */
const names = `
local meta, writer, values, valueNames, entities, entityKeys, entityIds, expiries,
  claims, claimsOf, claimsOn, items, itemKeys, itemIds, departures, letters, replays, lettersOf, letter = unpack(KEYS)
local fence = 19
local call = redis.call
`

/** Pairs as in redis-keys.ts, and the target's id in a row as in redis-rows.ts. */
export const pairs = `
local function escaped(text) return (string.gsub(text, '%z', '\\0\\2')) end
local function pairOf(first, second) return escaped(first) .. '\\0\\1' .. second end
local function splitPair(pair)
  local at = string.find(pair, '\\0\\1', 1, true)
  return (string.gsub(string.sub(pair, 1, at - 1), '%z\\2', '\\0')), string.sub(pair, at + 2)
end
local function indexedId(row)
  if string.sub(row, 1, 1) == '0' then return nil end
  return (splitPair(string.sub(row, 2)))
end
`

/**
 * Makes all changes or none: everything is checked before the first write.
 *
 * ARGV: number of this commit; number of the last one that was confirmed to this writer; number of values of the fence;
 * those values; then the changes: a letter each, and what belongs to it.
 *
 * Returns `done`; `lost` if the fence does not hold; `late` if a newer commit of this writer was made before; `behind` if
 * Redis has lost a commit that it confirmed.
 */
export const commitScript = new RedisScript(`${names}${pairs}
for index = 1, tonumber(ARGV[3]) do
  if call('GET', KEYS[fence + index]) ~= ARGV[3 + index] then return 'lost' end
end
local number = tonumber(ARGV[1])
local before = call('HMGET', writer, 'number', 'letters')
local last = tonumber(before[1]) or 0
if last >= number then return 'late' end
if last < tonumber(ARGV[2]) then return 'behind' end
local lettersBefore = tonumber(before[2]) or 0
local lettersNow = lettersBefore

local place = 3 + tonumber(ARGV[3])
local function argument()
  place = place + 1
  return ARGV[place]
end

local function put(rows, order, ids, key, row)
  local old = call('HGET', rows, key)
  local id = indexedId(row)
  if old then
    local oldId = indexedId(old)
    if oldId and oldId ~= id then call('ZREM', ids, pairOf(oldId, key)) end
    if oldId == id then id = nil end
  else
    call('ZADD', order, 0, key)
  end
  if id then call('ZADD', ids, 0, pairOf(id, key)) end
  call('HSET', rows, key, row)
  return old
end

local function remove(rows, order, ids, key)
  local old = call('HGET', rows, key)
  if not old then return end
  local oldId = indexedId(old)
  if oldId then call('ZREM', ids, pairOf(oldId, key)) end
  call('HDEL', rows, key)
  call('ZREM', order, key)
end

local function placeOf(position)
  local ms, seq = string.match(position or '', '^(%d+)-(%d+)$')
  if not ms or #ms > 15 or #seq > 15 then return nil end
  return tonumber(ms), tonumber(seq)
end
local function isEarlier(one, other)
  local ms, seq = placeOf(one)
  local otherMs, otherSeq = placeOf(other)
  if not ms or not otherMs then return false end
  return ms < otherMs or (ms == otherMs and seq < otherSeq)
end

local change = {
  V = function()
    local name = argument()
    if call('HSET', values, name, argument()) == 1 then call('ZADD', valueNames, 0, name) end
  end,
  v = function()
    local name = argument()
    call('HDEL', values, name)
    call('ZREM', valueNames, name)
  end,
  F = function()
    call('HSET', entities, '\\0epoch', argument())
    call('UNLINK', departures)
  end,
  E = function()
    local key, row, expiry = argument(), argument(), argument()
    local old = put(entities, entityKeys, entityIds, key, row)
    if expiry ~= '' then call('ZADD', expiries, expiry, key)
    elseif old then call('ZREM', expiries, key) end
  end,
  e = function()
    local key = argument()
    remove(entities, entityKeys, entityIds, key)
    call('ZREM', expiries, key)
  end,
  C = function()
    local entity, key, item = argument(), argument(), argument()
    local place = pairOf(entity, key)
    if call('HSET', claims, place, item) == 1 then
      call('ZADD', claimsOf, 0, place)
      call('ZADD', claimsOn, 0, pairOf(key, entity))
    end
  end,
  c = function()
    local entity, key = argument(), argument()
    local place = pairOf(entity, key)
    call('HDEL', claims, place)
    call('ZREM', claimsOf, place)
    call('ZREM', claimsOn, pairOf(key, entity))
  end,
  I = function()
    local key = argument()
    put(items, itemKeys, itemIds, key, argument())
  end,
  i = function() remove(items, itemKeys, itemIds, argument()) end,
  D = function()
    local key = argument()
    call('HSET', departures, key, argument())
  end,
  d = function() call('HDEL', departures, argument()) end,
  L = function()
    local sequence, key, count = tonumber(argument()), argument(), tonumber(argument())
    local fields = {}
    for index = 1, count do fields[index] = argument() end
    if sequence <= lettersBefore then return end
    lettersNow = math.max(lettersNow, sequence)
    local id = call('HINCRBY', meta, 'lastLetter', 1)
    call('HSET', letter .. id, unpack(fields))
    call('ZADD', letters, id, id)
    if key ~= '' then call('ZADD', lettersOf, 0, pairOf(key, id)) end
  end,
  U = function()
    local id, attempts, lastAtMs, message, answered = argument(), argument(), argument(), argument(), argument()
    if call('EXISTS', letter .. id) == 0 then return end
    call('HSET', letter .. id, 'attempts', attempts, 'lastAtMs', lastAtMs, 'error', message)
    if answered ~= '' and call('HGET', letter .. id, 'replay') == answered then
      call('HDEL', letter .. id, 'replay')
      call('ZREM', replays, id)
    end
  end,
  O = function()
    local key, position = argument(), argument()
    local first = escaped(key)
    for _, pair in ipairs(call('ZRANGEBYLEX', lettersOf, '[' .. first .. '\\0\\1', '(' .. first .. '\\0\\2')) do
      local _, id = splitPair(pair)
      if isEarlier(call('HGET', letter .. id, 'position'), position) then
        call('HSET', letter .. id, 'outdatedBy', position)
      end
    end
  end,
  R = function()
    local id = argument()
    local key = call('HGET', letter .. id, 'key')
    if key then call('ZREM', lettersOf, pairOf(key, id)) end
    call('UNLINK', letter .. id)
    call('ZREM', letters, id)
    call('ZREM', replays, id)
  end,
  X = function()
    local parts = {}
    for index = 1, tonumber(argument()) do parts[index] = argument() end
    call(unpack(parts))
  end,
}

while place < #ARGV do change[argument()]() end
if lettersNow > lettersBefore then call('HSET', writer, 'letters', lettersNow) end
call('HSET', writer, 'number', number)
call('EXPIRE', writer, 2592000)
return 'done'`)

/**
 * ARGV: kind of request; then ids, or none for all. Returns how many letters are requested. Once forced, always forced.
 */
export const requestReplayScript = new RedisScript(`${names}
local kind = ARGV[1]
local ids = {}
if #ARGV == 1 then ids = call('ZRANGE', letters, 0, -1) end
for index = 2, #ARGV do ids[index - 1] = ARGV[index] end
local count = 0
for _, id in ipairs(ids) do
  if call('HEXISTS', letter .. id, 'key') == 1 then
    if kind == 'forced' or call('HGET', letter .. id, 'replay') ~= 'forced' then
      call('HSET', letter .. id, 'replay', kind)
    end
    call('ZADD', replays, id, id)
    count = count + 1
  end
end
return count`)

/**
 * Takes the state for a connector. KEYS as before. ARGV: version of the data; number of values of the fence; those values.
 * Returns whether there was nothing before, the version of the data, and the number of resets; or `lost`.
 */
export const openScript = new RedisScript(`${names}
for index = 1, tonumber(ARGV[2]) do
  if call('GET', KEYS[fence + index]) ~= ARGV[2 + index] then return 'lost' end
end
local version = call('HGET', meta, 'version')
if not version then call('HSET', meta, 'version', ARGV[1]) end
return { version and 0 or 1, tonumber(version or ARGV[1]), tonumber(call('HGET', entities, '\\0epoch')) or 0 }`)
