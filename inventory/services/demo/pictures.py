"""Pictures of the demo's goods, drawn from scratch: one function for each kind of thing."""

# Coordinates are easier to compare in dense rows than one to a line.
# fmt: off
from collections.abc import Callable, Mapping

from inventory.services.demo.canvas import (
    DARK_WOOD,
    INK,
    LEAF,
    METAL,
    PAPER,
    WHITE,
    WOOD,
    Canvas,
    Colour,
    Point,
    brightness,
    darker,
    lighter,
    mix,
    rounded,
)


def draw_picture(*, kind: str, colour: Colour, look: int, pattern: str = "") -> bytes:
    """Draw one product as a WebP file. The same arguments give the same picture.

    Raises KeyError for a kind that nobody can draw.
    """
    canvas = Canvas(colour, look=look)
    DRAWINGS[kind](canvas, pattern)
    return canvas.webp()


def _mirrored(half: list[Point]) -> list[Point]:
    """Complete an outline that is the same on both sides of the middle."""
    return [*half, *((1000 - x, y) for x, y in reversed(half))]


# Kitchen -----------------------------------------------------------------------------------------


def _mug(c: Canvas, pattern: str) -> None:
    c.shadow(500, 772, 300)
    c.ring(686, 560, 104, 118, darker(c.colour, 0.1), 40)
    c.shape(
        [(310, 385), (690, 385), (690, 700), (650, 768), (350, 768), (310, 700)],
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 385, 190, 50, lighter(c.colour, 0.35))
    c.ellipse(500, 388, 168, 39, darker(c.colour, 0.45))
    c.ellipse(500, 398, 150, 28, (94, 62, 46))


def _cup(c: Canvas, pattern: str) -> None:
    c.shadow(500, 730, 350)
    c.ellipse(500, 715, 320, 52, darker(c.colour, 0.12))
    c.ellipse(500, 703, 320, 50, lighter(c.colour, 0.12))
    c.ellipse(500, 705, 190, 26, darker(c.colour, 0.14))
    c.ring(688, 540, 74, 66, darker(c.colour, 0.08), 30)
    c.shape(
        [(310, 460), (690, 460), (672, 575), (600, 690), (400, 690), (328, 575)],
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 460, 190, 46, lighter(c.colour, 0.35))
    c.ellipse(500, 464, 166, 34, (94, 62, 46))
    c.ellipse(470, 460, 70, 12, (138, 96, 66))


def _bowl(c: Canvas, pattern: str) -> None:
    c.shadow(500, 742, 300)
    c.box(410, 700, 590, 745, darker(c.colour, 0.2), 10)
    c.shape(
        [(210, 455), (790, 455), (764, 560), (690, 655), (580, 718), (420, 718), (310, 655),
         (236, 560)],
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 455, 290, 70, lighter(c.colour, 0.35))
    c.ellipse(500, 460, 262, 56, darker(c.colour, 0.22))


def _plate(c: Canvas, pattern: str) -> None:
    c.shadow(510, 540, 380, 350)
    c.ellipse(500, 500, 340, 340, rounded(c.colour), pattern)
    c.ellipse(500, 500, 240, 240, darker(c.colour, 0.08))
    c.ellipse(506, 506, 226, 226, lighter(c.colour, 0.2))
    c.ring(500, 500, 326, 326, lighter(c.colour, 0.45), 8)


def _glass(c: Canvas, pattern: str) -> None:
    pale = mix(c.colour, WHITE, 0.55)
    c.shadow(500, 800, 210)
    c.shape([(350, 270), (650, 270), (610, 800), (390, 800)], (lighter(pale, 0.4), pale))
    c.shape(
        [(364, 450), (636, 450), (612, 775), (388, 775)],
        (lighter(c.colour, 0.1), darker(c.colour, 0.08)), pattern=pattern,
    )
    c.ellipse(500, 450, 136, 26, lighter(c.colour, 0.3))
    c.ring(500, 270, 150, 32, lighter(pale, 0.7), 9)
    c.line([(400, 320), (424, 740)], lighter(pale, 0.75), 12)


def _pan(c: Canvas, pattern: str) -> None:
    c.shadow(430, 700, 330)
    c.line([(690, 545), (930, 470)], INK, 40)
    c.line([(690, 548), (760, 526)], METAL, 46)
    c.shape(
        [(140, 520), (720, 520), (706, 640), (660, 696), (200, 696), (154, 640)], rounded(c.colour),
        pattern=pattern,
    )
    c.ellipse(430, 520, 292, 66, lighter(c.colour, 0.3))
    c.ellipse(430, 526, 268, 54, darker(c.colour, 0.55))
    c.ellipse(430, 540, 236, 38, darker(c.colour, 0.42))


def _casserole(c: Canvas, pattern: str) -> None:
    c.shadow(500, 760, 360)
    for x in (196, 804):
        c.ring(x, 560, 62, 34, darker(c.colour, 0.18), 28)
    c.box(210, 500, 790, 760, rounded(c.colour), 70, pattern)
    c.shape(
        [(196, 505), (220, 440), (340, 395), (500, 382), (660, 395), (780, 440), (804, 505)],
        (lighter(c.colour, 0.28), darker(c.colour, 0.05)),
    )
    c.box(190, 492, 810, 522, darker(c.colour, 0.22), 14)
    c.ellipse(500, 372, 46, 30, METAL)
    c.ellipse(492, 364, 24, 13, lighter(METAL, 0.5))


def _kettle(c: Canvas, pattern: str) -> None:
    c.shadow(500, 780, 300)
    c.ring(500, 430, 200, 220, INK, 34, 190, 350)
    c.shape([(640, 560), (800, 430), (850, 452), (700, 690)], darker(c.colour, 0.12))
    c.shape(
        [(260, 720), (300, 520), (400, 430), (600, 430), (700, 520), (740, 720), (690, 780),
         (310, 780)],
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 430, 112, 28, darker(c.colour, 0.18))
    c.ellipse(500, 408, 26, 24, INK)


def _teapot(c: Canvas, pattern: str) -> None:
    c.shadow(490, 750, 310)
    c.ring(250, 560, 110, 120, darker(c.colour, 0.12), 34)
    c.shape([(650, 590), (790, 400), (850, 390), (826, 430), (740, 690)], darker(c.colour, 0.08))
    c.ellipse(490, 585, 240, 170, rounded(c.colour), pattern)
    c.ellipse(490, 440, 118, 30, lighter(c.colour, 0.3))
    c.ellipse(490, 425, 96, 34, lighter(c.colour, 0.16))
    c.ellipse(490, 384, 30, 28, c.accent)
    c.box(380, 735, 600, 758, darker(c.colour, 0.25), 10)


