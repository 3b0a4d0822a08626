"""Oracle O1: every statement that a server was sent in the agent's name is one of the agent's own fixed list
(approved.list), or stands in a revision that people approved.

As a program it checks the logs of the clusters of a world (deploy/world.sh): approved.py WORLD. It prints each
stranger, and ends with 1 when there was one.
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
DUMP = re.compile(r"(SELECT|WITH|SET|BEGIN|COMMIT|LOCK TABLE .* IN ACCESS SHARE MODE|DECLARE|FETCH|CLOSE|PREPARE|EXECUTE|"
                  r"COPY .* TO stdout|ROLLBACK)\b", re.I | re.S)


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


def main():
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
    for line in sorted(set(bad)):
        print("O1: not approved: " + line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
