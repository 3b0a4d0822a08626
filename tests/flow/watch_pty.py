"""Runs a command on a pseudo-terminal and plays a small screen, to see what a person sees.

watch_pty.py COMMAND...: resizes the terminal, presses Ctrl-C, and prints what stood there; exit 1 says what is wrong.
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

CODE = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])|\x1b.|[^\x1b]", re.S)
LIMIT_S = 30


class Screen:
    """The codes that the tree uses; any other is an error."""

    def __init__(self, rows, columns):
        self.lines, self.row, self.column = [""], 0, 0
        self.rows, self.columns, self.is_hidden, self.frames, self.clears = rows, columns, False, 0, 0

    def put(self, letter):
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + letter + line[self.column + 1:]
            self.column += 1

    def code(self, private, number, letter):
        if private and number == "2026":
            self.frames += letter == "h"
        elif private and number == "25":
            self.is_hidden = letter == "l"
        elif letter == "A":
            assert int(number) <= self.row, "moved above the first line"
            self.row -= int(number)
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif letter == "J" and number != "2":
            self.lines[self.row + 1:] = []
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif letter in "HJ":
            self.lines, self.row, self.column = [""], 0, 0
            self.clears += letter == "J"
        elif letter != "m":
            raise AssertionError(f"unknown code {letter}")

    def feed(self, text):
        for match in CODE.finditer(text):
            if match.group(3):
                self.code(match.group(1), match.group(2), match.group(3))
            else:
                self.put(match.group(0))

    def text(self):
        return "\n".join(self.lines)


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def feed_until(fd, screen, done):
    """Reads until done() or the command ends; true when it was done."""
    until = time.monotonic() + LIMIT_S
    while not done() and time.monotonic() < until:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            if not data:
                return done()
            screen.feed(data.decode())
    return done()


def main(argv):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        time.sleep(0.2)  # until the parent has told the size
        os.execvp(argv[0], argv)
    resize(fd, 24, 100)
    before = termios.tcgetattr(fd)
    screen, begin = Screen(24, 100), time.monotonic()
    assert feed_until(fd, screen, lambda: "next:" in screen.text() and screen.frames >= 3), "no tree:\n" + screen.text()
    seconds = time.monotonic() - begin
    assert screen.frames <= seconds * 10 + 2, f"{screen.frames} drawings in {seconds:.1f} s"
    assert screen.is_hidden, "the cursor blinks in the tree"
    assert screen.text().count("Rollout:") == 1, "drawn twice:\n" + screen.text()
    first = screen.text()
    resize(fd, 12, 44)
    assert feed_until(fd, screen, lambda: screen.clears > 0 and "next:" in screen.text()), "no resize seen"
    assert max(map(len, screen.lines)) <= 44 and len(screen.lines) <= 12, "too large:\n" + screen.text()
    os.write(fd, b"\x03")
    feed_until(fd, screen, lambda: False)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert not screen.is_hidden, "the cursor stays hidden"
    assert termios.tcgetattr(fd) == before, "the terminal is not as it was"
    print(first)
    print(screen.text())
    print(f"exit {code}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except AssertionError as error:
        sys.exit(f"wrong: {error}")