def _cafetiere(c: Canvas, _: str) -> None:
    glass = mix(c.colour, WHITE, 0.7)
    c.shadow(480, 800, 220)
    c.ring(668, 540, 90, 150, INK, 34, 270, 90)
    c.box(330, 330, 650, 790, (lighter(glass, 0.5), glass), 24)
    c.box(344, 520, 636, 776, ((112, 74, 54), (76, 50, 38)), 16)
    c.box(344, 500, 636, 530, METAL, 6)
    c.line([(490, 220), (490, 500)], METAL, 14)
    c.ellipse(490, 206, 42, 34, INK)
    c.box(310, 300, 672, 346, (lighter(c.colour, 0.2), darker(c.colour, 0.2)), 18)
    c.box(318, 700, 662, 730, c.colour, 6)
    c.box(316, 776, 664, 806, c.colour, 12)


def _board(c: Canvas, _: str) -> None:
    c.shadow(510, 540, 330, 380)
    c.box(290, 290, 710, 830, (lighter(c.colour, 0.14), darker(c.colour, 0.08)), 60)
    c.box(440, 140, 560, 340, lighter(c.colour, 0.05), 50)
    c.ellipse(500, 200, 26, 26, darker(c.colour, 0.55))
    for x, bend in ((370, 12), (450, -10), (550, 14), (630, -8)):
        c.line([(x, 330), (x + bend, 560), (x - bend, 800)], darker(c.colour, 0.14), 6)


def _knife(c: Canvas, _: str) -> None:
    c.shadow(520, 560, 400, 120)
    c.shape(
        [(130, 520), (300, 440), (620, 420), (640, 420), (640, 560), (300, 556)],
        (lighter(METAL, 0.55), METAL),
    )
    c.shape([(130, 520), (300, 540), (640, 546), (640, 560), (300, 556)], lighter(METAL, 0.75))
    c.box(632, 408, 668, 566, darker(METAL, 0.3), 8)
    c.shape(
        [(664, 424), (860, 430), (900, 470), (890, 560), (830, 552), (664, 548)],
        rounded(c.colour),
    )
    for x in (716, 780, 844):
        c.ellipse(x, 490, 11, 11, lighter(METAL, 0.4))


# Furniture ---------------------------------------------------------------------------------------


def _chair(c: Canvas, _: str) -> None:
    c.shadow(500, 862, 260)
    for points in ([(350, 590), (310, 860)], [(650, 590), (690, 860)]):
        c.line(points, DARK_WOOD, 28)
    for points in ([(400, 600), (392, 820)], [(600, 600), (608, 820)]):
        c.line(points, darker(DARK_WOOD, 0.25), 22)
    c.box(318, 190, 682, 470, rounded(c.colour), 90)
    c.line([(372, 440), (372, 580)], DARK_WOOD, 24)
    c.line([(628, 440), (628, 580)], DARK_WOOD, 24)
    c.shape(
        [(300, 600), (330, 545), (670, 545), (700, 600), (690, 640), (310, 640)],
        (lighter(c.colour, 0.22), c.colour),
    )


def _stool(c: Canvas, _: str) -> None:
    c.shadow(500, 850, 230)
    for points in (
        [(400, 420), (320, 848)], [(600, 420), (680, 848)], [(480, 420), (470, 810)],
        [(530, 420), (548, 810)],
    ):
        c.line(points, DARK_WOOD, 26)
    c.line([(352, 680), (648, 680)], darker(DARK_WOOD, 0.2), 20)
    c.ellipse(500, 415, 220, 56, darker(c.colour, 0.25))
    c.ellipse(500, 392, 220, 56, (lighter(c.colour, 0.24), c.colour))


def _armchair(c: Canvas, pattern: str) -> None:
    c.shadow(500, 842, 340)
    for x in (300, 700):
        c.line([(x, 770), (x, 840)], DARK_WOOD, 30)
    c.box(280, 240, 720, 700, rounded(c.colour), 110, pattern)
    c.box(330, 560, 670, 720, lighter(c.colour, 0.2), 40)
    c.box(200, 470, 340, 790, rounded(darker(c.colour, 0.06)), 66)
    c.box(660, 470, 800, 790, rounded(darker(c.colour, 0.14)), 66)
    c.box(300, 700, 700, 790, darker(c.colour, 0.12), 20)


def _table(c: Canvas, _: str) -> None:
    c.shadow(500, 812, 380)
    for x, lean in ((220, -26), (780, 26)):
        c.line([(x, 440), (x + lean, 808)], darker(c.colour, 0.2), 32)
    for x in (340, 660):
        c.line([(x, 440), (x, 752)], darker(c.colour, 0.36), 24)
    c.box(190, 420, 810, 486, darker(c.colour, 0.16), 8)
    c.shape(
        [(230, 350), (770, 350), (870, 424), (130, 424)],
        (lighter(c.colour, 0.24), lighter(c.colour, 0.02)),
    )
    c.box(130, 420, 870, 446, darker(c.colour, 0.08), 8)


def _desk(c: Canvas, _: str) -> None:
    c.shadow(500, 812, 390)
    for x in (160, 840):
        c.line([(x, 420), (x, 808)], darker(c.colour, 0.24), 30)
    c.box(560, 420, 830, 620, darker(c.colour, 0.12), 8)
    for y in (440, 530):
        c.box(580, y, 812, y + 72, lighter(c.colour, 0.12), 8)
        c.ellipse(696, y + 36, 13, 13, c.accent)
    c.box(116, 376, 884, 424, (lighter(c.colour, 0.2), c.colour), 12)
    c.box(220, 340, 400, 376, c.accent, 6)
    c.box(236, 308, 390, 342, lighter(c.accent, 0.4), 6)


def _shelf(c: Canvas, _: str) -> None:
    c.shadow(500, 880, 280)
    c.box(270, 130, 300, 880, darker(c.colour, 0.22), 6)
    c.box(700, 130, 730, 880, darker(c.colour, 0.28), 6)
    for y in (170, 400, 630, 842):
        c.box(262, y, 738, y + 30, (lighter(c.colour, 0.16), c.colour), 6)
    books = ((310, c.accent), (350, LEAF), (386, (206, 170, 110)), (424, (120, 110, 140)))
    for x, colour in books:
        c.box(x, 262 + (x % 3) * 22, x + 32, 400, colour, 4)
    c.ellipse(610, 350, 56, 50, lighter(c.accent, 0.4))
    c.box(560, 520, 680, 630, (208, 178, 140), 12)
    c.shape([(350, 630), (360, 560), (460, 560), (470, 630)], (196, 124, 92))
    for dx, dy in ((-34, -60), (0, -84), (36, -56)):
        c.ellipse(410 + dx, 556 + dy / 2, 22, 46, LEAF)
    c.box(330, 740, 560, 842, (206, 196, 180), 10)


