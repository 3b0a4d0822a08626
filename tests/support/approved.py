"""Oracle O1: every statement that a server was sent in the agent's name is one of the agent's own fixed list
(approved.list), or stands in a revision that people approved.

As a program it checks the logs of the clusters of a world (deploy/world.sh): approved.py WORLD; or one server's log as
support/pgcluster.c has it written: approved.py --log FILE DATABASE REVISION... It prints each stranger, and ends with 1
when there was one.
"""
import csv
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SENT = re.compile(r"(?:statement|execute [^:]*): (.*)", re.S)
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
# In this order: texts, names in quotes, numbers.
VALUE = re.compile(r"[eE]?'(?:[^'\\]|''|\\.)*'|\$\d+|\b\d+(?:\.\d+)?\b")
LINE = re.compile(r"^\d+\|([^|\n]*)\|([^|\n]*)\|([^|\n]*)\|LOG:  (.*(?:\n .*)*)", re.M)
TESTS_OWN = "drover/test"
DUMP = re.compile(r"(SELECT|WITH|SET|BEGIN|COMMIT|LOCK TABLE .* IN ACCESS SHARE MODE|DECLARE|FETCH|CLOSE|PREPARE|EXECUTE|"
                  r"COPY .* TO stdout|ROLLBACK|RESET search_path)\b", re.I | re.S)


def plain(text):
    """A statement without comments, line breaks and the semicolon at its end."""
    return re.sub(r"\s+", " ", COMMENT.sub(" ", text)).strip().rstrip(";").strip()


def shape(text):
    """A statement of the agent's own with each value as `?`."""
    return VALUE.sub("?", plain(text))


def fixed_list():
    """One pattern that matches the shapes in the list, and nothing else."""
    with open(os.path.join(HERE, "approved.list"), encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    return re.compile("|".join(".*".join(re.escape(part) for part in line.split("*")) for line in lines), re.S)


class Approved:
    def __init__(self, revisions):
        """`revisions`: texts of revision files."""
        self.own = fixed_list()
        self.text = [plain(text) for text in revisions]
        self.seen = {}

    def is_known(self, statement):
        """One of ours, or a run of whole statements of a revision."""
        if self.own.fullmatch(shape(statement)):
            return True
        words = plain(statement)
        # A revision's statement ends with a semicolon, or with the file.
        return words != "" and any((" " + text + ";").find(" " + words + ";") >= 0 for text in self.text)

    def strangers(self, rows, database=None, role="drover"):
        """Statements that are neither, of rows (user, database, application, message)."""
        found = []
        for user, where, application, message in rows:
            match = SENT.match(message)
            if user != role or not match or (database and where != database):
                continue
            if application == "drover/direct":  # a person's own session, no agent's
                continue
            statement = match.group(1)
            if application == "drover-backup" and DUMP.match(plain(statement)):
                continue
            if statement not in self.seen:
                self.seen[statement] = self.is_known(statement)
            if not self.seen[statement]:
                found.append(f"[{application}] {plain(statement)[:300]}")
        return found


def read_log(path):
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        return [(row[1], row[2], row[22], row[13]) for row in csv.reader(file) if len(row) > 22]


def read_lines(path):
    """Rows of a log with the prefix `pid|user|database|application|`; further lines of a statement begin with a tab."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read().replace("\n\t", "\n ")
    return [(m[1], m[2], m[3], m[4].strip()) for m in LINE.finditer(text)]


def check_log(path, database, revisions):
    texts = []
    for name in revisions:
        with open(name, encoding="utf-8") as file:
            texts.append(file.read())
    rows = [row for row in read_lines(path) if row[2] != TESTS_OWN]
    if not any(row[1] == database for row in rows):
        print(f"O1: the log says nothing of database {database}")
        return 1
    return report(Approved(texts).strangers(rows, database, "postgres"))


def report(bad):
    for line in sorted(set(bad)):
        print("O1: not approved: " + line)
    return 1 if bad else 0


def main():
    if sys.argv[1] == "--log":
        return check_log(sys.argv[2], sys.argv[3], sys.argv[4:])
    folder = sys.argv[1]
    texts = []
    for path in glob.glob(folder + "/**/revisions/*.sql", recursive=True):
        with open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read())
    approved, bad, count = Approved(texts), [], 0
    for path in glob.glob(folder + "/**/pg-*/data/logs/*.csv", recursive=True):
        rows = read_log(path)
        count += len(rows)
        bad += approved.strangers(rows)
    return report(bad)


if __name__ == "__main__":
    sys.exit(main())
