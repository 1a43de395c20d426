import { RedisScript } from '../redis/redis-script.ts'

/*
 * A lease is a key whose value is the name of its holder, and which Redis deletes when the lease is over. Another
 * key has the token of its newest holder, stays, and is what every write checks. Tokens are microseconds of the
 * server's clock, or greater: they grow even if everything was deleted.
 */

/**
 * What a copy does several times per lease, in one step: tells that it is alive, renews all its leases, takes
 * free partitions up to its share and the leadership if nobody has it, and learns about the others.
 *
 * Keys: agreement, copies, reports, tenures, leader, its token, then for each partition its owner and its token.
 * Arguments: the name of the copy; the lease in milliseconds; its report; the generation it has joined (empty to join now); the
 * number of partitions; `lead` if it may lead; `work` if it takes partitions, `wait` if it will, `leave` if it gives all back;
 * its token as leader or empty; then for each of its partitions the number and its token.
 *
 * Answer: `ok` or why not; the generation; the leader; what the leader says once it reads; the own token as
 * leader; the number of copies that work; the partitions taken now, each with its token and, if the former
 * owner did not give it back, since when that one had it, in milliseconds since 1970; all reports; in how many
 * milliseconds the first lease of another copy is over, or -1.
 */
export const heartbeat = new RedisScript(`
local agreement, copies, reports, tenures, leader = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local me, ttl, report, joined, count, lead, mode, mine = unpack(ARGV, 1, 8)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local micros = string.format('%.0f', time[1] * 1000000 + time[2])
local known = redis.call('HGET', agreement, 'partitions')
if joined == '' then
  if not known then
    redis.call('HSET', agreement, 'partitions', count, 'generation', micros)
  elseif known ~= count then
    return {'partitions', known}
  end
end
local generation = redis.call('HGET', agreement, 'generation')
if not generation or (joined ~= '' and joined ~= generation) then return {'over'} end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', copies, '-inf', now - ttl)) do
  redis.call('ZREM', copies, gone)
  redis.call('HDEL', reports, gone)
end
if mode == 'work' or mode == 'wait' then
  redis.call('ZADD', copies, now, me)
  redis.call('HSET', reports, me, report)
else
  redis.call('ZREM', copies, me)
  redis.call('HDEL', reports, me)
end
local function keep(place, token)
  local holder = redis.call('GET', KEYS[place])
  if redis.call('GET', KEYS[place + 1]) ~= token or (holder and holder ~= me) then return false end
  redis.call('SET', KEYS[place], me, 'PX', ttl)
  return true
end
local function take(place, name)
  local former = redis.call('GET', KEYS[place + 1])
  local since = ''
  local token = micros
  if former then
    token = string.format('%.0f', math.max(tonumber(micros), tonumber(former) + 1))
    if redis.call('HGET', tenures, 'clean:' .. name) ~= former then
      since = redis.call('HGET', tenures, 'since:' .. name) or '0'
    end
  end
  redis.call('HSET', tenures, 'since:' .. name, string.format('%.0f', now))
  redis.call('SET', KEYS[place + 1], token)
  redis.call('SET', KEYS[place], me, 'PX', ttl)
  return token, since
end
if mine ~= '' then
  if not keep(5, mine) then return {'over'} end
elseif lead == 'lead' and redis.call('EXISTS', leader) == 0 then
  mine = take(5, 'leader')
end
local held = 0
for i = 9, #ARGV, 2 do
  if not keep(7 + 2 * ARGV[i], ARGV[i + 1]) then return {'over'} end
  held = held + 1
end
local alive = redis.call('ZCARD', copies)
local taken = {}
if mode == 'work' then
  local share = math.ceil(count / alive)
  for partition = 0, count - 1 do
    if held >= share then break end
    if redis.call('EXISTS', KEYS[7 + 2 * partition]) == 0 then
      local token, since = take(7 + 2 * partition, tostring(partition))
      table.insert(taken, tostring(partition))
      table.insert(taken, token)
      table.insert(taken, since)
      held = held + 1
    end
  end
end
local soonest = -1
for place = 5, #KEYS, 2 do
  local left = redis.call('PTTL', KEYS[place])
  if left >= 0 and (soonest < 0 or left < soonest) then soonest = left end
end
local ready = redis.call('HGET', agreement, 'ready') or ''
return {'ok', generation, redis.call('GET', leader) or '', ready, mine, alive, taken, redis.call('HGETALL', reports), soonest}
`)

/**
 * Gives a lease back, with nothing left undone. Keys: the lease, its token, tenures. Arguments: the token, the
 * name of the lease.
 */
export const release = new RedisScript(`
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[3], 'clean:' .. ARGV[2], ARGV[1])
end
return 1
`)

/**
 * The leader publishes entries under ids that it chose, which only grow: what is already there is refused by
 * Redis, so that a publication whose answer was lost can be repeated.
 *
 * Keys: the leader's token, then streams. Arguments: that token; then for each entry the number of
 * its key, from 2, its id, its head and its data. Answer: 1, or 0 if somebody else leads.
 */
export const publish = new RedisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 4 do
  local answer = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], ARGV[i + 1], 'head', ARGV[i + 2], 'data', ARGV[i + 3])
  if type(answer) == 'table' and answer.err and not string.find(answer.err, 'equal or smaller') then return answer end
end
return 1
`)

/**
 * A page of the entries of a partition without their data. Key: the stream. Arguments: where to begin, how
 * many. Answer: ids and heads in turn.
 */
export const heads = new RedisScript(`
local found = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  table.insert(found, entry[1])
  table.insert(found, entry[2][2])
end
return found
`)

/**
 * The leader has heard of the end of entries. Keys: the leader's token, ended. Arguments: that token; the last
 * message it has read, or empty to forget all of an earlier leader. Answer: 1, or 0 if somebody else
 * leads.
 */
export const heard = new RedisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[2]) else redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2]) end
return 1
`)

/**
 * The leader says that it reads the stream. Keys: the leader's token, agreement. Arguments: that token, what it
 * says. Answer: 1, or 0 if somebody else leads.
 */
export const ready = new RedisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'ready', ARGV[2])
return 1
`)

/**
 * Everything in the partitions is void, because reading starts anew: from now on, all copies start over.
 * Keys: the leader's token, agreement. Argument: that token. Answer: 1, or 0 if somebody else leads.
 */
export const discard = new RedisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('HSET', KEYS[2], 'generation', now, 'discard', now)
redis.call('HDEL', KEYS[2], 'ready')
return 1
`)

/**
 * Deletes what was discarded, once every copy that may work on it has given its partitions back. Keys: the
 * leader's token, agreement, ended, then for each partition its owner, its token, and its entries. Argument: the
 * leader's token. Answer: `done`, `wait`, or `over` if somebody else leads.
 */
export const sweep = new RedisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'over' end
local generation = redis.call('HGET', KEYS[2], 'discard')
if not generation then return 'done' end
for i = 4, #KEYS, 3 do
  local isOwned = redis.call('EXISTS', KEYS[i]) == 1
  if isOwned and tonumber(redis.call('GET', KEYS[i + 1])) < tonumber(generation) then return 'wait' end
end
for i = 6, #KEYS, 3 do redis.call('UNLINK', KEYS[i]) end
redis.call('UNLINK', KEYS[3])
redis.call('HDEL', KEYS[2], 'discard')
return 'done'
`)