def _basket(c: Canvas, _: str) -> None:
    c.shadow(500, 800, 300)
    c.ring(500, 440, 210, 230, darker(c.colour, 0.2), 30, 180, 360)
    c.shape([(230, 440), (770, 440), (700, 800), (300, 800)], rounded(c.colour))
    for row in range(6):
        y = 490 + row * 52
        inset = row * 10
        c.line([(244 + inset, y), (756 - inset, y)], darker(c.colour, 0.24), 8)
        for column in range(9):
            x = 262 + inset + column * ((476 - 2 * inset) / 8.2) + (row % 2) * 16
            c.line([(x, y - 40), (x, y - 12)], lighter(c.colour, 0.3), 10)
    c.box(216, 420, 784, 470, lighter(c.colour, 0.16), 24)


# Lighting ----------------------------------------------------------------------------------------


def _table_lamp(c: Canvas, pattern: str) -> None:
    glow = (255, 240, 205)
    c.shadow(500, 850, 220)
    c.box(478, 470, 522, 800, METAL if c.look % 2 else WOOD, 12)
    c.ellipse(500, 640, 74, 96, rounded(c.accent))
    c.ellipse(500, 830, 150, 30, darker(METAL, 0.2) if c.look % 2 else DARK_WOOD)
    c.shape([(375, 180), (625, 180), (740, 490), (260, 490)], rounded(c.colour), pattern=pattern)
    c.ellipse(500, 490, 240, 34, glow)
    c.ellipse(500, 180, 125, 18, lighter(c.colour, 0.4))


def _pendant(c: Canvas, pattern: str) -> None:
    c.line([(500, 0), (500, 330)], INK, 9)
    c.box(470, 300, 530, 370, METAL, 14)
    if c.look % 2:
        c.ellipse(500, 540, 240, 200, rounded(c.colour), pattern)
        c.ellipse(500, 700, 130, 26, (255, 240, 205))
    else:
        c.shape(
            [(450, 360), (550, 360), (640, 430), (730, 640), (270, 640), (360, 430)],
            rounded(c.colour), pattern=pattern,
        )
        c.ellipse(500, 640, 230, 40, (255, 240, 205))
        c.ellipse(500, 648, 60, 40, WHITE)
    c.shadow(500, 900, 230, 30)


# Soft furnishings --------------------------------------------------------------------------------


def _cushion(c: Canvas, pattern: str) -> None:
    c.shadow(510, 800, 340, 40)
    c.shape(
        [(200, 210), (350, 240), (500, 246), (650, 240), (800, 210), (770, 350), (764, 500),
         (770, 650), (800, 790), (650, 762), (500, 756), (350, 762), (200, 790), (230, 650),
         (236, 500), (230, 350)],
        rounded(c.colour), smooth=True, pattern=pattern,
    )
    c.ellipse(500, 500, 16, 16, darker(c.colour, 0.3))


def _throw(c: Canvas, pattern: str) -> None:
    c.shadow(500, 790, 380, 34)
    for index, y in enumerate((640, 540, 440)):
        share = 0.2 - index * 0.12
        tone = darker(c.colour, share) if share > 0 else lighter(c.colour, -share)
        c.box(170, y, 830, y + 140, (lighter(tone, 0.14), darker(tone, 0.08)), 66,
              pattern if index == 2 else "")
        c.line([(240, y + 70), (790, y + 70)], darker(tone, 0.16), 6)
    for x in range(220, 800, 30):
        c.line([(x, 776), (x + 4, 820)], lighter(c.colour, 0.25), 9)


def _rug(c: Canvas, pattern: str) -> None:
    c.shadow(510, 560, 420, 300)
    for x in range(180, 840, 26):
        c.line([(x, 240), (x, 300)], PAPER, 8)
        c.line([(x, 720), (x, 770)], PAPER, 8)
    c.box(160, 270, 840, 740, rounded(c.colour), 8, pattern or "zigzag")
    c.box(160, 270, 840, 312, c.accent, 6)
    c.box(160, 698, 840, 740, c.accent, 6)


def _towel(c: Canvas, pattern: str) -> None:
    c.shadow(500, 800, 320, 30)
    tones = (darker(c.colour, 0.16), c.colour, lighter(c.colour, 0.22))
    for tone, y in zip(tones, (660, 530, 400), strict=True):
        c.box(220, y, 780, y + 130, (lighter(tone, 0.15), darker(tone, 0.06)), 58,
              "band" if pattern and y == 400 else "")
        c.ring(264, y + 66, 28, 40, darker(tone, 0.16), 7, 90, 270)
    c.box(430, 352, 570, 404, lighter(c.accent, 0.4), 24)


# Decoration --------------------------------------------------------------------------------------


def _vase(c: Canvas, pattern: str) -> None:
    for x, y, bend in ((430, 130, -30), (520, 90, 6), (600, 160, 40)):
        c.line([(500 + bend / 3, 400), (500 + bend, 290), (x, y + 40)], LEAF, 9)
        c.ellipse(x, y + 30, 42, 42, c.accent)
        c.ellipse(x, y + 30, 16, 16, lighter(c.accent, 0.6))
    c.ellipse(420, 300, 20, 54, LEAF)
    c.ellipse(588, 320, 18, 50, darker(LEAF, 0.12))
    c.shadow(500, 856, 210)
    c.shape(
        _mirrored(
            [(440, 380), (446, 450), (400, 530), (346, 640), (360, 770), (420, 852), (470, 856)]
            if c.look % 2
            else [(430, 380), (420, 460), (380, 560), (380, 740), (400, 840), (470, 858)]
        ),
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 380, 66, 16, darker(c.colour, 0.35))


