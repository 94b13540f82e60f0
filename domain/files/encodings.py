"""Guesses in which legacy encoding a file is, from how names are spelt in many languages.

Each encoding that can decode a file gives another reading of it. A reading is likely if its letters beyond a to z are
those of one language that is saved in this encoding, if the letters a to z around them suit that language, too, and if
words are spelt as words: no capital after a small letter, no letters of two scripts. chardet's opinion counts as well.
Alone it is less often right: rosters have few such letters, often one or two. See docs/decisions/0023-encodings.md.
"""

from __future__ import annotations

import re
from codecs import lookup
from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import islice
from math import log
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.naming import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Language(Struct, frozen=True):
    """A language: its letters beyond a to z and, for Latin script, those from a to z; both with the commonest first.

    The orders are those of names of people, countries and languages. `cased` tells scripts with capital letters.
    """

    letters: str
    ascii: str = ""
    cased: bool = True


LANGUAGES = {
    "Albanian": Language("ëç", "aiesnrtholmdukgjcbpyvzwfxq"),
    "Azerbaijani": Language("ıüğşçö", "ainlrmosudvybetkzqhfcxpgjw"),
    "Catalan": Language("àèíòóúçïüé·", "ainerslotucmdgbkphyfxvjwzq"),
    "Croatian": Language("ćščžđ", "ainorkesljtmuvdbgpczhfwyqx"),
    "Czech": Language("ášíčěžřýéůňúťďó", "anioterklvsmdubhjpcgzyfwxq"),
    "Danish": Language("øæåéö", "eansirolktdmuhgbcjpfyvwzqx"),
    "Dutch": Language("ëïéöüèç", "aenisroltdmuhkcbgvjpywfzxq"),
    "Estonian": Language("äõüšžö", "aienrsolktmuvdgpjbhfczywxq"),
    "Finnish": Language("äöåéšž", "aineklortsumhpjvgdbycfwzqx"),
    "French": Language("éèïîçëêôàâûœùÿæü", "aeinroltusdmcghbpvkyjfqzwx"),
    "German": Language("öäüßéå", "aeinrshltcoudmkgbpfwzjyvxq"),
    "Hungarian": Language("áéóöíőüűú", "ainsrtelokzgmbduvhcpyjfwxq"),
    "Icelandic": Language("íóúðáæýöþé", "asnkreltmiogdbuvjphyfcwzxq"),
    "Italian": Language("òèàéùì", "aioenrltscmgudbphzvfkywjqx"),
    "Latvian": Language("ņšīāēūļžķčģ", "aiseurnltkodmvjzbgpchfqwxy"),
    "Lithuanian": Language("ųėšžčūąęį", "aisnkrulotegmdvjbpyzchfqwx"),
    "Polish": Language("łńżśóęąźć", "aikrneoslztumdcywjbgphfvxq"),
    "Portuguese": Language("ãáíéçêúóâôõàü", "aioernsluctmdgbhpvfzjkyqwx"),
    "Romanian": Language("ăţşâéî", "aienrouclstmdbgphzkvfywjxq"),
    "Slovak": Language("áčšížéľýóúňďťäôĺŕ", "aniorkelvtsmudbhgjcpzfywxq"),
    "Slovenian": Language("čšž", "ainreokjlmtvsdubgpczhfwyqx"),
    "Spanish": Language("áéíóñúüà¿¡ºª", "aioernlsctumdgbphvzfkjywqx"),
    "Swedish": Language("öåäéç", "asnierolktmdughbjcvpfywzqx"),
    "Turkish": Language("üçışğöâîû", "aeinrlksudtomygzcbhvfpjwqx"),
    "Vietnamese": Language("đâươăêôáàéèóòúùíìýãõ\u0301\u0300\u0323\u0309\u0303", "naigjhotemurlbdpcsyvkwzqfx"),
    "Belarusian": Language("анксяіртлуымедогвбэпйзўцхьчфжшёю"),
    "Bulgarian": Language("аоинвкерлстдмпугбячзшйъхжцфющь"),
    "Macedonian": Language("аиосквнертлмјдгупбзчфцхшѓжѕљњќџ"),
    "Russian": Language("аиовнерсклтмйдугябпфьзхшыжчцщэюёъ"),
    "Serbian": Language("аикнсреотулмјвдгбпчзшхфцџђжљњћ"),
    "Ukrainian": Language("анокерлсиівмтдуьбягпйчзхшюцфєжїщґ"),
    "Greek": Language("αονρικτλςσυάημεπίγδβόύέήχζωφθώξψϊϋΐΰ"),
    "Arabic": Language(
        "الينرومبدعآفسةجكتحشقهغصزأخطضثذظئإءؤى\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652،؛", cased=False
    ),
    "Hebrew": Language("יוארהלמבנדןתסגקשעטחפזםכצךףץ־׳״", cased=False),
    "Persian": Language("اینرمولسدهبتحيعکزجشپفآگضطقصكئچغخثذژظء\u200c", cased=False),
    "Thai": Language("นราเกอมยวตลสทพดชงธะบคณโปจศภญซษแถหไำขฐิีัาุ์ู่้ึืฟใผฎฏฑฒฌฆฉฝฤๆฯ็๊๋", cased=False),
}

