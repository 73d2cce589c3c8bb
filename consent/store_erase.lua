-- SPDX-License-Identifier: Apache-2.0
-- An erasure in Redis: of a number, or, where that is known no more, of whoever has the fingerprint.
-- KEYS: the erased, notices, scopes, the key of fingerprints.
-- ARGV: fingerprint as a member of optout; time of the erasure; week, and how long its times stay; text for the
-- erased, or ''; first bucket, how many there are, step; number, or ''; whether the fingerprint stays in any case, and
-- whether to look for it: 0 or 1.
local mark, at, week, search = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[11] == '1'

-- A member is 2^50 times the scope and the number: more than a number of Lua holds, so it is made of two, of seven
-- digits and the rest. No number is so near to 2^50 that the scope could be taken for the next.
local upper, lower = 112589990, 6842624 -- 2^50

local function member_of(scope, number)
    local low = scope * lower + number % 1e7
    local high = scope * upper + math.floor(number / 1e7) + math.floor(low / 1e7)
    return high > 0 and string.format('%.0f%07.0f', high, low % 1e7) or string.format('%.0f', low)
end

local function number_of(member)
    if not string.match(member, '^%d+$') then return nil end
    local scope = math.floor(tonumber(member) / 2 ^ 50)
    if scope == 4 then return nil end -- a fingerprint
    local cut = math.max(#member - 7, 0)
    local high, low = tonumber('0' .. string.sub(member, 1, cut)), tonumber(string.sub(member, cut + 1))
    return (high - scope * upper) * 1e7 + low - scope * lower
end

-- SipHash-2-4 of nine octets, the number and 0 (consent/person.c), in halves of 32 bits: its low 50 bits.
local W, xor = 2 ^ 32, bit.bxor
local secret = search and redis.call('GET', KEYS[4]) or nil

local function key_word(from)
    local a, b, c, d = string.match(secret, '^(%x%x)(%x%x)(%x%x)(%x%x)', from)
    return tonumber(d .. c .. b .. a, 16)
end

local function rounds(count, a, b, c, d, e, f, g, h)
    local low
    for _ = 1, count do
        low = b + d
        a, b = (a + c + (low < W and 0 or 1)) % W, low % W
        c, d = c * 8192 % W + (d - d % 524288) / 524288, d * 8192 % W + (c - c % 524288) / 524288
        c, d = xor(c, a) % W, xor(d, b) % W
        low = f + h
        e, f = (e + g + (low < W and 0 or 1)) % W, low % W
        g, h = g * 65536 % W + (h - h % 65536) / 65536, h * 65536 % W + (g - g % 65536) / 65536
        g, h = xor(g, e) % W, xor(h, f) % W
        low = a + h -- the halves of a and b change places here,
        a, b = low % W, (b + g + (low < W and 0 or 1)) % W
        g, h = g * 2097152 % W + (h - h % 2048) / 2048, h * 2097152 % W + (g - g % 2048) / 2048
        a, b = b, a
        g, h = xor(g, a) % W, xor(h, b) % W
        low = f + d
        e, f = (e + c + (low < W and 0 or 1)) % W, low % W
        c, d = c * 131072 % W + (d - d % 32768) / 32768, d * 131072 % W + (c - c % 32768) / 32768
        c, d = xor(c, e) % W, xor(d, f) % W
        e, f = f, e -- and those of e and f
    end
    return a, b, c, d, e, f, g, h
end

local start = {0x736f6d65, 0x70736575, 0x646f7261, 0x6e646f6d, 0x6c796765, 0x6e657261, 0x74656462, 0x79746573}
for i, from in ipairs(secret and {9, 1, 25, 17, 9, 1, 25, 17} or {}) do
    start[i] = xor(start[i], key_word(from)) % W
end

local function fingerprint(number)
    local a, b, c, d, e, f, g, h = unpack(start)
    local low = number % W
    local high = (number - low) / W
    a, b, c, d, e, f, g, h = rounds(2, a, b, c, d, e, f, xor(g, high) % W, xor(h, low) % W)
    a, b, c, d, e, f, g, h =
        rounds(2, xor(a, high) % W, xor(b, low) % W, c, d, e, f, xor(g, 0x09000000) % W, h)
    a, b, c, d, e, f, g, h = rounds(4, xor(a, 0x09000000) % W, b, c, d, e, xor(f, 0xff) % W, g, h)
    return xor(a, c, e, g) % 2 ^ 18 * W + xor(b, d, f, h) % W
end

local function keys_of(bucket)
    local tag = '{' .. bucket .. '}'
    return tag, 'optout:' .. tag, 'optin:' .. tag, 'days:' .. tag,
        {'stops:' .. tag .. ':' .. week, 'stops:' .. tag .. ':' .. week - 1}
end

-- number -> whether it has the fingerprint
local function numbers_in(bucket)
    local numbers, _, outs, ins, days, stops = {}, keys_of(bucket)
    for _, members in ipairs({redis.call('SMEMBERS', outs), redis.call('SMEMBERS', ins), redis.call('HKEYS', days),
        redis.call('ZRANGE', stops[1], 0, -1), redis.call('ZRANGE', stops[2], 0, -1)}) do
        for _, member in ipairs(members) do
            local number = number_of(member)
            if number and numbers[number] == nil then
                numbers[number] = fingerprint(number) == tonumber(mark) - 4 * 2 ^ 50
            end
        end
    end
    return numbers
end

-- Where it was searched for, what is known to have come later stays as it is: opt-outs, and questions.
local function is_later(stops, member)
    for _, times in ipairs(search and stops or {}) do
        if tonumber(redis.call('ZSCORE', times, member) or 0) > at then return true end
    end
    return false
end

local function has_time(stops, member)
    return redis.call('ZSCORE', stops[1], member) or redis.call('ZSCORE', stops[2], member)
end

local function is_asked_later(pending)
    local asked = search and string.match(redis.call('GET', pending) or '', '^%d+ (%d+) ')
    return asked and tonumber(asked) > at
end

-- A hold stays, and what other gateways have of the person then; where it was searched for, what a register says of the
-- number, which may be newer. Of what happened once, confirmations stay for their five minutes. Gives whether an opt-out
-- stood, and whether a hold does.
local function erase(number, bucket)
    local stood, scopes = false, redis.call('HKEYS', KEYS[3])
    local tag, outs, ins, days, stops = keys_of(bucket)
    for scope = 0, 15 do scopes[#scopes + 1] = scope end
    for _, name in ipairs(scopes) do
        local scope = tonumber(name)
        local member = member_of(scope, number)
        local register = scope == 2 or scope == 3 -- scope_is_register()
        if scope == 1 and search and ARGV[5] ~= '' and has_time(stops, member) and not is_later(stops, member) then
            redis.call('SREM', outs, member) -- released since: with a hold nobody is erased
            for _, times in ipairs(stops) do redis.call('ZREM', times, member) end
        elseif scope ~= 1 and scope ~= 4 and not (search and register) then
            if not is_later(stops, member) then
                local was = redis.call('SREM', outs, member) == 1
                stood = stood or was and (scope == 0 or scope > 15)
                for _, times in ipairs(stops) do redis.call('ZREM', times, member) end
            end
            redis.call('SREM', ins, member)
            redis.call('HDEL', days, member)
            local gone = {'once:' .. tag .. ':help:' .. member, 'once:' .. tag .. ':question:' .. member}
            local pending = 'pending:' .. tag .. ':' .. member
            if not is_asked_later(pending) then gone[#gone + 1] = pending end
            redis.call('DEL', unpack(gone))
        end
    end
    for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
        if string.find(entry[2][2], string.format(' %.0f ', number), 1, true) then
            redis.call('DEL', KEYS[2])
            break
        end
    end
    return stood, redis.call('SISMEMBER', outs, member_of(1, number)) == 1
end

-- A START from before the erasure may come to Redis behind it, from another gateway: the fingerprint has its time.
local function keep(bucket)
    local _, outs, _, _, stops = keys_of(bucket)
    redis.call('SADD', outs, mark)
    redis.call('ZADD', stops[1], 'GT', at, mark)
    redis.call('PEXPIRE', stops[1], ARGV[4])
end

local told = ARGV[5] ~= ''
for bucket = tonumber(ARGV[6]), ARGV[7] - 1, tonumber(ARGV[8]) do
    local kept = ARGV[10] == '1'
    if ARGV[9] ~= '' then
        local stood, held = erase(tonumber(ARGV[9]), bucket)
        kept, told = stood, not held
    elseif secret then
        for number, is_it in pairs(numbers_in(bucket)) do
            kept = is_it and erase(number, bucket) or kept
        end
    end
    if kept then keep(bucket) end
end
if told then redis.call('ZADD', KEYS[1], at, ARGV[5]) end
return 0
