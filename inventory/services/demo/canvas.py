"""A sheet to draw on: simple shapes with soft shading, in a square of 1000 by 1000 units.

Everything is drawn at twice the size and halved at the end, which smooths the edges.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]
Fill = Colour | tuple[Colour, Colour]  # one colour, or a gradient from left to right

SIDE = 800  # pixels of the finished picture
_LARGEST_BYTES = 15_000
_SCALE = SIDE * 2 / 1000
WHITE: Colour = (255, 255, 255)
INK: Colour = (58, 52, 50)
WOOD: Colour = (193, 148, 104)
DARK_WOOD: Colour = (140, 101, 71)
METAL: Colour = (168, 172, 178)
LEAF: Colour = (98, 142, 96)
PAPER: Colour = (248, 243, 232)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return the colour that is `share` of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float = 0.25) -> Colour:
    return mix(colour, WHITE, share)


def darker(colour: Colour, share: float = 0.2) -> Colour:
    return mix(colour, (24, 20, 26), share)


def rounded(colour: Colour) -> Fill:
    """Return the shading of something round, lit from the left."""
    return lighter(colour, 0.16), darker(colour, 0.16)


def brightness(colour: Colour) -> float:
    red, green, blue = colour
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


@lru_cache(maxsize=4)
def _ramp() -> Image.Image:
    return Image.linear_gradient("L").rotate(90)


def spline(points: Sequence[Point], *, steps: int = 12) -> list[Point]:
    """Return a closed smooth line through the points (Catmull-Rom)."""
    count = len(points)
    line: list[Point] = []
    for index in range(count):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
            points[(index + offset) % count] for offset in (-1, 0, 1, 2)
        )
        for step in range(steps):
            t = step / steps
            line.append(
                (
                    _between(x0, x1, x2, x3, t),
                    _between(y0, y1, y2, y3, t),
                )
            )
    return line


def _between(before: float, start: float, end: float, after: float, t: float) -> float:
    return 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )


class Canvas:
    """One picture: `colour` is the product's own, `look` varies details between products."""

    def __init__(self, colour: Colour, *, look: int = 0) -> None:
        self.colour = colour
        self.look = look
        self.accent = _accent(colour, look)
        pixels = SIDE * 2
        wall = mix(_backdrop(colour, look), WHITE, 0.62)
        self._image = Image.new("RGB", (pixels, pixels), wall)
        self._draw = ImageDraw.Draw(self._image)
        self._set_scene(wall)

    def _set_scene(self, wall: Colour) -> None:
        floor = mix(wall, _backdrop(self.colour, self.look), 0.42)
        style = self.look % 3
        if style == 0:
            self.ellipse(500, 490, 410, 410, mix(wall, floor, 0.75))
        elif style == 1:
            self.box(0, 760, 1000, 1000, floor)
        else:
            self.box(170, 400, 830, 1000, mix(wall, floor, 0.8))
            self.ellipse(500, 400, 330, 330, mix(wall, floor, 0.8))

    def shadow(self, x: float, y: float, width: float, height: float = 26) -> None:
        """Darken the ground below a thing, softly towards the edge."""
        pixels = [self._px(v) for v in (x - width, y - height, x + width, y + height)]
        left, top, right, bottom = (int(v) for v in pixels)
        size = (right - left, bottom - top)
        mask = Image.radial_gradient("L").point(_shadow_strength).resize(size)
        self._image.paste((60, 48, 52), (left, top), mask)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill: Fill, pattern: str = ""
    ) -> None:
        def paint(draw: ImageDraw.ImageDraw, dx: float, dy: float, ink: Colour | int) -> None:
            box = (x - rx - dx, y - ry - dy, x + rx - dx, y + ry - dy)
            draw.ellipse([self._px(v) for v in box], fill=ink)

        self._paint(paint, (x - rx, y - ry, x + rx, y + ry), fill, pattern)

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Fill,
        radius: float = 0,
        pattern: str = "",
    ) -> None:
        def paint(draw: ImageDraw.ImageDraw, dx: float, dy: float, ink: Colour | int) -> None:
            corners = [self._px(v) for v in (x0 - dx, y0 - dy, x1 - dx, y1 - dy)]
            draw.rounded_rectangle(corners, self._px(radius), fill=ink)

        self._paint(paint, (x0, y0, x1, y1), fill, pattern)

    def shape(
        self, points: Sequence[Point], fill: Fill, *, smooth: bool = False, pattern: str = ""
    ) -> None:
        """Fill a polygon, or the smooth closed line through its points."""
        outline = spline(points) if smooth else list(points)

        def paint(draw: ImageDraw.ImageDraw, dx: float, dy: float, ink: Colour | int) -> None:
            draw.polygon([(self._px(x - dx), self._px(y - dy)) for x, y in outline], fill=ink)

        xs = [x for x, _ in outline]
        ys = [y for _, y in outline]
        self._paint(paint, (min(xs), min(ys), max(xs), max(ys)), fill, pattern)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draw a line with round joints and ends."""
        pixels = [(self._px(x), self._px(y)) for x, y in points]
        thick = max(1, round(self._px(width)))
        self._draw.line(pixels, fill=colour, width=thick, joint="curve")
        half = thick / 2
        for x, y in (pixels[0], pixels[-1]):
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=colour)

    def ring(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, width: float,
        start: float = 0, end: float = 360,
    ) -> None:  # fmt: skip
        """Draw a part of an ellipse's outline; degrees run clockwise from three o'clock."""
        box = [self._px(v) for v in (x - rx, y - ry, x + rx, y + ry)]
        self._draw.arc(box, start, end, fill=colour, width=round(self._px(width)))

    def rays(self, x: float, y: float, inner: float, outer: float, count: int,
             colour: Colour, width: float) -> None:  # fmt: skip
        for index in range(count):
            angle = math.tau * index / count
            cos, sin = math.cos(angle), math.sin(angle)
            self.line(
                [(x + inner * cos, y + inner * sin), (x + outer * cos, y + outer * sin)],
                colour,
                width,
            )

    def webp(self) -> bytes:
        """Return the finished picture as a WebP file of at most 15 kB, or nearly so."""
        picture = self._image.reduce(2)
        for quality in (72, 45, 12):
            file = io.BytesIO()
            picture.save(file, "WEBP", quality=quality, method=1)
            if file.tell() <= _LARGEST_BYTES:
                break
        return file.getvalue()

    def _paint(
        self,
        paint: Callable[[ImageDraw.ImageDraw, float, float, Colour | int], None],
        bounds: tuple[float, float, float, float],
        fill: Fill,
        pattern: str,
    ) -> None:
        if not pattern and isinstance(fill[0], int):
            paint(self._draw, 0, 0, _flat(fill))
            return
        x0, y0, x1, y1 = bounds
        size = (math.ceil(self._px(x1 - x0)) + 2, math.ceil(self._px(y1 - y0)) + 2)
        mask = Image.new("L", size, 0)
        paint(ImageDraw.Draw(mask), x0, y0, 255)
        tile = _tile(size, fill)
        if pattern:
            base = _flat(fill)
            PATTERNS[pattern](ImageDraw.Draw(tile), *tile.size, self._pattern_ink(base))
        self._image.paste(tile, (round(self._px(x0)), round(self._px(y0))), mask)

    def _pattern_ink(self, base: Colour) -> Colour:
        return lighter(base, 0.62) if brightness(base) < 0.62 else darker(base, 0.42)

    @staticmethod
    def _px(units: float) -> float:
        return units * _SCALE


def _shadow_strength(distance: int) -> int:
    return max(0, round((255 - distance * 1.42) * 0.30))


def _flat(fill: Fill) -> Colour:
    if isinstance(fill[0], tuple) and isinstance(fill[1], tuple):
        return mix(fill[0], fill[1], 0.5)
    red, green, blue = (part for part in fill if isinstance(part, int))
    return red, green, blue


def _tile(size: tuple[int, int], fill: Fill) -> Image.Image:
    if isinstance(fill[0], tuple) and isinstance(fill[1], tuple):
        left, right = fill[0], fill[1]
        ramp = _ramp().resize((size[0], 1))
        return Image.composite(
            Image.new("RGB", (size[0], 1), right), Image.new("RGB", (size[0], 1), left), ramp
        ).resize(size)
    return Image.new("RGB", size, _flat(fill))


def _stripes(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    for y in range(round(30 * _SCALE), height, round(62 * _SCALE)):
        draw.rectangle((0, y, width, y + 20 * _SCALE), fill=ink)


def _pinstripes(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    for x in range(round(14 * _SCALE), width, round(34 * _SCALE)):
        draw.rectangle((x, 0, x + 5 * _SCALE, height), fill=ink)


def _check(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    step, thick = round(80 * _SCALE), 12 * _SCALE
    for x in range(0, width, step):
        draw.rectangle((x, 0, x + thick, height), fill=ink)
    for y in range(0, height, step):
        draw.rectangle((0, y, width, y + thick), fill=ink)


def _dots(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    step, radius = 58 * _SCALE, 9 * _SCALE
    for row in range(int(height / step) + 2):
        for column in range(int(width / step) + 2):
            x = column * step + (step / 2 if row % 2 else 0)
            y = row * step
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def _speckles(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    state = 12345  # a fixed start: the same speckles each time
    for _ in range(int(width * height / (_SCALE * _SCALE * 1500))):
        state = (state * 1103515245 + 12345) % 2**31
        x, y = state % width, (state // 65536) % height
        size = (2 + state % 3) * _SCALE
        draw.ellipse((x, y, x + size, y + size), fill=ink)


def _band(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    draw.rectangle((0, height * 0.62, width, height * 0.8), fill=ink)


def _waves(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    for row in range(int(height / (64 * _SCALE)) + 2):
        points: list[Point] = [
            (x, (row * 64 + 12 * math.sin(x / (26 * _SCALE))) * _SCALE)
            for x in range(0, width + 8, 8)
        ]
        draw.line(points, fill=ink, width=round(9 * _SCALE))


def _zigzag(draw: ImageDraw.ImageDraw, width: int, height: int, ink: Colour) -> None:
    for row in range(int(height / (70 * _SCALE)) + 2):
        points: list[Point] = [
            (x * 40 * _SCALE, (row * 70 + (0 if x % 2 else 32)) * _SCALE)
            for x in range(int(width / (40 * _SCALE)) + 2)
        ]
        draw.line(points, fill=ink, width=round(11 * _SCALE))


PATTERNS: Mapping[str, Callable[[ImageDraw.ImageDraw, int, int, Colour], None]] = {
    "band": _band,
    "check": _check,
    "dots": _dots,
    "pinstripes": _pinstripes,
    "speckles": _speckles,
    "stripes": _stripes,
    "waves": _waves,
    "zigzag": _zigzag,
}


def _backdrop(colour: Colour, look: int) -> Colour:
    """Return a quiet colour that the product stands out from."""
    choices: tuple[Colour, ...] = (
        (226, 196, 160),
        (168, 196, 190),
        (206, 186, 204),
        (184, 200, 222),
        (232, 205, 196),
        (200, 204, 176),
    )
    red, green, blue = colour
    by_contrast = sorted(
        choices, key=lambda c: abs(c[0] - red) + abs(c[1] - green) + abs(c[2] - blue), reverse=True
    )
    return by_contrast[look % 4]


def _accent(colour: Colour, look: int) -> Colour:
    choices: tuple[Colour, ...] = (
        (214, 120, 84), (66, 110, 128), (226, 178, 82), (112, 136, 104), (150, 92, 110),
    )  # fmt: skip
    far = [c for c in choices if sum(abs(a - b) for a, b in zip(c, colour, strict=True)) > 110]
    return far[look % len(far)]
