"""Plain text for the corpus: prose out of Debian packages, which any Debian 12 machine can fetch again.

Only paragraphs that read as prose are kept; tables, listings and markup are left out. Nothing is installed:
the packages are fetched with `apt-get download` and unpacked into the cache.
"""

import gzip
import html
import random
import re
import subprocess
import zlib

from common import CACHE, DATA, SEED, write_jsonl

PACKAGES = [
    "r-cran-janeaustenr", "bible-kjv", "bible-kjv-text", "debian-handbook", "python3.11-doc", "gnome-user-docs", "wesnoth-1.16-httt",
    "dict-devil", "dict-jargon", "dict-foldoc", "developers-reference", "debian-policy", "debmake-doc", "doc-debian", "fortunes", "fortunes-min",
]
# What is taken of each source, in characters. The whole makes about half a million tokens.
SHARES = {
    "janeaustenr": 480_000, "bible-kjv": 150_000, "debian-handbook": 230_000, "python3.11-doc": 250_000, "gnome-user-docs": 150_000, "wesnoth": 110_000,
    "dict-devil": 110_000, "dict-jargon": 130_000, "dict-foldoc": 130_000, "debian-docs": 150_000, "fortunes": 115_000,
}
MORE = 1.37  # times the share, once the passages are set aside
PASSAGES = 60  # of each source, set aside for chats about a passage
PASSAGE_LENGTH = 480  # characters at most: the answer has to fit beside it
SHORTEST, LONGEST = 200, 1500
DEBS, TREE = CACHE / "debs", CACHE / "debs" / "x"