WESTERN = (
    "German", "French", "Spanish", "Portuguese", "Italian", "Catalan", "Dutch", "Swedish", "Danish", "Finnish",
    "Icelandic", "Albanian",
)  # fmt: skip
CENTRAL = ("Czech", "Slovak", "Polish", "Hungarian", "Slovenian", "Croatian", "Romanian", "German", "Albanian")


class CodePage(Struct, frozen=True):
    """An encoding of one byte a character: its languages, and the logarithm of how likely it is to be met at all."""

    prior: float
    languages: tuple[str, ...]


SINGLE_BYTE: Mapping[str, CodePage] = {
    "windows-1252": CodePage(0, (*WESTERN, "Estonian")),
    "windows-1250": CodePage(-1.5, CENTRAL),
    "windows-1251": CodePage(-1.5, ("Russian", "Ukrainian", "Bulgarian", "Serbian", "Macedonian", "Belarusian")),
    "windows-1253": CodePage(-1.5, ("Greek",)),
    "windows-1254": CodePage(-1.5, ("Turkish", "Azerbaijani")),
    "windows-1255": CodePage(-1.5, ("Hebrew",)),
    "windows-1256": CodePage(-1.5, ("Arabic", "Persian")),
    "windows-1257": CodePage(-1.5, ("Lithuanian", "Latvian", "Estonian", "Polish")),
    "windows-1258": CodePage(-6, ("Vietnamese",)),
    "cp874": CodePage(-1.5, ("Thai",)),
    "cp850": CodePage(-4, WESTERN),
    "cp852": CodePage(-4, CENTRAL),
    "cp866": CodePage(-4, ("Russian", "Ukrainian", "Bulgarian", "Belarusian")),
    "mac-roman": CodePage(-4, WESTERN),
}


class Zone(Struct, frozen=True):
    """Some of the characters of two bytes: the range of their first byte, the least second one, how likely each is."""

    first: int
    last: int
    second: int
    likely: float


EAST_ASIAN: Mapping[str, tuple[Zone, ...]] = {
    "gb18030": (  # GB 2312's common hanzi, its rarer ones, its symbols, and the hanzi that GBK added
        Zone(0xB0, 0xD7, 0xA1, log(0.9 / 3755)),
        Zone(0xD8, 0xF7, 0xA1, log(0.04 / 3008)),
        Zone(0xA1, 0xA1, 0xA1, log(0.03 / 188)),
        Zone(0xA3, 0xA3, 0xA1, log(0.03 / 188)),
        Zone(0xAA, 0xFE, 0x40, log(0.02 / 14000)),
        Zone(0x81, 0xA0, 0x40, log(0.02 / 14000)),
    ),
    "big5-hkscs": (  # the common hanzi, the rarer ones, the symbols
        Zone(0xA4, 0xC6, 0x40, log(0.93 / 5401)),
        Zone(0xC9, 0xF9, 0x40, log(0.03 / 7652)),
        Zone(0xA1, 0xA3, 0x40, log(0.03 / 400)),
    ),
    "cp932": (  # kana, the common kanji, symbols, the rarer kanji
        Zone(0x82, 0x83, 0x40, log(0.5 / 180)),
        Zone(0x88, 0x97, 0x40, log(0.45 / 2965)),
        Zone(0x81, 0x81, 0x40, log(0.03 / 150)),
        Zone(0x98, 0xEA, 0x40, log(0.01 / 3390)),
    ),
    "cp949": (  # the common syllables, the rarer ones, the hanja
        Zone(0xB0, 0xC8, 0xA1, log(0.95 / 2350)),
        Zone(0x81, 0xC6, 0x41, log(0.02 / 8800)),
        Zone(0xCA, 0xFD, 0xA1, log(0.01 / 4888)),
    ),
}
ENCODINGS: Mapping[str, str] = {
    "windows-1252": "Western European (Windows-1252)",
    "windows-1250": "Central European (Windows-1250)",
    "windows-1251": "Cyrillic (Windows-1251)",
    "windows-1253": "Greek (Windows-1253)",
    "windows-1254": "Turkish (Windows-1254)",
    "windows-1255": "Hebrew (Windows-1255)",
    "windows-1256": "Arabic (Windows-1256)",
    "windows-1257": "Baltic (Windows-1257)",
    "windows-1258": "Vietnamese (Windows-1258)",
    "cp874": "Thai (CP874)",
    "cp850": "Western European (DOS, CP850)",
    "cp852": "Central European (DOS, CP852)",
    "cp866": "Cyrillic (DOS, CP866)",
    "mac-roman": "Western European (Mac Roman)",
    "gb18030": "Simplified Chinese (GB18030)",
    "big5-hkscs": "Traditional Chinese (Big5-HKSCS)",
    "cp932": "Japanese (CP932)",
    "cp949": "Korean (CP949)",
}
"""The encodings that are guessed, with their names: what spreadsheets save as “CSV” around the world."""