def _candle(c: Canvas, pattern: str) -> None:
    c.shadow(500, 806, 220)
    c.ellipse(500, 268, 92, 110, mix((255, 226, 150), WHITE, 0.45))
    c.shape([(500, 190), (536, 270), (500, 322), (464, 270)], (250, 176, 72), smooth=True)
    c.shape([(500, 244), (516, 282), (500, 310), (484, 282)], (255, 236, 170), smooth=True)
    c.line([(500, 310), (500, 392)], INK, 8)
    c.box(330, 380, 670, 806, (lighter(c.colour, 0.3), darker(c.colour, 0.1)), 36, pattern)
    c.ellipse(500, 392, 168, 34, lighter(c.colour, 0.45))
    c.box(330, 560, 670, 690, PAPER, 0)
    c.box(420, 594, 580, 606, INK, 4)
    c.box(450, 632, 550, 642, c.accent, 4)


def _frame(c: Canvas, _: str) -> None:
    c.shadow(512, 530, 330, 390)
    c.box(230, 130, 770, 850, (WOOD, darker(WOOD, 0.2)) if c.look % 2 else INK, 6)
    c.box(262, 162, 738, 818, PAPER)
    c.box(320, 220, 680, 760, lighter(c.colour, 0.62))
    if c.look % 3 == 0:
        c.ellipse(560, 370, 84, 84, c.accent)
        c.shape([(320, 640), (440, 480), (560, 600), (680, 520), (680, 760), (320, 760)], c.colour)
        hill = [(320, 700), (470, 600), (680, 690), (680, 760), (320, 760)]
        c.shape(hill, darker(c.colour, 0.25))
    elif c.look % 3 == 1:
        c.line([(500, 740), (500, 400)], LEAF, 12)
        for y, side in ((650, -1), (580, 1), (510, -1), (440, 1)):
            c.ellipse(500 + side * 64, y, 62, 24, c.colour)
        c.ellipse(500, 360, 40, 60, c.accent)
    else:
        c.ellipse(440, 420, 110, 110, c.colour)
        c.ellipse(560, 540, 110, 110, c.accent)
        c.box(400, 560, 520, 700, darker(c.colour, 0.3))


def _clock(c: Canvas, _: str) -> None:
    c.shadow(512, 530, 350, 340)
    c.ellipse(500, 500, 310, 310, rounded(c.colour))
    c.ellipse(500, 500, 264, 264, PAPER)
    c.rays(500, 500, 212, 240, 12, INK, 12)
    c.line([(500, 500), (420, 390)], INK, 22)
    c.line([(500, 500), (640, 380)], INK, 15)
    c.line([(500, 540), (510, 320)], c.accent, 7)
    c.ellipse(500, 500, 20, 20, c.accent)


# Clothing ----------------------------------------------------------------------------------------


def _tee(c: Canvas, pattern: str) -> None:
    c.shadow(500, 872, 240)
    c.shape(
        _mirrored(
            [(430, 190), (345, 215), (170, 360), (250, 470), (325, 420), (320, 860), (500, 872)]
        ),
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 190, 82, 52, darker(c.colour, 0.32))
    c.ring(500, 186, 84, 62, lighter(c.colour, 0.16), 16, 0, 180)
    c.line([(325, 420), (322, 520)], darker(c.colour, 0.18), 6)
    c.line([(675, 420), (678, 520)], darker(c.colour, 0.18), 6)


def _shirt(c: Canvas, pattern: str) -> None:
    c.shadow(500, 880, 250)
    c.shape(
        _mirrored(
            [(440, 180), (340, 215), (255, 300), (205, 760), (300, 775), (338, 480), (325, 872),
             (500, 884)]
        ),
        rounded(c.colour), pattern=pattern,
    )
    c.shape([(440, 180), (500, 270), (560, 180), (530, 166), (470, 166)], darker(c.colour, 0.35))
    c.shape([(432, 164), (500, 268), (450, 312), (396, 214)], lighter(c.colour, 0.2))
    c.shape([(568, 164), (500, 268), (550, 312), (604, 214)], lighter(c.colour, 0.12))
    c.line([(500, 272), (500, 872)], darker(c.colour, 0.22), 5)
    for y in range(340, 860, 96):
        c.ellipse(512, y, 9, 9, lighter(c.colour, 0.65))
    c.box(560, 430, 650, 520, darker(c.colour, 0.12), 8)
    c.line([(338, 480), (332, 620)], darker(c.colour, 0.2), 6)
    c.line([(662, 480), (668, 620)], darker(c.colour, 0.2), 6)


def _jumper(c: Canvas, pattern: str) -> None:
    c.shadow(500, 860, 280)
    c.shape(
        _mirrored(
            [(430, 190), (330, 220), (240, 310), (175, 740), (275, 760), (330, 500), (322, 800),
             (500, 812)]
        ),
        rounded(c.colour), pattern=pattern,
    )
    rib = darker(c.colour, 0.16)
    c.shape([(322, 790), (678, 790), (668, 856), (332, 856)], rib)
    c.shape([(172, 722), (280, 742), (270, 800), (166, 782)], rib)
    c.shape([(828, 722), (720, 742), (730, 800), (834, 782)], rib)
    for x in range(350, 670, 24):
        c.line([(x, 800), (x, 846)], darker(rib, 0.14), 4)
    c.ellipse(500, 194, 86, 46, darker(c.colour, 0.4))
    c.ring(500, 190, 92, 60, rib, 30, 0, 180)
    c.line([(330, 500), (328, 640)], darker(c.colour, 0.18), 6)
    c.line([(670, 500), (672, 640)], darker(c.colour, 0.18), 6)


def _jacket(c: Canvas, pattern: str) -> None:
    c.shadow(500, 890, 270)
    c.shape(
        _mirrored(
            [(420, 180), (330, 215), (235, 310), (180, 760), (290, 780), (332, 500), (315, 880),
             (500, 888)]
        ),
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 190, 100, 60, darker(c.colour, 0.35))
    c.shape([(412, 168), (500, 320), (440, 400), (372, 230)], lighter(c.colour, 0.16))
    c.shape([(588, 168), (500, 320), (560, 400), (628, 230)], lighter(c.colour, 0.08))
    c.line([(500, 320), (500, 884)], darker(c.colour, 0.34), 9)
    for x in (372, 552):
        c.box(x, 600, x + 88, 712, darker(c.colour, 0.14), 10)
        c.box(x - 6, 592, x + 94, 628, darker(c.colour, 0.22), 10)
    for y in (420, 520, 620, 720, 820):
        c.ellipse(520, y, 11, 11, lighter(c.accent, 0.3))


