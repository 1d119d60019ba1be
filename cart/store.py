"""The shape of a cart in Redis: one hash for each cart, changed only by the scripts below.

A hash has these fields; any other is left alone and not understood:

    s           the shape, "1"; a cart of another shape is as good as absent
    v           the version; it grows with every change and is never used twice, not even by a
                cart that was lost and begun again, because it follows the clock (microseconds)
    c           the currency, while there are lines
    a           when it was begun, in seconds
    l:<variant> a line: "<quantity>:<version that brought it>", so that lines keep their order
    ops         the last operations applied, so that a repeated one is applied once
    m           in a guest's cart: the customer cart that claimed it; nobody else sees it any more
    k           for each checkout of this cart's owner that may have an answer, until when it may
                (microseconds), with spaces between
    g:<guest>   in a customer's cart: a guest's cart that was merged in, and what did not fit

Keys are `cart:{c:<shard>}:<id>`, beside one sorted set for each shard of when carts were last
changed. A cart and its shard share a slot, so one script may write both on a Cluster; 1,024 shards
spread over the nodes as evenly as the carts would by themselves.
"""

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, cast

import structlog
from redis.commands.core import Script
from redis.exceptions import RedisError

from cart.errors import CartUnavailable
from shop.redis import ask, ask_script, carts

TTL_SECONDS: Final = 7 * 24 * 3600  # from the last touch, a read included
MAX_LINES: Final = 100
MAX_QUANTITY: Final = 999  # units of one variant
SHARDS: Final = 1024
REMEMBERED_OPERATIONS: Final = 16
REMEMBERED_MERGES: Final = 8
MOST_TRIALS: Final = 8  # of one cart at once; what is more stays noted until its time is over
RETRY_AFTER_SECONDS: Final = 2

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,64}")
_LINE = re.compile(rb"l:([1-9][0-9]{0,18})")
_QUANTITY = re.compile(rb"([0-9]{1,3}):([0-9]{1,16})")

log = structlog.get_logger("cart.store")


class Outcome(StrEnum):
    """What came of an edit. Only after DONE is the cart another one than before."""

    DONE = "done"
    ABSENT = "absent"  # there is no such cart
    STALE = "stale"  # it has another version than was expected
    CURRENCY = "currency"  # it has lines in another currency
    SHORT = "short"  # more than is available
    LIMIT = "limit"  # more than MAX_QUANTITY of one variant
    FULL = "full"  # more than MAX_LINES


@dataclass(frozen=True, slots=True)
class StoredLine:
    """So many units of a variant."""

    variant_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class StoredCart:
    """A cart as it is in Redis. Version 0 is a cart that is not stored: it has nothing."""

    cart_id: str
    version: int
    currency: str | None
    lines: tuple[StoredLine, ...]
    expires_at: int | None  # Unix seconds
    tried_until: int = 0  # microseconds since 1970; 0: no checkout was begun, or it came to nothing


@dataclass(frozen=True, slots=True)
class Trial:
    """A note in a cart that a checkout was begun with it. 0: it is not to be taken back."""

    until: int


@dataclass(frozen=True, slots=True)
class Undo:
    """What `undo` needs in order to take an edit back."""

    variant_id: int
    version: int
    version_before: int  # -1: there was no cart
    line_after: str
    line_before: str  # empty: there was none


@dataclass(frozen=True, slots=True)
class Edited:
    """The outcome of an edit and the cart after it. `wanted` is the quantity it came to."""

    outcome: Outcome
    cart: StoredCart
    wanted: int
    undo: Undo


@dataclass(frozen=True, slots=True)
class Loss:
    """A line that a merge could not take over whole: `kept` of `wanted` units."""

    variant_id: int
    wanted: int
    kept: int


@dataclass(frozen=True, slots=True)
class Merged:
    """The customer's cart after a merge, and what did not fit into it."""

    outcome: Outcome
    cart: StoredCart
    losses: tuple[Loss, ...]


def new_token() -> str:
    """Return a token that nobody can guess: 192 random bits."""
    return secrets.token_urlsafe(24)


