"""The gate before a flash sale, in Valkey: who may try now, who waits, and what is left.

It only refuses early and sets the pace; what is sold is decided in PostgreSQL. All of it may vanish
at any time: then the gate is as if the sale had just begun. Keys of one sale share a slot
(`sale:{<id>}:…`), so one script may change them all, and its time is the server's. Nothing of a
person is in it: passes, holders and tickets are digests or random.

    gate      hash: what is left (and when that was said), who asks, the pace, sums for staff
    flight    passes that are in a checkout now, by when we stop to wait for them
    queue     tickets that wait, first come first
    admitted  tickets that may try, by until when
    seen      tickets by when their holder last asked
    over      hash: tickets that are done with, and why
    holders   hash: the ticket of a holder, so that asking twice is no second place
    pace      list: when the last ones were admitted
    known     one for each pass: this request was let in before, and may hold an order
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from redis.commands.core import Script

from shop.redis import ask_script, limiter

MARGIN_PERCENT: Final = 150  # tries let in for each unit that is left: some will fail
SOLD_OUT_MS: Final = 1_000  # "sold out" is believed so long; then one caller looks again
FRESH_MS: Final = 1_000  # what is left likewise
ASKING_MS: Final = 1_000  # how long others wait for the one who looks
FLIGHT_MS: Final = 30_000  # a request that was killed makes room after this
ADMITTED_MS: Final = 30_000  # how long an admitted ticket is good
ABSENT_MS: Final = 30_000  # who has not asked for so long has left the queue
KEPT_MS: Final = 3_600_000  # keys live on for so long after the sale

_PARTS = ("gate", "flight", "queue", "admitted", "seen", "over", "holders", "pace")

_SCRIPT = """
local gate, flight, queue, admitted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local seen, over, holders, pace, known = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local op, per_second, at_once = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local kept_ms, told_left = ARGV[4], ARGV[5]
local pass, holder, offered, new_ticket = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local margin, sold_out_ms, fresh_ms, asking_ms = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local flight_ms, admitted_ms, absent_ms = ARGV[14], ARGV[15], ARGV[16]
local opens_in_ms = tonumber(ARGV[17])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function count(what) redis.call('HINCRBY', gate, 'sum:' .. what, 1) end
local function finish(ticket, why)
  redis.call('ZREM', queue, ticket)
  redis.call('ZREM', admitted, ticket)
  redis.call('ZREM', seen, ticket)
  redis.call('HSET', over, ticket, why)
end

redis.call('ZREMRANGEBYSCORE', flight, '-inf', now)
for _, ticket in ipairs(redis.call('ZRANGEBYSCORE', admitted, '-inf', now)) do
  finish(ticket, 'lapsed')
  count('lapsed')
end

if told_left ~= '' then
  redis.call('HSET', gate, 'left', told_left, 'left_at', now)
  redis.call('HDEL', gate, 'asking_until')
end
local left = tonumber(redis.call('HGET', gate, 'left') or nil)

local function keep()
  for number = 1, 8 do redis.call('PEXPIRE', KEYS[number], kept_ms) end
end

if op == 'note' then
  if redis.call('PTTL', gate) < 0 then keep() end
  return {'noted'}
end
if op == 'leave' then
  redis.call('ZREM', flight, pass)
  if offered ~= '' then  -- it was let in for nothing: the ticket is good again
    redis.call('HDEL', over, offered)
    redis.call('ZADD', admitted, now + admitted_ms, offered)
    redis.call('HSET', holders, holder, offered)
  end
  if new_ticket == 'forget' then redis.call('DEL', known) end
  return {'left'}
end

local function has_room()
  local busy = redis.call('ZCARD', flight) + redis.call('ZCARD', admitted)
  if busy >= at_once then return false end
  if left and busy >= math.max(1, math.ceil(left * margin / 100)) then return false end
  -- The pace: one after the other at even distances, with a little slack for those who come late.
  local step = 1000 / per_second
  local due = math.max(tonumber(redis.call('HGET', gate, 'due') or 0), now)
  if due - now > math.max(0, 200 - step) then return false end
  redis.call('HSET', gate, 'due', due + step)
  redis.call('LPUSH', pace, now)
  redis.call('LTRIM', pace, 0, 49)
  return true
end

local function promote()
  if opens_in_ms > 0 then return end
  for _ = 1, 1000 do
    local ticket = redis.call('ZRANGE', queue, 0, 0)[1]
    if not ticket then return end
    if now - tonumber(redis.call('ZSCORE', seen, ticket) or 0) > tonumber(absent_ms) then
      finish(ticket, 'lapsed')
      count('lapsed')
    elseif has_room() then
      redis.call('ZREM', queue, ticket)
      redis.call('ZADD', admitted, now + admitted_ms, ticket)
    else
      return
    end
  end
