import { RedisScript } from './redis-script.ts'

/**
 * The key with the token of a lease: it stays when the lease ends, so that tokens grow, and so that the last holder
 * can go on if there was no other.
 */
export function tokenKeyOf(key: string): string {
  return `${key}:token`
}

const tokenOf = "local function tokenKeyOf(key) return key .. ':token' end\n"

/**
 * KEYS: the leases. ARGV: lease time in milliseconds, holder, the newest token of each that the caller has seen, or
 * nothing. Returns for each key its token and its holder; empty if the server has forgotten what the caller has seen:
 * then somebody may hold it without knowing that. Tokens are microseconds of the server's clock or greater, so that
 * they also grow when all data was removed.
 */
export const acquireScript = new RedisScript(`${tokenOf}
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {}
for index, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  local token = redis.call('GET', tokenKeyOf(key))
  local seen = tonumber(ARGV[index + 2])
  if seen and (tonumber(token) or 0) < seen then
    holder, token = '', ''
  elseif not holder or not token or holder == ARGV[2] then
    if holder ~= ARGV[2] or not token then
      token = string.format('%.0f', math.max(now, (tonumber(token) or 0) + 1))
      redis.call('SET', tokenKeyOf(key), token)
      holder = ARGV[2]
    end
    redis.call('SET', key, holder, 'PX', ARGV[1])
  end
  answer[index] = { token, holder }
end
return answer`)

/**
 * KEYS: the leases. ARGV: lease time in milliseconds, holder, the token of each. Returns the keys that somebody else
 * has taken since, with their holders. One that ran out goes on if nobody has.
 */
export const renewScript = new RedisScript(`${tokenOf}
local taken = {}
for index, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if redis.call('GET', tokenKeyOf(key)) == ARGV[index + 2] and (not holder or holder == ARGV[2]) then
    redis.call('SET', key, ARGV[2], 'PX', ARGV[1])
  else
    taken[#taken + 1] = { key, holder or '' }
  end
end
return taken`)

/** KEYS: the leases. ARGV: holder, the token of each. */
export const releaseScript = new RedisScript(`${tokenOf}
for index, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] and redis.call('GET', tokenKeyOf(key)) == ARGV[index + 1] then
    redis.call('DEL', key)
  end
end`)