def _trousers(c: Canvas, pattern: str) -> None:
    c.shadow(500, 900, 230)
    c.shape(
        _mirrored([(330, 150), (318, 320), (300, 890), (450, 892), (494, 420), (500, 400)]),
        rounded(c.colour), pattern=pattern,
    )
    c.box(326, 140, 674, 196, darker(c.colour, 0.16), 10)
    c.ellipse(500, 168, 12, 12, lighter(c.accent, 0.3))
    c.line([(500, 196), (500, 400)], darker(c.colour, 0.26), 6)
    c.line([(346, 210), (396, 300)], darker(c.colour, 0.22), 7)
    c.line([(654, 210), (604, 300)], darker(c.colour, 0.22), 7)


def _beanie(c: Canvas, pattern: str) -> None:
    c.shadow(500, 770, 300)
    c.ellipse(500, 240, 66, 62, lighter(c.accent, 0.15))
    c.shape(
        [(240, 640), (250, 480), (330, 330), (500, 268), (670, 330), (750, 480), (760, 640)],
        rounded(c.colour), smooth=False, pattern=pattern,
    )
    for x in (330, 415, 500, 585, 670):
        c.line([(500 + (x - 500) * 0.25, 300), (x, 620)], darker(c.colour, 0.14), 6)
    c.box(222, 610, 778, 760, (lighter(c.colour, 0.1), darker(c.colour, 0.22)), 40)
    for x in range(258, 760, 34):
        c.line([(x, 634), (x, 738)], darker(c.colour, 0.26), 6)


def _scarf(c: Canvas, pattern: str) -> None:
    c.shadow(500, 880, 220)
    c.shape([(540, 420), (680, 400), (720, 780), (580, 800)], rounded(darker(c.colour, 0.1)),
            pattern=pattern)
    for x in range(590, 720, 24):
        c.line([(x, 786), (x + 4, 850)], lighter(c.colour, 0.2), 9)
    c.ellipse(500, 360, 270, 170, rounded(c.colour), pattern)
    c.ellipse(500, 318, 160, 80, darker(c.colour, 0.45))
    c.shape([(360, 440), (500, 460), (500, 850), (360, 850)], rounded(lighter(c.colour, 0.08)),
            pattern=pattern)
    for x in range(372, 500, 24):
        c.line([(x, 846), (x, 908)], lighter(c.colour, 0.3), 9)


def _socks(c: Canvas, pattern: str) -> None:
    c.shadow(500, 848, 320)
    for dx, tone in ((130, darker(c.colour, 0.12)), (-60, c.colour)):
        c.shape(
            [(360 + dx, 180), (540 + dx, 180), (540 + dx, 560), (600 + dx, 640), (700 + dx, 690),
             (740 + dx, 760), (700 + dx, 830), (560 + dx, 836), (420 + dx, 770), (360 + dx, 640)],
            rounded(tone), pattern=pattern or "stripes",
        )
        c.box(352 + dx, 160, 548 + dx, 236, c.accent, 14)
        c.ellipse(396 + dx, 690, 42, 56, c.accent)
        c.ellipse(700 + dx, 770, 46, 56, c.accent)


def _tote(c: Canvas, pattern: str) -> None:
    c.shadow(500, 856, 280)
    c.ring(500, 400, 130, 230, darker(c.colour, 0.2), 26, 180, 360)
    c.shape([(260, 380), (740, 380), (774, 850), (226, 850)], rounded(c.colour), pattern=pattern)
    c.line([(262, 410), (738, 410)], darker(c.colour, 0.2), 6)
    c.ellipse(500, 620, 96, 96, c.accent)
    c.ellipse(500, 620, 60, 60, lighter(c.accent, 0.4))


def _backpack(c: Canvas, pattern: str) -> None:
    c.shadow(500, 870, 270)
    c.ring(500, 190, 70, 70, INK, 24, 180, 360)
    for x in (276, 724):
        c.box(x - 36, 420, x + 36, 780, darker(c.colour, 0.3), 30)
    c.box(280, 180, 720, 866, rounded(c.colour), 130, pattern)
    c.shape([(280, 420), (300, 290), (400, 190), (600, 190), (700, 290), (720, 420)],
            lighter(c.colour, 0.1))
    c.box(330, 560, 670, 810, darker(c.colour, 0.14), 44)
    c.box(330, 556, 670, 620, darker(c.colour, 0.24), 26)
    for x in (410, 590):
        c.box(x - 22, 380, x + 22, 640, c.accent, 8)
        c.box(x - 28, 588, x + 28, 626, METAL, 8)


def _cap(c: Canvas, pattern: str) -> None:
    c.shadow(520, 690, 340)
    c.shape([(560, 560), (760, 570), (900, 640), (860, 680), (560, 660)], darker(c.colour, 0.2))
    c.shape(
        [(190, 640), (200, 480), (300, 360), (460, 318), (620, 372), (700, 480), (712, 640),
         (450, 676)],
        rounded(c.colour), pattern=pattern,
    )
    c.line([(460, 322), (450, 670)], darker(c.colour, 0.16), 6)
    c.line([(458, 322), (300, 640)], darker(c.colour, 0.12), 5)
    c.line([(462, 322), (600, 640)], darker(c.colour, 0.16), 5)
    c.ellipse(460, 318, 22, 16, c.accent)


# Garden ------------------------------------------------------------------------------------------


def _pot(c: Canvas, pattern: str) -> None:
    c.shadow(500, 868, 240)
    for x, y, rx, ry, tone in (
        (380, 330, 70, 130, LEAF), (620, 330, 70, 130, darker(LEAF, 0.1)),
        (500, 250, 72, 160, lighter(LEAF, 0.14)), (310, 440, 96, 50, darker(LEAF, 0.16)),
        (690, 440, 96, 50, LEAF), (440, 400, 60, 110, darker(LEAF, 0.06)),
        (560, 410, 60, 110, lighter(LEAF, 0.06)),
    ):
        c.ellipse(x, y, rx, ry, tone)
    c.line([(500, 180), (500, 470)], darker(LEAF, 0.25), 6)
    c.shape([(320, 560), (680, 560), (630, 868), (370, 868)], rounded(c.colour), pattern=pattern)
    c.box(292, 490, 708, 580, (lighter(c.colour, 0.24), darker(c.colour, 0.08)), 14)


def _watering_can(c: Canvas, _: str) -> None:
    c.shadow(470, 812, 320)
    c.ring(380, 470, 170, 190, darker(c.colour, 0.22), 28, 150, 330)
    c.line([(600, 700), (830, 400)], darker(c.colour, 0.1), 44)
    c.shape([(786, 330), (910, 420), (880, 452), (770, 376)], darker(c.colour, 0.22))
    c.shape([(280, 480), (640, 480), (660, 810), (260, 810)], rounded(c.colour))
    c.ellipse(460, 480, 180, 34, darker(c.colour, 0.36))
    c.box(262, 700, 658, 724, lighter(c.colour, 0.3), 4)