def fetch():
    TREE.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not list(DEBS.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", "-q", package], cwd=DEBS, check=True)
        if not (TREE / package).exists():
            subprocess.run(["dpkg-deb", "-x", str(next(DEBS.glob(f"{package}_*.deb"))), str(TREE / package)], check=True)


def versions():
    return {p: next(DEBS.glob(f"{p}_*.deb")).name.split("_")[1].replace("%3a", ":") for p in PACKAGES}


def read(path):
    data = path.read_bytes()
    if path.suffix in (".gz", ".dz"):
        data = gzip.decompress(data)
    return data.decode("utf-8", "replace")


def files(package, pattern):
    return sorted((TREE / package).rglob(pattern))


def blank_separated(text):
    return re.split(r"\n[ \t]*\n", text)


def austen():
    """The novels stand in an R database: zlib streams of serialised strings, each a flag word, a length and its bytes."""
    data = files("r-cran-janeaustenr", "Rdata.rdb")[0].read_bytes()
    at = 0
    while at < len(data):
        stream = zlib.decompressobj()
        raw = stream.decompress(data[at + 4 :])
        at = len(data) - len(stream.unused_data)
        lines, p = [], raw.find(b"\x00\x00\x00\x10") + 8
        while raw[p : p + 4] == b"\x00\x04\x00\x09":
            size = int.from_bytes(raw[p + 4 : p + 8], "big")
            lines.append(raw[p + 8 : p + 8 + size].decode("utf-8", "replace"))
            p += 8 + size
        yield from blank_separated("\n".join(lines))


def bible():
    program, where = files("bible-kjv", "bible")[0], files("bible-kjv-text", "bible.data")[0].parent
    done = subprocess.run([str(program), "-p", f"{where}/", "-l100000", "Gen1:1-Rev22:21"], capture_output=True, text=True, check=True)
    verses = [re.sub(r"^\s*(?:\S*\d+:\d+|[\w ]*?\d+)\s+", "", line).strip() for line in done.stdout.splitlines()]
    for i in range(0, len(verses), 5):
        yield " ".join(verses[i : i + 5])


def tagged(text, opening="p\\b", tag="p"):
    for found in re.findall(rf"<{opening}[^>]*>(.*?)</{tag}>", text, re.S):
        yield html.unescape(re.sub(r"<[^>]+>", "", found))


def handbook():
    for path in files("debian-handbook", "en-US/*.html"):
        yield from tagged(read(path), 'div class="para"', "div")


def python_doc():
    for part in ("tutorial", "howto", "faq", "whatsnew", "library", "reference", "using"):
        for path in files("python3.11-doc", f"_sources/{part}/*.rst.txt"):
            for block in blank_separated(read(path)):
                if not re.match(r"\s*(\.\. |>>>|[*#=:|+-])|\s{3,}", block):
                    block = re.sub(r":[\w:+-]+:`~?!?([^`<]*?)(?:\s*<[^`]*>)?`", r"\1", block)
                    yield re.sub(r"`+([^`]+?)(?:\s*<[^`]*>)?`+_*|\*{1,2}([^*]+)\*{1,2}", r"\1\2", block)


def gnome():
    for path in files("gnome-user-docs", "C/**/*.page"):
        # The pages' paragraphs are short: those of a page follow one another.
        yield "\n".join(re.sub(r"\s+", " ", p).strip() for p in tagged(re.sub(r"<info>.*?</info>", "", read(path), flags=re.S)))


def wesnoth():
    for path in files("wesnoth-1.16-httt", "scenarios/*.cfg"):
        spoken = re.findall(r'(?:message|story)\s*=\s*_\s*"([^"]+)"', read(path))
        for i in range(0, len(spoken), 4):
            yield "\n".join(re.sub(r"\s+", " ", s) for s in spoken[i : i + 4])


def dictionary(package):
    text = read(files(package, "*.dict.dz")[0])
    entries = re.split(r"\n(?=\S)", text) if package != "dict-devil" else blank_separated(text)
    for entry in entries:
        yield re.sub(r"[{}]", "", entry)


def debian_docs():
    for package, pattern in [("developers-reference", "developers-reference.txt.gz"), ("debian-policy", "policy.txt.gz"), ("debmake-doc", "debmake-doc.en.txt.gz"),
                             ("doc-debian", "debian-manifesto.gz"), ("doc-debian", "constitution.txt.gz"), ("doc-debian", "social-contract.txt.gz")]:
        for path in files(package, pattern):
            yield from blank_separated(read(path))


def fortunes():
    # Collections of plain quotations; those of jokes about groups of people are left out.
    for name in ("literature", "people", "science", "computers", "wisdom", "work", "art", "education", "food", "news", "pets", "sports", "startrek", "miscellaneous", "fortunes"):
        for path in files("fortunes", f"games/fortunes/{name}") + files("fortunes-min", f"games/fortunes/{name}"):
            yield from re.split(r"\n%\n", path.read_bytes().decode("utf-8", "replace"))


SOURCES = {
    "janeaustenr": austen, "bible-kjv": bible, "debian-handbook": handbook, "python3.11-doc": python_doc, "gnome-user-docs": gnome, "wesnoth": wesnoth,
    "dict-devil": lambda: dictionary("dict-devil"), "dict-jargon": lambda: dictionary("dict-jargon"), "dict-foldoc": lambda: dictionary("dict-foldoc"),
    "debian-docs": debian_docs, "fortunes": fortunes,
}


def tidy(text):
    text = text.replace("\ufffd", "").replace("\t", " ")
    paragraphs = [re.sub(r"\s+", " ", p).strip() for p in text.split("\n")] if "\n" in text and len(text.split("\n")) < 5 and min(map(len, text.split("\n"))) > 60 else [re.sub(r"\s+", " ", text).strip()]
    return "\n".join(paragraphs)


def is_prose(text):
    letters = sum(c.isalpha() or c in " ,.;'" for c in text)
    return "\b" not in text and letters > 0.92 * len(text) and not re.search(r"https?://|[<>{}\\|]|--\s*-|\.\.\.\.|\*\*|Copyright|Permission", text) and text.count(". ") + text.count("; ") + text.count(", ") >= 2


def chunks(pieces):
    """Short neighbours are joined, long ones cut at a sentence's end; every chunk is prose of SHORTEST to LONGEST characters."""
    held = ""
    for piece in pieces:
        piece = tidy(piece)
        if not piece or not is_prose(piece):
            continue
        held = f"{held}\n{piece}" if held else piece
        while len(held) > LONGEST:
            end = held.rfind(". ", SHORTEST, LONGEST) + 1 or LONGEST
            yield held[:end].strip()
            held = held[end:].strip()
        # Varied lengths: a chunk is closed at a length that depends on its text.
        if len(held) >= SHORTEST + zlib.crc32(held.encode()) % 700:
            yield held
            held = ""
    if len(held) >= SHORTEST:
        yield held


def main():
    fetch()
    rng = random.Random(SEED)
    rows, spare = [], []
    for name, source in SOURCES.items():
        found = list(dict.fromkeys(chunks(source())))
        rng.shuffle(found)
        taken, passages, size = [], [], 0
        # Passages for the chats that quote one are set aside midway; none of them is in the plain text too.
        for text in found:
            if size >= SHARES[name] and len(passages) < PASSAGES and len(text) <= PASSAGE_LENGTH:
                passages.append({"source": name, "text": text})
            elif size < MORE * SHARES[name]:
                taken.append({"source": name, "text": text})
                size += len(text)
        spare += passages
        print(f"{name}: {len(taken)} of {len(found)} chunks, {size} characters")
        rows += taken
    rng.shuffle(rows)
    write_jsonl(DATA / "corpus" / "plain.jsonl", rows)
    write_jsonl(CACHE / "passages.jsonl", spare)
    print(f"{len(rows)} chunks, {sum(len(r['text']) for r in rows)} characters")


if __name__ == "__main__":
    main()
