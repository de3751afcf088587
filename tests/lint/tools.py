#!/usr/bin/python3
"""Run one of the linters that others wrote over the files it is for.

    tools.py clang-format|codespell|shellcheck|yamllint|mandoc|cppcheck
"""
import os
import re
import sys

import common


def clang_format():
    return [['clang-format', '--dry-run', '--Werror', '--ferror-limit=1',
             *common.c_files()]]


def codespell():
    names = common.files('*.[ch]', '*.py', '*.sh', '*.md', '*.yaml', '*.yml',
                         '*.build', 'Makefile', 'Dockerfile', '*.8', '*.5')
    return [['codespell', '--ignore-words', 'tests/lint/words.txt', *names]]


def is_shell_script(path):
    with open(common.ROOT / path, 'rb') as file:
        return re.match(rb'#! ?/(usr/)?bin/(env )?(ba|da)?sh\b',
                        file.readline()) is not None


def shellcheck():
    names = [p for p in common.files('*')
             if (common.ROOT / p).is_file() and is_shell_script(p)]
    return [['shellcheck', *names]]


def yamllint():
    # Files that are wrong on purpose belong to the tests of the parser.
    names = [p for p in common.files('*.yaml', '*.yml')
             if p.parts[:2] not in (('tests', 'unit'), ('tests', 'fuzz'))]
    return [['yamllint', '-s', '-c', 'tests/lint/yamllint.yaml', *names]]


def mandoc():
    names = common.files('*.[58]', under='docs')
    return [['mandoc', '-T', 'lint', '-W', 'warning', *names]] if names else []


def cppcheck():
    return [['cppcheck', '--quiet', '--std=c11', '--library=posix',
             '--enable=warning,performance,portability', '--inline-suppr',
             '--suppressions-list=tests/lint/cppcheck.txt',
             '--error-exitcode=1', f'-j{os.cpu_count()}', '-D_GNU_SOURCE',
             '-D__GNUC__=12', '-Isrc', 'src']]


TOOLS = {f.__name__.replace('_', '-'): f for f in (
    clang_format, codespell, shellcheck, yamllint, mandoc, cppcheck)}


def main():
    findings = []
    for command in TOOLS[sys.argv[1]]():
        common.tool(command[0])
        status, said = common.run([str(word) for word in command])
        if status != 0:
            findings.append(said or f'{command[0]} ended with {status}')
    common.finish(findings)


if __name__ == '__main__':
    main()