def _trowel(c: Canvas, _: str) -> None:
    c.shadow(520, 700, 260, 60)
    c.line([(330, 250), (440, 400)], c.colour, 66)
    c.line([(330, 250), (345, 270)], darker(c.colour, 0.3), 66)
    c.line([(450, 414), (540, 530)], METAL, 28)
    c.shape(
        [(470, 560), (600, 470), (740, 620), (800, 800), (620, 770)],
        (lighter(METAL, 0.4), darker(METAL, 0.16)), smooth=True,
    )
    c.line([(570, 560), (740, 740)], darker(METAL, 0.16), 10)


def _logs(c: Canvas, _: str) -> None:
    c.shadow(500, 806, 360)
    bark = darker(c.colour, 0.38)
    for row, xs in enumerate(((260, 420, 580, 740), (340, 500, 660), (420, 580))):
        y = 728 - row * 138
        for x in xs:
            radius = 76 - (x * 7 + row * 3) % 11
            c.ellipse(x, y, radius, radius, bark)
            c.ellipse(x, y, radius - 13, radius - 13, (lighter(c.colour, 0.35), c.colour))
            for ring in (0.62, 0.36):
                c.ring(x, y, radius * ring, radius * ring, darker(c.colour, 0.2), 4)
            c.line([(x, y), (x + radius * 0.6, y - radius * 0.3)], darker(c.colour, 0.25), 4)
    c.line([(250, 640), (150, 560)], bark, 20)
    c.ellipse(150, 548, 34, 20, LEAF)


def _seeds(c: Canvas, _: str) -> None:
    c.shadow(510, 540, 270, 390)
    c.box(280, 150, 720, 860, rounded(PAPER), 10)
    c.box(280, 150, 720, 300, c.colour, 10)
    c.box(340, 200, 660, 220, WHITE, 6)
    c.box(390, 244, 610, 258, lighter(c.colour, 0.6), 5)
    c.line([(500, 760), (500, 470)], LEAF, 14)
    for side, y in ((-1, 690), (1, 630), (-1, 570), (1, 520)):
        c.ellipse(500 + side * 66, y, 66, 26, LEAF)
    for angle_x, angle_y in ((0, -70), (60, -30), (40, 44), (-40, 44), (-60, -30)):
        c.ellipse(500 + angle_x, 430 + angle_y, 42, 42, c.accent)
    c.ellipse(500, 430, 36, 36, (240, 200, 96))
    c.box(360, 796, 640, 810, INK, 4)


# Pantry and stationery ---------------------------------------------------------------------------


def _tin(c: Canvas, pattern: str) -> None:
    c.shadow(500, 836, 240)
    c.box(300, 330, 700, 830, rounded(c.colour), 26, pattern)
    c.ellipse(500, 334, 200, 44, lighter(c.colour, 0.12))
    c.box(290, 250, 710, 330, (lighter(METAL, 0.3), darker(METAL, 0.1)), 22)
    c.ellipse(500, 254, 206, 38, lighter(METAL, 0.45))
    c.box(350, 450, 650, 720, PAPER, 20)
    c.ellipse(470, 560, 52, 26, LEAF)
    c.ellipse(540, 540, 52, 26, darker(LEAF, 0.1))
    c.box(400, 630, 600, 644, INK, 5)
    c.box(430, 664, 570, 674, c.accent, 5)


def _coffee_bag(c: Canvas, _: str) -> None:
    c.shadow(500, 862, 230)
    c.shape([(310, 240), (690, 240), (712, 860), (288, 860)], rounded(c.colour))
    c.box(304, 160, 696, 262, darker(c.colour, 0.16), 10)
    c.line([(330, 212), (670, 212)], darker(c.colour, 0.34), 8)
    c.box(360, 390, 640, 720, PAPER, 12)
    c.ellipse(500, 500, 62, 84, (104, 70, 52))
    c.line([(516, 426), (486, 500), (514, 574)], PAPER, 11)
    c.box(410, 624, 590, 640, INK, 5)
    c.box(440, 666, 560, 676, c.accent, 5)


def _jar(c: Canvas, _: str) -> None:
    glass = lighter(c.colour, 0.3)
    c.shadow(500, 836, 230)
    c.box(300, 330, 700, 832, (lighter(glass, 0.3), c.colour), 70)
    c.box(322, 420, 678, 812, (lighter(c.colour, 0.08), darker(c.colour, 0.12)), 56)
    c.box(320, 230, 680, 340, (lighter(c.accent, 0.18), darker(c.accent, 0.14)), 22)
    for x in range(346, 680, 30):
        c.line([(x, 250), (x, 322)], darker(c.accent, 0.16), 4)
    c.box(360, 510, 640, 720, PAPER, 14)
    c.ellipse(500, 580, 40, 40, c.colour)
    c.box(410, 648, 590, 662, INK, 5)
    c.line([(348, 400), (348, 480)], lighter(glass, 0.7), 14)


def _bottle(c: Canvas, _: str) -> None:
    c.shadow(500, 880, 170)
    c.box(466, 100, 534, 200, INK, 12)
    c.shape(
        _mirrored([(462, 180), (460, 310), (400, 390), (376, 470), (376, 850), (404, 878),
                   (500, 880)]),
        rounded(c.colour),
    )
    c.box(376, 540, 624, 770, PAPER)
    c.ellipse(500, 620, 46, 46, c.accent)
    c.box(420, 696, 580, 710, INK, 5)
    c.line([(408, 480), (408, 530)], lighter(c.colour, 0.6), 14)


def _chocolate(c: Canvas, pattern: str) -> None:
    cocoa = (98, 62, 46)
    c.shadow(510, 540, 270, 380)
    c.box(310, 150, 690, 560, cocoa, 10)
    for row in range(3):
        for column in range(3):
            x, y = 326 + column * 120, 166 + row * 116
            c.box(x, y, x + 108, y + 104, lighter(cocoa, 0.12), 10)
            c.box(x + 14, y + 12, x + 94, y + 90, lighter(cocoa, 0.04), 8)
    c.shape([(296, 430), (704, 400), (704, 860), (296, 860)], (WHITE, METAL))
    c.box(290, 470, 710, 866, rounded(c.colour), 10, pattern)
    c.box(350, 580, 650, 740, PAPER, 10)
    c.box(400, 624, 600, 642, INK, 5)
    c.box(430, 676, 570, 688, c.accent, 5)


