"""Runs one command and says how it went: a small process of its own, because a child's peak memory is counted from its
starter's.

    once.py ANSWER COMMAND...    writes to ANSWER: status, when it began and ended (monotonic), processor seconds, peak kB
"""

import os
import sys
import time


def main():
    answer, command = sys.argv[1], sys.argv[2:]
    began = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    ended = time.monotonic()
    with open(answer, "w", encoding="ascii") as file:
        print(os.waitstatus_to_exitcode(status), repr(began), repr(ended), repr(usage.ru_utime + usage.ru_stime), usage.ru_maxrss, file=file)


main()