SAMPLE_BYTES = 1 << 15  # more of a file is not looked at for a guess
MOST_WORDS = 500
SEVERAL = 3  # words, of which one at least begins with a capital
_LINE = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")
_BORDER = re.compile(rb"[,;|\t\r\n]")
_DIGITS = re.compile(rb"[0-9]+")
_CELL = re.compile("[,;|\t\n0-9]")
_WORD = re.compile(r"""[^\x00-\x20,;|"()]*[^\x00-\x7f][^\x00-\x20,;|"()]*""")
_INITIAL = re.compile(rb"(?:^|[\s,;|])([A-Za-z])(?![^,;|\r\n]*@)", re.MULTILINE)
_CONTROL = re.compile("[\x80-\x9f]")

# How likely characters are in a word, if they aren't among the language's own letters.
_LOANED_SHARE, _LOANED = 0.06, "áàâäãåæçéèêëíìîïñóòôöõøúùûüýßœšžčćłńąęőűřěşţăığđðþ"
_PUNCTUATION = {
    "’": 0.02, "–": 0.004, "‘": 0.001, "“": 0.001, "”": 0.001, "„": 0.001, "—": 0.001, "\xa0": 0.001, "…": 0.0005,
    "´": 0.0005, "№": 0.0005, "€": 0.0005, "«": 0.0003, "»": 0.0003, "°": 0.0003, "®": 0.0002, "™": 0.0002,
    "©": 0.0002, "§": 0.0002,
}  # fmt: skip
_STRANGE_LETTER, _STRANGE_SYMBOL = log(2e-5), log(1e-6)
_MISPLACED, _NEIGHBOURS = log(1e-3), log(0.2)
_SMALL_INITIAL, _SMALL_AMONG_CAPITALS, _ALL_SMALL = log(0.5), log(0.05), -10.0
# How much the evidence counts, by trial on rosters of 3 to 300 rows: the letters of a file are not drawn one by one.
_ASCII_WEIGHT, _ASCII_DECAY = 0.75, 7
_OPINION_WEIGHT, _NO_OPINION = 10.0, 0.01


class Reading(Struct, frozen=True):
    """An encoding that a text may be in, and how likely it is: a logarithm, to be compared with those of the others."""

    encoding: str
    score: float


class _Evidence(Struct, frozen=True):
    """What a file says about its encoding before it is decoded.

    `ascii` is how much less likely its letters a to z are in each language than in the likeliest one; `capitals` tells
    whether nearly all words begin with a capital; `opinion` is how confident chardet is of each encoding, from 0 to 1.
    """

    ascii: Mapping[str, float]
    capitals: bool
    opinion: Mapping[str, float]


def readings(content: bytes) -> list[Reading]:
    """Return the legacy encodings that can decode the first lines beyond ASCII of a file, the likeliest first."""
    beginning, sample = content[:SAMPLE_BYTES], _sample(content)
    initials = _INITIAL.findall(beginning)
    capitals = sum(map(bytes.isupper, initials)) >= 0.9 * len(initials)
    evidence = _Evidence(_ascii_scores(beginning), capitals, _opinion(sample))
    found = [Reading(encoding, _score(encoding, text, evidence)) for encoding, text in _decoded(sample)]
    return sorted(found, key=lambda reading: -reading.score)


def samples(content: bytes, encoding: str, most: int) -> tuple[str, ...]:
    """Return the first different cells beyond ASCII of a file, as they read in an encoding; for people to judge."""
    text = _sample(content).decode(encoding, "replace")
    cells = (printable(cell.strip(' "')) for cell in re.split("[,;|\t\n]", text) if not cell.isascii())
    return tuple(islice(dict.fromkeys(cells), most))


def _sample(content: bytes) -> bytes:
    lines, size = [], 0
    for line in _LINE.finditer(content):
        lines.append(line.group())
        size += len(line.group())
        if size > SAMPLE_BYTES:
            break
    return b"\n".join(lines)


def _ascii_scores(rows: bytes) -> dict[str, float]:
    names = b"".join(cell for cell in _BORDER.split(rows) if b"@" not in cell)
    letters = Counter(names.lower())
    scores = {
        name: sum(letters[ord(letter)] * -rank / _ASCII_DECAY for rank, letter in enumerate(language.ascii))
        for name, language in LANGUAGES.items()
        if language.ascii
    }
    best = max(scores.values())
    return {name: _ASCII_WEIGHT * (score - best) for name, score in scores.items()}