def _book(c: Canvas, _: str) -> None:
    c.shadow(510, 560, 300, 370)
    c.shape([(730, 190), (768, 220), (768, 860), (730, 850)], darker(PAPER, 0.12))
    c.box(272, 836, 768, 866, darker(PAPER, 0.06), 6)
    c.box(250, 150, 732, 850, rounded(c.colour), 12)
    c.box(250, 150, 300, 850, darker(c.colour, 0.24), 10)
    ink = PAPER if brightness(c.colour) < 0.62 else INK
    c.box(362, 250, 672, 272, ink, 6)
    c.box(402, 300, 632, 316, ink, 6)
    if c.look % 4 == 0:
        c.ellipse(516, 540, 110, 110, c.accent)
        c.ellipse(516, 540, 66, 66, lighter(c.accent, 0.45))
    elif c.look % 4 == 1:
        c.shape([(370, 660), (470, 470), (540, 580), (600, 500), (670, 660)], c.accent)
        c.ellipse(620, 440, 36, 36, lighter(c.accent, 0.5))
    elif c.look % 4 == 2:
        c.line([(516, 670), (516, 470)], ink, 10)
        for side, y in ((-1, 620), (1, 570), (-1, 520)):
            c.ellipse(516 + side * 58, y, 58, 24, c.accent)
        c.ellipse(516, 440, 34, 50, lighter(c.accent, 0.3))
    else:
        for index in range(4):
            y = 440 + index * 62
            tone = mix(c.accent, ink, index * 0.2)
            c.box(390 + index * 22, y, 650 - index * 22, y + 38, tone, 18)
    c.box(442, 752, 592, 768, ink, 6)


def _notebook(c: Canvas, pattern: str) -> None:
    c.shadow(510, 560, 280, 370)
    c.box(300, 168, 744, 862, darker(PAPER, 0.1), 20)
    c.box(280, 150, 726, 850, rounded(c.colour), 26, pattern)
    c.box(620, 150, 648, 850, darker(c.accent, 0.1))
    c.box(340, 270, 560, 370, PAPER, 10)
    c.box(366, 304, 534, 314, INK, 4)
    c.box(366, 334, 490, 342, lighter(INK, 0.4), 4)
    for y in range(210, 830, 62):
        c.ellipse(300, y, 12, 12, darker(c.colour, 0.5))
        c.line([(262, y), (300, y)], METAL, 12)


def _pen(c: Canvas, _: str) -> None:
    c.shadow(520, 640, 380, 70)
    c.line([(240, 760), (700, 300)], c.colour, 70)
    c.line([(252, 730), (690, 292)], lighter(c.colour, 0.35), 12)
    c.line([(600, 400), (640, 360)], c.accent, 72)
    c.line([(700, 300), (770, 230)], darker(c.colour, 0.25), 62)
    c.line([(660, 250), (780, 130)], METAL, 16)
    c.shape([(216, 738), (264, 784), (150, 850)], METAL)
    c.line([(150, 850), (172, 828)], INK, 10)


def _pencils(c: Canvas, _: str) -> None:
    tones = (c.colour, c.accent, LEAF, (226, 178, 82), (120, 110, 150))
    c.shadow(500, 830, 260)
    for index, tone in enumerate(tones):
        x = 340 + index * 80
        top = 210 + (index * 53) % 110
        c.box(x - 26, top + 90, x + 26, 620, (lighter(tone, 0.2), darker(tone, 0.12)))
        c.shape([(x - 26, top + 92), (x + 26, top + 92), (x, top)], (232, 204, 164))
        c.shape([(x - 9, top + 32), (x + 9, top + 32), (x, top)], tone)
    c.box(270, 520, 730, 830, rounded(mix(c.colour, PAPER, 0.55)), 30)
    c.box(270, 600, 730, 640, c.colour)


# Children ----------------------------------------------------------------------------------------


def _bear(c: Canvas, _: str) -> None:
    pale = lighter(c.colour, 0.42)
    c.shadow(500, 872, 280)
    for x in (340, 660):
        c.ellipse(x, 250, 76, 76, c.colour)
        c.ellipse(x, 250, 44, 44, pale)
        c.ellipse(500 + (x - 500) * 1.2, 800, 92, 76, darker(c.colour, 0.08))
        c.ellipse(500 + (x - 500) * 1.25, 808, 52, 44, pale)
        c.ellipse(500 + (x - 500) * 1.34, 640, 62, 118, darker(c.colour, 0.06))
    c.ellipse(500, 690, 200, 190, rounded(c.colour))
    c.ellipse(500, 715, 120, 124, pale)
    c.ellipse(500, 380, 210, 184, rounded(c.colour))
    c.ellipse(500, 440, 96, 74, pale)
    c.ellipse(500, 408, 34, 24, INK)
    c.line([(500, 424), (500, 462)], INK, 8)
    c.ring(500, 450, 40, 24, INK, 8, 20, 160)
    for x in (424, 576):
        c.ellipse(x, 350, 19, 22, INK)
        c.ellipse(x + 6, 342, 6, 7, WHITE)
    c.shape([(500, 560), (420, 526), (420, 594)], c.accent)
    c.shape([(500, 560), (580, 526), (580, 594)], c.accent)
    c.ellipse(500, 560, 22, 22, darker(c.accent, 0.15))


def _blocks(c: Canvas, _: str) -> None:
    c.shadow(500, 820, 340)
    yellow = (226, 178, 82)
    for x, y, tone in ((210, 590, c.colour), (445, 590, c.accent), (680, 590, LEAF),
                       (330, 360, yellow), (562, 360, darker(c.colour, 0.2))):
        c.box(x - 60, y, x + 164, y + 224, (lighter(tone, 0.14), darker(tone, 0.06)), 24)
        c.box(x - 36, y + 24, x + 140, y + 200, lighter(tone, 0.3), 16)
    c.shape([(382, 560), (322, 430), (442, 430)], darker(yellow, 0.2))
    c.ellipse(614, 472, 54, 54, darker(c.colour, 0.35))
    c.box(216, 660, 308, 752, darker(c.colour, 0.14), 10)
    c.ring(497, 702, 50, 50, darker(c.accent, 0.16), 22)
    c.rays(732, 702, 6, 56, 8, darker(LEAF, 0.2), 18)
    c.shape([(420, 350), (600, 350), (510, 220)], c.colour)


