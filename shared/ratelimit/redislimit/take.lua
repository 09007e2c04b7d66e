-- ratelimit.Bounds.Take, atomic as every script is. Times are microseconds,
-- which a Lua number holds exactly until the year 2255.
local now, interval, last, full = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = tonumber(redis.call('GET', KEYS[1]) or ARGV[5])
local allowed = kept <= last
if kept <= now then
	kept = now + interval
elseif allowed then
	kept = kept + interval
elseif kept > full then
	kept = full
end
local text = string.format('%.0f', kept)
redis.call('SET', KEYS[1], text, 'PX', string.format('%.0f', math.ceil((kept - now) / 1000)))
return {text, allowed and '1' or '0'}