def is_token(token: str) -> bool:
    """Tell whether this could be a token at all."""
    return _TOKEN.fullmatch(token) is not None


def guest_cart_id(token: str) -> str:
    """Return the id of a guest's cart. The token itself is stored nowhere."""
    return hashlib.sha256(token.encode()).hexdigest()


def customer_cart_id(customer_id: int) -> str:
    return f"u{customer_id}"


def cart_key(cart_id: str) -> str:
    return f"cart:{{c:{_shard(cart_id):03x}}}:{cart_id}"


def activity_key(cart_id: str) -> str:
    """Return the sorted set of the cart's shard: cart ids by the second of their last change."""
    return f"cart-activity:{{c:{_shard(cart_id):03x}}}"


def read(cart_id: str) -> StoredCart | None:
    """Return the cart and renew its time, in one trip. None if there is none, or none to read.

    Raises CartUnavailable, as everything here does.
    """
    expires_at, fields = _run(_READ, cart_id, TTL_SECONDS)
    return _parse(cart_id, fields, expires_at) if fields else None


def look_at(cart_id: str) -> StoredCart | None:
    """Do as `read` does, without a script and without renewing the cart's time.

    Raises CartUnavailable also for a key that holds no hash.
    """
    try:
        found = ask(carts(), "HGETALL", cart_key(cart_id))
    except RedisError as error:
        raise _unavailable(error) from None
    # Pairs by themselves in the newer protocol, one after the other in the older.
    fields = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    # As `is_sound` has it below, and not claimed.
    if fields.get(b"s") != b"1" or b"m" in fields:
        return None
    return _parse(cart_id, [part for pair in fields.items() for part in pair], None)


def note_trial(cart_id: str, *, seconds: int) -> tuple[StoredCart, Trial] | None:
    """Do as `read` does, and note in the cart that a checkout was begun with it, in the same trip.

    The note says so for so many seconds, or until `forget_trial`. The cart comes as it was before.
    """
    expires_at, fields, until = _run(_NOTE_TRIAL, cart_id, TTL_SECONDS, seconds, MOST_TRIALS)
    if not fields:
        return None
    cart = _parse(cart_id, fields, expires_at)
    return cart, Trial(until=int(until))


def forget_trial(cart_id: str, trial: Trial) -> None:
    """Take a note back; those of other checkouts stay."""
    if trial.until:
        _run(_FORGET_TRIAL, cart_id, trial.until)


def edit(
    cart_id: str,
    *,
    action: str,
    operation: str,
    must_exist: bool,
    expected: frozenset[int] | None,
    variant_id: int = 0,
    quantity: int = 0,
    available: int | None = None,
    currency: str | None = None,
    default_currency: str = "",
) -> Edited:
    """Change the cart in one atomic step: `add`, `set`, `remove` or `clear`.

    An `operation` that the cart remembers is not applied again, and answers as the first time but
    for later changes. `expected` are the versions to accept, or None for any; a cart that is not
    stored has version 0. `available` limits the units of the line.
    """
    outcome, wanted, before, line_before, line_after, expires_at, fields = _run(
        _EDIT,
        cart_id,
        TTL_SECONDS,
        action,
        "1" if must_exist else "",
        "*" if expected is None else _spaced(expected),
        operation,
        variant_id or "",
        quantity,
        "" if available is None else available,
        currency or "",
        default_currency,
        MAX_LINES,
        MAX_QUANTITY,
        REMEMBERED_OPERATIONS,
    )
    cart = _parse(cart_id, fields, expires_at)
    return Edited(
        outcome=Outcome(outcome.decode()),
        cart=cart,
        wanted=wanted,
        undo=Undo(
            variant_id=variant_id,
            version=cart.version,
            version_before=int(before),
            line_after=line_after.decode(),
            line_before=line_before.decode(),
        ),
    )


def undo(cart_id: str, change: Undo) -> None:
    """Take an edit of a line back: wholly if nothing came after it, else only that line."""
    _run(
        _UNDO,
        cart_id,
        change.variant_id,
        change.version,
        change.version_before,
        change.line_after,
        change.line_before,
    )