def _opinion(sample: bytes) -> dict[str, float]:
    """Return chardet's opinion of the cells beyond ASCII, each once.

    It rules out an East Asian encoding if many bytes are of few kinds, as where all users are in one group. Names that
    differ by their digits count as one (findings/chardet-forgets-what-is-repeated.sh).
    """
    cells = {_DIGITS.sub(b"", cell): cell for cell in _BORDER.split(sample) if not cell.isascii()}
    if not cells:
        return {}
    import chardet  # late: it takes long to import, and few files need it

    found = chardet.detect_all(
        b"\n".join(cells.values()), ignore_threshold=True, include_encodings=tuple(ENCODINGS), compat_names=False
    )
    return {lookup(each["encoding"]).name: each["confidence"] for each in found if each["encoding"]}


def _decoded(sample: bytes) -> Iterator[tuple[str, str]]:
    """Yield each encoding that can decode a sample, and its different cells: who repeats a name says nothing new."""
    for encoding in ENCODINGS:
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            yield encoding, "\n".join(dict.fromkeys(_CELL.split(text)))


def _score(encoding: str, text: str, evidence: _Evidence) -> float:
    opinion = _OPINION_WEIGHT * log(evidence.opinion.get(lookup(encoding).name, 0) + _NO_OPINION)
    if encoding in EAST_ASIAN:
        beyond = ((each, times) for each, times in Counter(text).items() if each > "\x7f")
        return opinion - 1.5 + sum(times * _east_asian_score(encoding, each) for each, times in beyond)
    page = SINGLE_BYTE[encoding]
    words = Counter(_WORD.findall(text)).most_common(MOST_WORDS)
    spellings = (evidence.ascii.get(name, 0) + _spelling(words, name, evidence) for name in page.languages)
    return opinion + page.prior + max(spellings)


def _east_asian_score(encoding: str, character: str) -> float:
    code = character.encode(encoding)
    if len(code) == 1:  # katakana of half the width
        return log(0.02 / 60)
    zones = EAST_ASIAN[encoding]
    return next(
        (zone.likely for zone in zones if zone.first <= code[0] <= zone.last and code[1] >= zone.second),
        2 * _STRANGE_LETTER,
    )


def _spelling(words: Sequence[tuple[str, int]], name: str, evidence: _Evidence) -> float:
    """Return how likely words are in a language, by their letters beyond a to z and where these stand."""
    language = LANGUAGES[name]
    initials = [word[0] for word, _ in words if word[0] > "\x7f"]
    small = _SMALL_AMONG_CAPITALS if evidence.capitals else _SMALL_INITIAL
    score = sum(times * _word_score(word, name) for word, times in words)
    score += small * sum(times for word, times in words if word[0] > "\x7f" and word[0].islower())
    all_small = (
        language.cased and not language.ascii and len(initials) >= SEVERAL and not any(map(str.isupper, initials))
    )
    return score + (_ALL_SMALL if all_small else 0)


def _word_score(word: str, name: str) -> float:
    likely, has_ascii = _letters(name), bool(LANGUAGES[name].ascii)
    score, before = 0.0, ""
    for each in word:
        if each > "\x7f":
            letter = "ı" if each == "İ" else each.lower()
            score += likely.get(letter) or (_STRANGE_LETTER if each.isalpha() else _STRANGE_SYMBOL)
        score += _place_score(before, each, has_ascii=has_ascii)
        before = each
    return score


def _place_score(before: str, each: str, *, has_ascii: bool) -> float:
    """Return how much less likely a character is after another one, within a word."""
    if not before.isalpha() or max(before, each) <= "\x7f":
        return 0.0
    if each.isupper() and before.islower():
        return _MISPLACED
    both_beyond = min(before, each) > "\x7f"
    if has_ascii:
        return _NEIGHBOURS if both_beyond and each.isalpha() else 0.0
    return 0.0 if both_beyond or not (each > "\x7f" or each.isalpha()) else _MISPLACED


@cache
def _letters(name: str) -> dict[str, float]:
    """Return the logarithm of how likely each character beyond ASCII is in a word of a language."""
    language = LANGUAGES[name]
    loaned = _LOANED_SHARE / len(_LOANED) if language.ascii else 1e-5
    likely = dict.fromkeys(_LOANED, log(loaned))
    likely |= {each: log(share) for each, share in _PUNCTUATION.items()}
    ranks = [1 / (rank + 2) ** 2 for rank in range(len(language.letters))]
    return likely | {each: log(0.93 * rank / sum(ranks)) for each, rank in zip(language.letters, ranks, strict=True)}