def _train(c: Canvas, _: str) -> None:
    c.shadow(500, 780, 380)
    c.box(180, 480, 560, 690, rounded(c.colour), 60)
    c.box(520, 310, 790, 690, rounded(c.accent), 26)
    c.box(500, 280, 812, 330, darker(c.colour, 0.2), 18)
    c.box(572, 376, 738, 500, lighter(c.accent, 0.68), 16)
    c.shape([(250, 490), (230, 360), (340, 360), (320, 490)], darker(c.colour, 0.2))
    c.box(214, 336, 356, 376, c.accent, 14)
    c.box(150, 650, 820, 700, darker(c.colour, 0.32), 18)
    for x, radius in ((270, 66), (440, 66), (670, 88)):
        y = 790 - radius
        c.ellipse(x, y, radius, radius, INK)
        c.ellipse(x, y, radius * 0.66, radius * 0.66, WOOD)
        c.ellipse(x, y, radius * 0.22, radius * 0.22, DARK_WOOD)
    for x, y, size in ((290, 270, 36), (340, 210, 48), (420, 160, 58)):
        c.ellipse(x, y, size, size * 0.8, WHITE)


def _ball(c: Canvas, _: str) -> None:
    c.shadow(500, 800, 260)
    c.ellipse(500, 500, 300, 300, rounded(c.colour))
    c.shape(
        [(500, 200), (600, 300), (640, 500), (600, 700), (500, 800), (400, 700), (360, 500),
         (400, 300)],
        (lighter(c.accent, 0.1), darker(c.accent, 0.1)), smooth=True,
    )
    c.shape(
        [(500, 200), (540, 330), (552, 500), (540, 670), (500, 800), (460, 670), (448, 500),
         (460, 330)],
        lighter(c.colour, 0.55), smooth=True,
    )
    c.ellipse(500, 214, 34, 16, WHITE)
    c.ellipse(390, 360, 46, 60, mix(c.colour, WHITE, 0.45))


def _puzzle(c: Canvas, _: str) -> None:
    tones = (c.colour, c.accent, LEAF, (226, 178, 82))
    c.shadow(510, 560, 370, 330)
    for index, tone in enumerate(tones):
        x, y = 250 + (index % 2) * 260, 250 + (index // 2) * 260
        c.box(x, y, x + 250, y + 250, (lighter(tone, 0.16), darker(tone, 0.04)), 18)
    c.ellipse(505, 375, 50, 50, tones[0])
    c.ellipse(635, 505, 50, 50, darker(tones[1], 0.02))
    c.ellipse(505, 635, 50, 50, darker(tones[3], 0.02))
    c.ellipse(375, 505, 50, 50, lighter(tones[2], 0.06))


def _romper(c: Canvas, pattern: str) -> None:
    c.shadow(500, 860, 220)
    c.shape(
        _mirrored(
            [(430, 210), (345, 235), (230, 380), (310, 460), (350, 430), (330, 640), (340, 850),
             (450, 850), (480, 720), (500, 710)]
        ),
        rounded(c.colour), pattern=pattern,
    )
    c.ellipse(500, 214, 78, 46, darker(c.colour, 0.3))
    c.ring(500, 210, 80, 54, c.accent, 18, 0, 180)
    for y in (330, 410, 490):
        c.ellipse(500, y, 13, 13, c.accent)
    for x in (395, 605):
        c.box(x - 56, 822, x + 56, 862, c.accent, 12)


def _soap(c: Canvas, _: str) -> None:
    c.shadow(500, 690, 330)
    c.box(200, 560, 800, 690, rounded(WOOD), 60)
    c.box(250, 420, 750, 610, rounded(c.colour), 80)
    c.box(290, 440, 710, 560, lighter(c.colour, 0.22), 56)
    c.box(400, 486, 600, 510, darker(c.colour, 0.14), 8)
    for x, y, size in ((640, 340, 44), (716, 280, 28), (580, 280, 20), (690, 390, 18)):
        c.ellipse(x, y, size, size, mix(c.colour, WHITE, 0.8))
        c.ellipse(x - size * 0.3, y - size * 0.3, size * 0.25, size * 0.25, WHITE)


def _umbrella(c: Canvas, _: str) -> None:
    c.line([(500, 200), (500, 800)], DARK_WOOD, 22)
    c.ring(450, 800, 50, 60, DARK_WOOD, 22, 0, 180)
    c.shape(
        [(140, 520), (190, 360), (320, 240), (500, 196), (680, 240), (810, 360), (860, 520),
         (740, 490), (620, 520), (500, 490), (380, 520), (260, 490)],
        rounded(c.colour),
    )
    c.shape([(380, 520), (430, 300), (500, 200), (570, 300), (620, 520), (500, 490)],
            lighter(c.colour, 0.18))
    c.line([(500, 150), (500, 200)], INK, 14)


Drawing = Callable[[Canvas, str], None]

DRAWINGS: Mapping[str, Drawing] = {
    "armchair": _armchair, "backpack": _backpack, "ball": _ball, "basket": _basket,
    "beanie": _beanie, "bear": _bear, "blocks": _blocks, "board": _board, "book": _book,
    "bottle": _bottle, "bowl": _bowl, "cafetiere": _cafetiere, "candle": _candle, "cap": _cap,
    "casserole": _casserole, "chair": _chair, "chocolate": _chocolate, "clock": _clock,
    "coffee_bag": _coffee_bag, "cup": _cup, "cushion": _cushion, "desk": _desk, "frame": _frame,
    "glass": _glass, "jacket": _jacket, "jar": _jar, "jumper": _jumper, "kettle": _kettle,
    "knife": _knife, "logs": _logs, "mug": _mug, "notebook": _notebook, "pan": _pan, "pen": _pen,
    "pencils": _pencils, "pendant": _pendant, "plate": _plate, "pot": _pot, "puzzle": _puzzle,
    "romper": _romper, "rug": _rug, "scarf": _scarf, "seeds": _seeds, "shelf": _shelf,
    "shirt": _shirt, "soap": _soap, "socks": _socks, "stool": _stool, "table": _table,
    "table_lamp": _table_lamp, "teapot": _teapot, "tee": _tee, "throw": _throw, "tin": _tin,
    "tote": _tote, "towel": _towel, "train": _train, "trousers": _trousers, "trowel": _trowel,
    "umbrella": _umbrella, "vase": _vase, "watering_can": _watering_can,
}