def empty(cart_id: str, *, version: int) -> bool:
    """Empty the cart if it still has this version, and tell whether it did.

    The cart itself stays, so its token goes on and its versions go on growing.
    """
    return bool(_run(_EMPTY, cart_id, TTL_SECONDS, version))


def merge(guest_id: str, customer_cart: str, *, expected: frozenset[int] | None) -> Merged:
    """Move a guest's cart into a customer's. Quantities add up, as far as there is room.

    The two live on different nodes, so it takes three steps: the customer claims the guest's cart
    (from then on it is frozen, and only this customer can go on), it is applied and remembered in
    the customer's, and then it is deleted. Killed anywhere, the same call completes it; repeated,
    it changes nothing and tells the same losses.
    """
    claimed, guest_fields = _run(_CLAIM, guest_id, TTL_SECONDS, customer_cart)
    guest_lines = [
        part
        for line in _parse(guest_id, guest_fields, None).lines
        for part in (line.variant_id, line.quantity)
    ]
    currency = _field(guest_fields, b"c") or ""
    outcome, losses, expires_at, fields = _run(
        _APPLY,
        customer_cart,
        TTL_SECONDS,
        "1" if claimed else "",
        f"g:{guest_id[:32]}",
        "*" if expected is None else _spaced(expected),
        currency,
        MAX_LINES,
        MAX_QUANTITY,
        REMEMBERED_MERGES,
        *guest_lines,
    )
    if claimed:
        # After a stale version the guest's cart is given back, otherwise it is gone.
        _run(_LET_GO if outcome == b"stale" else _FINISH, guest_id, customer_cart)
    return Merged(
        outcome=Outcome(outcome.decode()),
        cart=_parse(customer_cart, fields, expires_at),
        losses=tuple(_losses(losses.decode())),
    )


# --- scripts: KEYS[1] is the cart, KEYS[2] its shard's activity --------------------------------

# Numbers beyond 2^31 must be written by string.format: tostring() would give an exponent.
_COMMON = """
local key, activity = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local seconds = tonumber(clock[1])

local function text(number) return string.format('%.0f', number) end

-- A hash of our shape. What is not, is as good as absent: never read, and overwritten by a write.
local function is_sound()
  return redis.call('TYPE', key)['ok'] == 'hash' and redis.call('HGET', key, 's') == '1'
end

local function version()
  return tonumber(redis.call('HGET', key, 'v') or '0') or 0
end

local function next_version()
  local new = math.max(version() + 1, seconds * 1000000 + tonumber(clock[2]))
  redis.call('HSET', key, 'v', text(new))
  return text(new)
end

local function begin()
  if is_sound() then return end
  redis.call('DEL', key)
  redis.call('HSET', key, 's', '1', 'a', clock[1])
end

local function quantity_in(value)
  return tonumber(string.match(value or '', '^(%d+):%d+$') or '0')
end

-- The fields that are lines, and how many of them hold something.
local function lines()
  local names, count = {}, 0
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if string.match(fields[i], '^l:%d+$') then
      names[#names + 1] = fields[i]
      if quantity_in(fields[i + 1]) > 0 then count = count + 1 end
    end
  end
  return names, count
end

local function drop_lines()
  local names = lines()
  for _, name in ipairs(names) do redis.call('HDEL', key, name) end
  redis.call('HDEL', key, 'c')
  redis.call('ZREM', activity, string.match(key, '[^:]+$'))
  return #names
end

local function note_activity(ttl)
  redis.call('ZADD', activity, seconds, string.match(key, '[^:]+$'))
  redis.call('ZREMRANGEBYSCORE', activity, '-inf', seconds - 2 * ttl)
  redis.call('EXPIRE', activity, 2 * ttl)
end

local function is_expected(list)
  if list == '*' then return true end
  local present = is_sound() and version() or 0
  for one in string.gmatch(list, '%d+') do
    if tonumber(one) == present then return true end
  end
  return false
end
"""

