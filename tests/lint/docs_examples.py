#!/usr/bin/python3
"""Every example of a configuration in the documents is one that dotstub takes.

    docs_examples.py DOTSTUB

Checked are the blocks of our .md files that are marked as YAML, lists of
DOTSTUB_ variables, the literal blocks of dotstub.yaml(5), and `key: value` in
the text. A block without servers gets some; the files that it names are made in
a folder of their own. A block that is something else follows the comment
<!-- not dotstub.yaml -->.
"""
import datetime
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import yaml

import common

MANUAL = pathlib.Path('docs/dotstub.yaml.5')
MARK = '<!-- not dotstub.yaml -->'
FENCE = re.compile(r'^( *)```(\w*)$')
SPAN = re.compile(r'`([a-z_]+):\s+([^`]+)`')
PLACEHOLDER = re.compile(r'\b([A-Z]{3,}|N)\b|…')
# Keys whose values are files to read, or files that will be written.
FILES = ('ca_file', 'deny_lists', 'hosts', 'resolv_conf', 'query_log',
         'cache_file', 'dnstap')
WORDS = ('system', 'off', 'stderr')


def fenced(text):
    """Yield (number of the first line, language, text) of fenced blocks."""
    fence, before = None, ''
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.match(line)
        if fence is None and match:
            fence, language, first, block = *match.groups(), number + 1, []
        elif fence is not None and line == fence + '```':
            if before != MARK:
                yield first, language, '\n'.join(block) + '\n'
            fence, before = None, ''
        elif fence is not None:
            block.append(line.removeprefix(fence))
        elif line:
            before = line


def spans(text):
    """Yield (line number, key, value) of `key: value` in the running text.
    Blocks become empty lines first; a value may go on in the next line."""
    kept, inside = [], False
    for line in text.splitlines():
        mark = FENCE.match(line)
        inside ^= bool(mark)
        kept.append('' if inside or mark or line.startswith('    ') else line)
    text = '\n'.join(kept)
    for match in SPAN.finditer(text):
        if not PLACEHOLDER.search(match[2]):
            yield text.count('\n', 0, match.start()) + 1, match[1], \
                re.sub(r'\s+', ' ', match[2])


def literal(text):
    """Yield (number of the first line, text) of what is a configuration
    among the literal blocks of a manual page."""
    for match in re.finditer(r'^\.Bd -literal.*\n((?s:.*?))^\.Ed$', text, re.M):
        if re.match(r'\w+:$', match[1], re.M):
            yield text.count('\n', 0, match.start(1)) + 1, match[1]


def certificate():
    """A certificate of an authority, for a ca_file to be there."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'example')])
    begin = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), begin,
        begin + datetime.timedelta(days=9)).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return made.sign(key, hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM)


def named_files(value, key=''):
    """The files that a configuration names, each with its key."""
    if isinstance(value, dict):
        return [found for inner in value
                for found in named_files(value[inner], inner)]
    if isinstance(value, list):
        return [found for item in value for found in named_files(item, key)]
    return [(key, value)] if key in FILES and value not in WORDS else []


def settle(text, folder):
    """Make the files that text names below folder; returns text with these in
    place of absolute ones."""
    try:
        named = named_files(yaml.safe_load(text))
    except yaml.YAMLError:
        return text  # dotstub says what is wrong with it
    for key, name in named:
        path = folder / str(name).lstrip('/')
        path.parent.mkdir(parents=True, exist_ok=True)
        if key == 'ca_file':
            path.write_bytes(certificate())
        elif key == 'resolv_conf':
            path.write_text('search example.net\nnameserver 192.0.2.1\n')
        elif key in ('deny_lists', 'hosts'):
            path.write_text('# empty\n')
        if str(name).startswith('/'):
            text = text.replace(name, str(path))
    return text


def check(tool, text='', variables=None):
    """Run the check over a configuration; returns the faults and warnings."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        command = [tool, 'check']
        if text:
            if not re.search(r'^servers:', text, re.M):
                text += 'servers: quad9\n'
            (folder / 'dotstub.yaml').write_text(settle(text, folder))
            command += ['-c', 'dotstub.yaml']
        env = {key: value for key, value in os.environ.items()
               if not key.startswith('DOTSTUB_')}
        done = subprocess.run(command, cwd=folder, env=env | (variables or {}),
                              text=True, capture_output=True, check=False)
        said = done.stderr.replace(f'{folder}/', '/').splitlines()
        if done.returncode != 0 and not said:
            said = [f'exit code {done.returncode}']
        return done.returncode != 0, said


def check_block(tool, path, first, text):
    for line in check(tool, text)[1]:
        match = re.match(r'dotstub\.yaml:(\d+):', line)
        yield f'{path}:{first + int(match[1]) - 1 if match else first}: {line}'


def check_variables(tool, path, first, text):
    variables = dict(word.split('=', 1) for word in shlex.split(text))
    for line in check(tool, variables=variables)[1]:
        if 'is not there' not in line:  # the file, which nobody needs then
            yield f'{path}:{first}: {line}'


def check_document(tool, keys, path, text):
    for first, language, block in fenced(text):
        if language in ('yaml', 'yml'):
            yield from check_block(tool, path, first, block)
        elif language == 'sh' and re.match(r'DOTSTUB_[A-Z_]+=', block):
            yield from check_variables(tool, path, first, block)
    for number, key, value in spans(text):
        if key in keys:
            is_refused, said = check(tool, f'{key}: {value}\n')
            if is_refused:
                yield f'{path}:{number}: {said[0]}'


def main():
    tool = str(pathlib.Path(sys.argv[1]).resolve())
    rows = subprocess.run([tool, 'keys'], text=True, check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()
    keys = {row.split('\t')[0] for row in rows}
    findings = []
    for path in common.files('*.md'):
        findings += check_document(tool, keys, path, common.text(path))
    for first, block in literal(common.text(MANUAL)):
        findings += check_block(tool, MANUAL, first, block)
    common.finish(findings)


if __name__ == '__main__':
    main()
