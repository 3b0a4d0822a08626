"""What the repository checks share: walking the tree, reading C, and telling what was found.

Every check is called as `NAME.py --root FOLDER [--build FOLDER]`, prints one line `path:line: rule: text`
for each finding, and exits with 1 when there was one.
"""
import argparse
import os
import re
import sys

FOLDERS = ("proto", "coordinator", "agent", "common", "deploy", "tests")
# Fixtures are bad on purpose.
SKIPPED = re.compile(r"(^|/)(\.git|\.cache|node_modules|build[^/]*|fixtures|__pycache__)(/|$)")


def arguments(needs_build=False):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--root", required=True)
    parser.add_argument("--build", required=needs_build)
    return parser.parse_args()


def paths(root, suffixes=("",), folders=None):
    """All files below `root` (its `folders`, or everything), as sorted paths relative to it."""
    found = []
    for top in folders or ("",):
        for folder, names, files in os.walk(os.path.join(root, top)):
            relative = os.path.relpath(folder, root)
            relative = "" if relative == "." else relative + "/"
            names[:] = [n for n in names if not SKIPPED.search(relative + n)]
            found += [relative + f for f in files if f.endswith(suffixes)]
    return sorted(set(found))


def c_paths(root, folders=FOLDERS):
    return paths(root, (".c", ".h"), folders)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text, keep_strings=False):
    """`text` with comments (and strings) as spaces: lines and columns stay what they were."""
    def replace(match):
        word = match.group()
        if keep_strings and word[0] in "\"'":
            return word
        return re.sub(r"[^\n]", " ", word)
    return TOKEN.sub(replace, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


FUNCTION = re.compile(r"^([A-Za-z_]\w*)\(", re.M)


def functions(text):
    """Yields (name, first line, last line, body) of each function; `text` is blanked. Names stand in column 0."""
    for match in FUNCTION.finditer(text):
        begin = re.compile(r"^\{", re.M).search(text, match.end())
        if begin is None or ";" in re.sub(r"\([^()]*\)", "", text[match.start():begin.start()]):
            continue
        end = re.compile(r"^\}", re.M).search(text, begin.end())
        if end is None:
            continue
        yield (match.group(1), line_of(text, match.start()), line_of(text, end.start()),
               text[begin.start():end.end()])


def tell(findings):
    for path, line, rule, words in findings:
        print(f"{path}:{line}: {rule}: {words}")
    sys.exit(1 if findings else 0)