_READ: Final = (
    _COMMON
    + """
if not is_sound() or redis.call('HEXISTS', key, 'm') == 1 then return {0, {}} end
redis.call('EXPIRE', key, ARGV[1])
return {seconds + ARGV[1], redis.call('HGETALL', key)}
"""
)

# Later than any other note, so that a note is taken back by whoever made it alone.
_NOTE_TRIAL: Final = (
    _COMMON
    + """
if not is_sound() or redis.call('HEXISTS', key, 'm') == 1 then return {0, {}, '0'} end
redis.call('EXPIRE', key, ARGV[1])
local fields = redis.call('HGETALL', key)
local now = seconds * 1000000 + tonumber(clock[2])
local notes, latest = {}, 0
for note in string.gmatch(redis.call('HGET', key, 'k') or '', '%S+') do
  local ends = tonumber(note)
  if not ends or ends >= now then table.insert(notes, note) end  -- who knows what others mean
  latest = math.max(latest, ends or 0)
end
local noted = text(math.max(latest + 1, now + ARGV[2] * 1000000))
local mine = noted
if #notes >= tonumber(ARGV[3]) then
  notes, mine = {}, '0'  -- one for them all, that nobody takes back
end
table.insert(notes, noted)
redis.call('HSET', key, 'k', table.concat(notes, ' '))
return {seconds + ARGV[1], fields, mine}
"""
)

_FORGET_TRIAL: Final = (
    _COMMON
    + """
if not is_sound() then return 0 end
local notes, found = {}, 0
for note in string.gmatch(redis.call('HGET', key, 'k') or '', '%S+') do
  if note == ARGV[1] then found = 1 else table.insert(notes, note) end
end
if found == 0 then return 0 end
if #notes == 0 then
  redis.call('HDEL', key, 'k')
else
  redis.call('HSET', key, 'k', table.concat(notes, ' '))
end
return 1
"""
)

_EDIT: Final = (
    _COMMON
    + """
local ttl, action, must_exist, expected = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local operation, name, quantity = ARGV[5], 'l:' .. ARGV[6], tonumber(ARGV[7])
local available, currency, default_currency = tonumber(ARGV[8]), ARGV[9], ARGV[10]
local max_lines, max_quantity = tonumber(ARGV[11]), tonumber(ARGV[12])
local remembered = tonumber(ARGV[13])
local before = -1  -- there was no cart
local line_before, line_after, wanted = '', '', 0

local function answer(outcome)
  local fields, expires = {}, 0
  if is_sound() then
    fields = redis.call('HGETALL', key)
    redis.call('EXPIRE', key, ttl)
    expires = seconds + ttl
  end
  return {outcome, wanted, text(before), line_before, line_after, expires, fields}
end

local exists = is_sound()
if exists and redis.call('HEXISTS', key, 'm') == 1 then
  return {'absent', 0, '-1', '', '', 0, {}}
end
if must_exist == '1' and not exists then return answer('absent') end
local ops = {}
if exists then
  before = version()
  for one in string.gmatch(redis.call('HGET', key, 'ops') or '', '[^ ]+') do
    if one == operation then return answer('done') end
    ops[#ops + 1] = one
  end
end
if not is_expected(expected) then return answer('stale') end

local count = 0
if exists then
  local _
  _, count = lines()
  line_before = redis.call('HGET', key, name) or ''
end
if currency ~= '' and count > 0 and currency ~= (redis.call('HGET', key, 'c') or currency) then
  return answer('currency')
end

local held = quantity_in(line_before)
if action == 'clear' or action == 'remove' then
  local is_changed = exists and ((action == 'clear' and count > 0) or line_before ~= '')
  if not is_changed then return answer('done') end
  if action == 'clear' or (count == 1 and held > 0) then
    drop_lines()
  else
    redis.call('HDEL', key, name)
    note_activity(ttl)
  end
else
  wanted = quantity
  if action == 'add' then wanted = held + quantity end
  if wanted > max_quantity then return answer('limit') end
  if held == 0 and count >= max_lines then return answer('full') end
  if available and wanted > available then return answer('short') end
  if wanted == held then return answer('done') end
  begin()
  if count == 0 then
    redis.call('HSET', key, 'c', currency ~= '' and currency or default_currency)
  end
end

local new = next_version()
if action == 'add' or action == 'set' then
  line_after = wanted .. ':' .. (string.match(line_before, '^%d+:(%d+)$') or new)
  redis.call('HSET', key, name, line_after)
  note_activity(ttl)
end
ops[#ops + 1] = operation
while #ops > remembered do table.remove(ops, 1) end
redis.call('HSET', key, 'ops', table.concat(ops, ' '))
return answer('done')
"""
)