end

local function wait_in_line(ticket)
  if not redis.call('ZSCORE', queue, ticket) then
    redis.call('ZADD', queue, redis.call('HINCRBY', gate, 'order', 1), ticket)
    if holder ~= '' then redis.call('HSET', holders, holder, ticket) end
    count('waited')
  end
  redis.call('ZADD', seen, now, ticket)
end

-- How long it takes for one place to come free, as measured over the last minute.
local function step_ms()
  local times = redis.call('LRANGE', pace, 0, -1)
  local oldest, number = now, 0
  for _, at in ipairs(times) do
    if now - tonumber(at) <= 60000 then oldest, number = tonumber(at), number + 1 end
  end
  if number >= 2 and now > oldest then return (now - oldest) / number end
  return math.max(1000 / per_second, 1000 / at_once)
end

local function waiting(ticket)
  local position = redis.call('ZRANK', queue, ticket) + 1
  keep()
  return {'waiting', ticket, position, opens_in_ms + math.ceil(position * step_ms()),
          redis.call('ZCARD', queue)}
end

local function let_in()
  redis.call('ZADD', flight, now + flight_ms, pass)
  redis.call('SET', known, 1, 'PX', kept_ms)
  count('admitted')
  keep()
end

if op == 'enter' and redis.call('EXISTS', known) == 1 then
  redis.call('ZADD', flight, now + flight_ms, pass)
  return {'pass', ''}
end

-- What will be there when it opens, nobody knows yet.
if opens_in_ms > 0 then left = nil end

if op ~= 'poll' and opens_in_ms == 0 then
  local age = now - tonumber(redis.call('HGET', gate, 'left_at') or 0)
  local good_for = tonumber(fresh_ms)
  if left and left <= 0 then good_for = tonumber(sold_out_ms) end
  if not left or age >= good_for then
    if tonumber(redis.call('HGET', gate, 'asking_until') or 0) <= now then
      redis.call('HSET', gate, 'asking_until', now + asking_ms)
      return {'ask'}
    end
  end
end

if left and left <= 0 then
  if op ~= 'poll' then count('refused') end
  if offered ~= '' and not redis.call('HGET', over, offered) then finish(offered, 'sold_out') end
  local mine = holder ~= '' and redis.call('HGET', holders, holder)
  if mine and not redis.call('HGET', over, mine) then finish(mine, 'sold_out') end
  keep()
  return {'sold_out'}
end

local mine = offered
if mine == '' and holder ~= '' then mine = redis.call('HGET', holders, holder) or '' end
-- Whoever asks is there, so they are not passed over in this very call.
if mine ~= '' and redis.call('ZSCORE', queue, mine) then redis.call('ZADD', seen, now, mine) end
promote()
local why = mine ~= '' and redis.call('HGET', over, mine)
if why then
  if op == 'poll' then return {'gone', why} end
  mine = ''
end
if mine ~= '' then
  local until_ms = redis.call('ZSCORE', admitted, mine)
  if until_ms and op == 'enter' then
    finish(mine, 'used')
    let_in()
    return {'pass', mine}
  end
  if until_ms then
    redis.call('ZADD', seen, now, mine)
    return {'admitted', mine, math.floor(tonumber(until_ms) - now)}
  end
  -- A ticket that nobody remembers is one from before the store was lost: back into line.
  wait_in_line(mine)
  promote()
  until_ms = redis.call('ZSCORE', admitted, mine)
  if not until_ms then return waiting(mine) end
  if op == 'enter' then
    finish(mine, 'used')
    let_in()
    return {'pass', mine}
  end
  return {'admitted', mine, math.floor(tonumber(until_ms) - now)}
end

if op == 'enter' and redis.call('ZCARD', queue) == 0 and has_room() then
  let_in()
  return {'pass', ''}
end
wait_in_line(new_ticket)
if op == 'queue' then
  promote()
  local until_ms = redis.call('ZSCORE', admitted, new_ticket)
  if until_ms then
    keep()
    return {'admitted', new_ticket, math.floor(tonumber(until_ms) - now)}
  end
