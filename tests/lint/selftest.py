#!/usr/bin/python3
"""The checks must be able to fail: each is shown something wrong."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import docs_examples  # noqa: E402
import includes  # noqa: E402
import neutral  # noqa: E402
import run as runner  # noqa: E402
import style  # noqa: E402


class Includes(unittest.TestCase):
    def findings(self, path, line):
        with tempfile.TemporaryDirectory() as top:
            file = pathlib.Path(top, path)
            file.parent.mkdir(parents=True)
            file.write_text(f'/* x */\n{line}\n', encoding='utf-8')
            return includes.check(pathlib.Path(top))

    def test_wrong(self):
        for path, line in (
                ('src/dns/a.c', '#include "net/loop.h"'),
                ('src/tls/a.c', '#include "dns/name.h"'),
                ('src/base/a.h', '#include "cli/cli.h"'),
                ('src/upstream/a.c', '#include <uv.h>'),
                ('src/net/a.c', '#include <mbedtls/ssl.h>'),
                ('src/net/a.c', '# include  <yaml.h>'),
                ('src/kitchen/a.c', '#include "base/err.h"'),
                ('src/dns/a.c', '#include "nowhere.h"')):
            found = self.findings(path, line)
            self.assertEqual(len(found), 1, (path, line))
            self.assertRegex(found[0], r'^src/\w+/a\.[ch]:[12]: ')

    def test_right(self):
        for path, line in (
                ('src/net/a.c', '#include <uv.h>'),
                ('src/tls/a.c', '#include <psa/crypto.h>'),
                ('src/config/a.c', '#include <cyaml/cyaml.h>'),
                ('src/upstream/a.c', '#include "tls/session.h"'),
                ('src/dns/a.c', '#include <string.h>')):
            self.assertEqual(self.findings(path, line), [], (path, line))


class Style(unittest.TestCase):
    def findings(self, name, text):
        return list(style.check(pathlib.Path(name), text.splitlines()))

    def test_lines(self):
        for text in ('int a;', '/* a */\n' + 'x' * 81, '/* a */\n\tint a;',
                     '/* a */\nint a; ', '/* a */\n/* TO' 'DO: b */',
                     '/* a */\n' * 501):
            self.assertEqual(len(self.findings('src/dns/a.c', text)), 1, text)
        self.assertEqual(self.findings('src/dns/a.c', '/* a */\nint a;'), [])

    def test_functions(self):
        text = '/* a */\nint f(int a,\n      int b)\n{\n%s}\n'
        self.assertEqual(
            self.findings('src/dns/a.c', text % ('    a;\n' * 76)), [])
        found = self.findings('src/dns/a.c', text % ('    a;\n' * 77))
        self.assertEqual(len(found), 1)
        self.assertIn('a.c:2: a function of 81 lines', found[0])

    def test_headers(self):
        text = '/* a */\n#ifndef DNS_A_H\n#define DNS_A_H\n\n%s\n\n#endif\n'
        good = text % '/* Says f. */\nint f(void);\nint g(int a,\n      int b);'
        self.assertEqual(self.findings('src/dns/a.h', good), [])
        for bad in (text % 'int f(void);', good.replace('A_H', 'B_H'),
                    text % '/* S. */\nint f(void);\n\nMUST_USE int g(void);'):
            self.assertEqual(len(self.findings('src/dns/a.h', bad)), 1, bad)


class Neutral(unittest.TestCase):
    def test_wrong(self):
        for line in ('see /ho' 'me/joe/x', 'http://deb.deb' 'ian.org/',
                     'Copy' 'right (c) 1999 Joe'):
            found = list(neutral.check(pathlib.Path('a.md'), line.encode()))
            self.assertEqual(len(found), 1, line)
        self.assertEqual(
            list(neutral.check(pathlib.Path('a.md'), b'/etc/dotstub')), [])


class DocsExamples(unittest.TestCase):
    TEXT = ('a\n\n```yaml\nlisten: x\ndeny_lists: /l/deny.txt\n```\n'
            '<!-- not dotstub.yaml -->\n\n```yaml\nother: 1\n```\n'
            'Set `hosts:\nsystem`, not `user: NAME` nor `other: 2`.\n'
            '```sh\nDOTSTUB_LISTEN=x\n```\n    `hosts: in a block`\n')

    def findings(self, script):
        """What is found in TEXT when script is what dotstub does."""
        with tempfile.TemporaryDirectory() as folder:
            tool = pathlib.Path(folder, 'dotstub')
            tool.write_text(f'#!/bin/sh\n{script}\n')
            tool.chmod(0o700)
            keys = {'listen', 'deny_lists', 'hosts', 'user'}
            return list(docs_examples.check_document(
                tool, keys, pathlib.Path('a.md'), self.TEXT))

    def test_wrong(self):
        self.assertEqual(
            self.findings('echo "dotstub.yaml:2:1: wrong" >&2; exit 2'),
            ['a.md:5: dotstub.yaml:2:1: wrong',
             'a.md:15: dotstub.yaml:2:1: wrong',
             'a.md:12: dotstub.yaml:2:1: wrong'])
        self.assertEqual(len(self.findings('exit 1')), 3)
        self.assertEqual(  # a warning: no fault in the middle of a sentence
            len(self.findings('echo "dotstub.yaml:1:1: hm" >&2')), 2)

    def test_right(self):
        self.assertEqual(self.findings(
            'test "$DOTSTUB_LISTEN" && exit; grep -qx "hosts: system" $3 ||'
            ' test -f "$(sed -n "s/^deny_lists: //p" $3)" &&'
            ' grep -q ^servers: $3'), [])


class Runner(unittest.TestCase):
    def count(self, **entry):
        return runner.count_test({'name': 'dotstub:unit / a', **entry}).line()

    def test_counts(self):
        tap = '1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no net\n'
        self.assertEqual(self.count(stdout=tap, result='FAIL'),
                         '1 passed, 1 failed, 1 skipped')
        self.assertEqual(self.count(stdout='ok 1 - a\n', result='TIMEOUT'),
                         '1 passed, 1 failed, 0 skipped')
        self.assertEqual(self.count(stdout='', result='OK'),
                         '1 passed, 0 failed, 0 skipped')
        self.assertEqual(self.count(stdout='', result='SKIP'),
                         '0 passed, 0 failed, 1 skipped')
        self.assertEqual(self.count(stdout='', result='FAIL'),
                         '0 passed, 1 failed, 0 skipped')

    def test_strict(self):
        count = runner.count_tap('a', 'ok 1 - b # SKIP no reason\n')
        runner.be_strict(count)
        self.assertEqual(count.line(), '0 passed, 1 failed, 0 skipped')

    def test_unsteady(self):
        count = runner.count_tap('a', 'ok 1 - b # unsteady\nok 2 - c\n')
        self.assertEqual(count.line(), '2 passed, 0 failed, 0 skipped')
        self.assertEqual(count.unsteady, ['a: b # unsteady'])
        few = runner.Count()
        few.unsteady = ['a'] * runner.MAX_UNSTEADY
        self.assertEqual(runner.too_many(few), [])
        few.unsteady.append('a')
        self.assertEqual(len(runner.too_many(few)), 1)


if __name__ == '__main__':
    unittest.main()