_UNDO: Final = (
    _COMMON
    + """
local name, applied, before = 'l:' .. ARGV[1], ARGV[2], ARGV[3]
local line_after, line_before = ARGV[4], ARGV[5]
if not is_sound() or line_after == '' then return 0 end
local is_last = text(version()) == applied
if is_last and before == '-1' then
  redis.call('DEL', key)
  redis.call('ZREM', activity, string.match(key, '[^:]+$'))
  return 1
end
if redis.call('HGET', key, name) ~= line_after then return 0 end
if line_before == '' then
  redis.call('HDEL', key, name)
else
  redis.call('HSET', key, name, line_before)
end
if is_last then
  redis.call('HSET', key, 'v', before)
  local ops = redis.call('HGET', key, 'ops') or ''
  redis.call('HSET', key, 'ops', string.match(ops, '^(.*) [^ ]+$') or '')
else
  next_version()
end
local _, count = lines()
if count == 0 then drop_lines() end
return 1
"""
)

_EMPTY: Final = (
    _COMMON
    + """
if not is_sound() or redis.call('HEXISTS', key, 'm') == 1 then return 0 end
if text(version()) ~= ARGV[2] then return 0 end
if drop_lines() > 0 then next_version() end
redis.call('EXPIRE', key, ARGV[1])
return 1
"""
)

_CLAIM: Final = (
    _COMMON
    + """
if not is_sound() then return {0, {}} end
local holder = redis.call('HGET', key, 'm')
if holder and holder ~= ARGV[2] then return {0, {}} end
redis.call('HSET', key, 'm', ARGV[2])
redis.call('EXPIRE', key, ARGV[1])
return {1, redis.call('HGETALL', key)}
"""
)

_APPLY: Final = (
    _COMMON
    + """
local ttl, claimed, memory, expected = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local currency, max_lines, max_quantity = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local remembered = tonumber(ARGV[8])

local function answer(outcome, losses)
  local fields, expires = {}, 0
  if is_sound() then
    fields = redis.call('HGETALL', key)
    redis.call('EXPIRE', key, ttl)
    expires = seconds + ttl
  end
  return {outcome, losses, expires, fields}
end

if is_sound() then
  local earlier = redis.call('HGET', key, memory)
  if earlier then return answer('done', string.match(earlier, '^%d+ ?(.*)$') or '') end
end
if claimed == '' then return answer('absent', '') end
if not is_expected(expected) then return answer('stale', '') end

begin()
local _, count = lines()
if count == 0 and currency ~= '' then redis.call('HSET', key, 'c', currency) end
local new = next_version()
local losses = {}
for i = 9, #ARGV, 2 do
  local name = 'l:' .. ARGV[i]
  local value = redis.call('HGET', key, name) or ''
  local held, more = quantity_in(value), tonumber(ARGV[i + 1])
  local kept = math.min(held + more, max_quantity)
  if held == 0 and count >= max_lines then kept = 0 end
  if kept < held + more then
    losses[#losses + 1] = ARGV[i] .. ':' .. text(held + more) .. ':' .. text(kept)
  end
  if kept > held then
    if held == 0 then count = count + 1 end
    local place = string.match(value, '^%d+:(%d+)$') or text(tonumber(new) + i)
    redis.call('HSET', key, name, text(kept) .. ':' .. place)
  end
end
local told = table.concat(losses, ' ')
redis.call('HSET', key, memory, new .. ' ' .. told)
if count > 0 then note_activity(ttl) else redis.call('HDEL', key, 'c') end

-- Only the latest merges are remembered.
local merges = {}
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'g:' then
    merges[#merges + 1] = {fields[i], tonumber(string.match(fields[i + 1], '^%d+') or '0')}
  end
end
table.sort(merges, function(a, b) return a[2] > b[2] end)
for i = remembered + 1, #merges do redis.call('HDEL', key, merges[i][1]) end
return answer('done', told)
"""
)