end
return waiting(new_ticket)
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the gate of a sale is set. `kept_ms`: how long its keys are of use.

    `opens_in_ms`: until then tickets are given and nobody is admitted.
    """

    sale_id: int
    per_second: int
    at_once: int
    kept_ms: int
    opens_in_ms: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """What the gate says: `pass`, `waiting`, `admitted`, `gone`, `sold_out`, or `ask`.

    `ask`: it needs to be told what is left; call again with it.
    """

    state: str
    ticket: str = ""
    position: int = 0
    wait_ms: int = 0  # waiting: the estimate; admitted: how long it is good
    waiting: int = 0  # how many are in line
    why: str = ""


@dataclass(frozen=True, slots=True)
class GateState:
    """What the dashboard shows of a gate."""

    left: int | None
    in_flight: int
    waiting: int
    admitted_waiting: int
    sums: dict[str, int]


def enter(
    pace: Pace, *, key: str, holder: str, ticket: str, new_ticket: str, left: int | None = None
) -> Word:
    """Ask to be let in, with a `ticket` or without. One trip.

    `key` tells requests apart: one that was let in is let in again. Raises RedisError, as
    everything here does.
    """
    return _word(
        _run(
            "enter",
            pace,
            key=key,
            holder=holder,
            ticket=ticket,
            new_ticket=new_ticket,
            left=left,
        )
    )


def queue_up(pace: Pace, *, holder: str, new_ticket: str, left: int | None = None) -> Word:
    """Stand in line, or find the place that the holder has already."""
    return _word(_run("queue", pace, holder=holder, new_ticket=new_ticket, left=left))


def poll(pace: Pace, *, ticket: str) -> Word:
    """Ask how a ticket stands."""
    return _word(_run("poll", pace, ticket=ticket))


def leave(pace: Pace, *, key: str, forgets: bool, holder: str = "", gives_back: str = "") -> None:
    """Make room: the request has been decided. `forgets`: it left nothing behind.

    `gives_back` is a ticket that was used in vain.
    """
    _run(
        "leave",
        pace,
        key=key,
        holder=holder,
        ticket=gives_back,
        new_ticket="forget" if forgets else "",
    )


def note_left(*, sale_id: int, units: int) -> None:
    """Tell the gate what is left."""
    _run("note", Pace(sale_id, 1, 1, KEPT_MS), left=max(units, 0))


def state_of(sale_id: int) -> GateState:
    """Return how the gate stands, in one trip."""
    keys = _keys(sale_id)
    pipeline = limiter().pipeline(transaction=False)
    pipeline.hgetall(keys[0])
    for key in keys[1:4]:
        pipeline.zcard(key)
    fields, in_flight, waiting, admitted = pipeline.execute()
    found = {name.decode(): value.decode() for name, value in fields.items()}
    return GateState(
        left=int(found["left"]) if "left" in found else None,
        in_flight=in_flight,
        waiting=waiting,
        admitted_waiting=admitted,
        sums={
            name.removeprefix("sum:"): int(value)
            for name, value in found.items()
            if name.startswith("sum:")
        },
    )


def _keys(sale_id: int) -> list[str]:
    return [f"sale:{{{sale_id}}}:{part}" for part in _PARTS]


@cache
def _script() -> Script:
    return limiter().register_script(_SCRIPT)


def _run(
    op: str,
    pace: Pace,
    *,
    key: str = "",
    holder: str = "",
    ticket: str = "",
    new_ticket: str = "",
    left: int | None = None,
) -> list[bytes | int]:
    first, *others = _keys(pace.sale_id)
    answer: list[bytes | int] = ask_script(
        limiter(),
        _script(),
        first,
        op,
        pace.per_second,
        pace.at_once,
        pace.kept_ms,
        "" if left is None else max(left, 0),
        key,
        holder,
        ticket,
        new_ticket,
        MARGIN_PERCENT,
        SOLD_OUT_MS,
        FRESH_MS,
        ASKING_MS,
        FLIGHT_MS,
        ADMITTED_MS,
        ABSENT_MS,
        pace.opens_in_ms,
        others=[*others, f"sale:{{{pace.sale_id}}}:known:{key}"],
    )
    return answer


def _word(answer: list[bytes | int]) -> Word:
    state, *rest = answer
    told = bytes(state).decode() if isinstance(state, bytes) else str(state)
    texts = [part.decode() if isinstance(part, bytes) else part for part in rest]
    match told:
        case "waiting":
            ticket, position, wait_ms, waiting = texts
            return Word(told, str(ticket), int(position), int(wait_ms), int(waiting))
        case "admitted":
            return Word(told, str(texts[0]), wait_ms=int(texts[1]))
        case "pass":
            return Word(told, str(texts[0]))
        case "gone":
            return Word(told, why=str(texts[0]))
        case _:
            return Word(told)
