"""Lines of a scenario taken into a policy's text: play_policy.py FILE "ENVIRONMENT: LINE"...; the new text goes to
standard output. A line is `KEY = VALUE`, a section `WORD "NAME" { ... }`, `no WORD "NAME"` or `no gates`."""
import re
import sys


def change(text, environment, line):
    start = re.search(rf'^environment "{re.escape(environment)}" {{$', text, re.M)
    if not start:
        sys.exit(f"there is no environment '{environment}'")
    end = text.index("\n}", start.end()) + 1
    rows = text[start.end():end].splitlines()
    gone = re.fullmatch(r'no (\w+ ".*"|gates)', line)
    if gone and gone.group(1) == "gates":
        rows = [row for row in rows if not row.strip().startswith("gate ")]
    else:
        key = gone.group(1) if gone else re.match(r'\w+ "[^"]*"|\w+', line).group()
        kept = [row for row in rows if not re.match(rf"\s*{re.escape(key)}[ =]", row)]
        if gone and len(kept) == len(rows):
            sys.exit(f"'{environment}' has no {key}")
        at = next((i for i, row in enumerate(rows) if row not in kept), None)
        rows = kept
        if not gone:
            if at is None:  # values stand before sections
                at = len(rows) if '"' in key else 1
            rows.insert(at, "    " + line)
    return text[:start.end()] + "\n".join(rows) + "\n" + text[end:]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    for argument in sys.argv[2:]:
        environment, line = argument.split(": ", 1)
        text = change(text, environment, line)
    sys.stdout.write(text)


main()