_FINISH: Final = (
    _COMMON
    + """
if not is_sound() or redis.call('HGET', key, 'm') ~= ARGV[1] then return 0 end
redis.call('DEL', key)
redis.call('ZREM', activity, string.match(key, '[^:]+$'))
return 1
"""
)

_LET_GO: Final = (
    _COMMON
    + """
if is_sound() and redis.call('HGET', key, 'm') == ARGV[1] then redis.call('HDEL', key, 'm') end
return 1
"""
)


@cache
def _script(source: str) -> Script:
    return carts().register_script(source)


def _run(source: str, cart_id: str, *arguments: str | int) -> list:  # type: ignore[type-arg]
    """Run a script on a cart: one trip. The answer is as nested as the script makes it."""
    try:
        answer = ask_script(
            carts(),
            _script(source),
            cart_key(cart_id),
            *arguments,
            others=[activity_key(cart_id)],
        )
    except RedisError as error:
        raise _unavailable(error) from None
    return cast(list, answer)  # type: ignore[type-arg]


def _unavailable(error: RedisError) -> CartUnavailable:
    # Refused, timed out, out of memory, read only: whatever it is, nothing is known of the cart,
    # and an empty one would be a lie.
    log.warning("carts_unavailable", error=type(error).__name__, reason=str(error)[:200])
    return CartUnavailable(
        "Nothing was lost: try again in a moment.", retry_after=RETRY_AFTER_SECONDS
    )


def _shard(cart_id: str) -> int:
    return zlib.crc32(cart_id.encode()) % SHARDS


def _spaced(versions: Iterable[int]) -> str:
    # Never empty for the script: "-" matches no version.
    return " ".join(map(str, sorted(versions))) or "-"


def _field(fields: Sequence[bytes], name: bytes) -> str | None:
    for place in range(0, len(fields), 2):
        if fields[place] == name:
            return fields[place + 1].decode(errors="replace")
    return None


def _parse(cart_id: str, fields: Sequence[bytes], expires_at: int | None) -> StoredCart:
    """Read a flat list of fields and values. What is not understood is left out."""
    version, currency, tried_until = 0, None, 0
    lines: list[tuple[int, StoredLine]] = []
    for place in range(0, len(fields), 2):
        name, value = fields[place], fields[place + 1]
        if name == b"v":
            version = int(value) if value.isdigit() and len(value) <= 16 else 0
        elif name == b"c":
            currency = value.decode(errors="replace")
        elif name == b"k":
            tried_until = max(map(_ends_at, value.split()), default=0)
        elif (line := _LINE.fullmatch(name)) and (units := _QUANTITY.fullmatch(value)):
            quantity = int(units[1])
            if quantity:
                lines.append((int(units[2]), StoredLine(int(line[1]), quantity)))
    lines.sort(key=lambda entry: (entry[0], entry[1].variant_id))
    return StoredCart(
        cart_id=cart_id,
        version=version,
        currency=currency,
        lines=tuple(line for _, line in lines[:MAX_LINES]),
        expires_at=expires_at or None,
        tried_until=tried_until,
    )


def _ends_at(note: bytes) -> int:
    # What cannot be read may stand for any time.
    return int(note) if note.isdigit() and len(note) <= 16 else 10**16


def _losses(told: str) -> Iterable[Loss]:
    for entry in told.split():
        variant_id, wanted, kept = entry.split(":")
        yield Loss(variant_id=int(variant_id), wanted=int(wanted), kept=int(kept))
