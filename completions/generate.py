#!/usr/bin/python3
"""Completions for bash, zsh and fish, out of what the program says itself.

    generate.py DOTSTUB          write them beside this file
    generate.py --check DOTSTUB  1 if they are not what would be written
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TYPES = ('A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG '
         'NSEC NSEC3 TLSA NAPTR').split()
PROVIDERS = 'cloudflare quad9 google adguard mullvad'.split()
KINDS = 'stubby unbound resolved dnsdist dnsdist-lua proxy'.split()
OPTION = re.compile(r'^ +(?:-(\w), )?--([a-z-]+)(?: ([A-Z]+))?  +(.*)$')


class Command:
    def __init__(self, name, summary, text):
        self.name, self.summary = name, summary
        self.options = []
        usage = re.match(r'usage: (.*(?:\n {8,}.*)*)', text).group(1)
        # What follows the name and is no option's.
        words = re.sub(r'(?<!\S)\[?(-\w|--[a-z-]+)( [A-Z]+)?\]?', '', usage)
        self.operands = words.replace('[run]', '').split()[1:]
        if self.operands[:1] == [name]:
            del self.operands[0]
        for line in text.splitlines():
            match = OPTION.match(line)
            if match:
                self.options.append(list(match.groups()))
            elif self.options and re.match(r'^ {8,}\S', line):
                self.options[-1][3] += ' ' + line.strip()
        self.options.append(['h', 'help', None, 'how it is used'])

    def values(self):
        """What may stand after it, besides options: words, or 'files'."""
        first = self.operands[0] if self.operands else ''
        if first == 'FILE':
            return 'files'
        if '|' in first:
            return first.split('|')
        if first == '[COMMAND]':
            return 'commands'
        if re.match(r'\[SERVER\]|HOST', first):
            return PROVIDERS
        if '[TYPE]' in ' '.join(self.operands) or 'TYPE]' in ' '.join(
                self.operands):
            return TYPES
        return []


def values_of(argument):
    return {'FILE': 'files', 'PATH': 'files', 'SERVER': PROVIDERS,
            'KIND': KINDS}.get(argument, [])


def commands(binary):
    def said(*words):
        return subprocess.run([binary, *words], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    found = re.findall(r'^  ([a-z-]+)  +(\S.*)$', said('--help'), re.M)
    return [Command(name, summary, said('help', name))
            for name, summary in found if not name.startswith('-')]


# ---- bash

def bash(all_commands):
    names = ' '.join(c.name for c in all_commands)
    cases, values, arguments = [], [], {}
    for c in all_commands:
        options = ' '.join(f'-{s} --{n}' if s else f'--{n}'
                           for s, n, _, _ in c.options)
        words = c.values()
        if words == 'files':
            words = '@files'
        elif words == 'commands':
            words = names
        else:
            words = ' '.join(words)
        cases.append(f'    {c.name})\n        options="{options}"\n'
                     f'        values="{words}"\n        ;;')
        for short, name, argument, _ in c.options:
            if argument:
                known = values_of(argument)
                key = f'-{short} | --{name}' if short else f'--{name}'
                arguments[key] = ('@files' if known == 'files'
                                  else ' '.join(known))
    for key in sorted(arguments):
        values.append(f'    {key})\n        values="{arguments[key]}"\n'
                      '        options=\n        ;;')
    return f'''# bash completion of dotstub; made by completions/generate.py

_dotstub()
{{
    local current="${{COMP_WORDS[COMP_CWORD]}}"
    local before="${{COMP_WORDS[COMP_CWORD - 1]}}"
    local options= values=

    COMPREPLY=()
    case "${{COMP_WORDS[1]}}" in
{chr(10).join(cases)}
    *)
        values="{names}"
        options="-c --config -h --help -V --version"
        ;;
    esac
    if ((COMP_CWORD == 1)); then
        values="{names}"
        options="-c --config -h --help -V --version"
    fi
    case "$before" in
{chr(10).join(values)}
    esac
    if [[ $values == @files && $current != -* ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    fi
}}

complete -F _dotstub dotstub
'''


# ---- zsh

def zsh_text(text):
    return text.replace("'", "'\\''").replace('[', r'\[').replace(
        ']', r'\]').replace(':', r'\:')


def zsh_action(values, message):
    if values == 'files':
        return f':{message}:_files'
    if values == 'commands':
        return f':{message}:_dotstub_commands'
    if values:
        return f':{message}:({" ".join(values)})'
    return f':{message}:'


def zsh(all_commands):
    listed = '\n'.join(f"        '{c.name}:{zsh_text(c.summary)}'"
                       for c in all_commands)
    cases = []
    for c in all_commands:
        lines = []
        for short, name, argument, text in c.options:
            tail = f'[{zsh_text(text)}]'
            if argument:
                tail += zsh_action(values_of(argument), argument.lower())
            if short:
                lines.append(f"'(-{short} --{name})'{{-{short},--{name}}}"
                             f"'{tail}'")
            else:
                lines.append(f"'--{name}{tail}'")
        if c.operands:
            lines.append(
                f"'*{zsh_action(c.values(), 'argument')}'")
        joined = ' \\\n            '.join(lines)
        cases.append(f'    {c.name})\n        _arguments \\\n            '
                     f'{joined}\n        ;;')
    return f'''#compdef dotstub
# zsh completion of dotstub; made by completions/generate.py

_dotstub_commands()
{{
    local -a all
    all=(
{listed}
    )
    _describe command all
}}

_dotstub()
{{
    if ((CURRENT == 2)); then
        _dotstub_commands
        return
    fi
    local command=$words[2]
    shift words
    ((CURRENT--))
    case $command in
{chr(10).join(cases)}
    esac
}}

_dotstub "$@"
'''


# ---- fish

def fish_text(text):
    return text.replace('\\', '\\\\').replace("'", "\\'")


def fish(all_commands):
    lines = ['# fish completion of dotstub; made by completions/generate.py',
             '', 'complete -c dotstub -f']
    names = ' '.join(c.name for c in all_commands)
    for c in all_commands:
        lines.append(f"complete -c dotstub -n __fish_use_subcommand "
                     f"-a {c.name} -d '{fish_text(c.summary)}'")
    for c in all_commands:
        where = f"complete -c dotstub -n '__fish_seen_subcommand_from {c.name}'"
        for short, name, argument, text in c.options:
            line = where + (f' -s {short}' if short else '') + f' -l {name}'
            if argument:
                known = values_of(argument)
                line += ' -r' + (' -F' if known == 'files' else
                                 f" -a '{' '.join(known)}'" if known else '')
            lines.append(line + f" -d '{fish_text(text)}'")
        values = c.values()
        if values == 'files':
            lines.append(where + ' -F')
        elif values == 'commands':
            lines.append(where + f" -a '{names}'")
        elif values:
            lines.append(where + f" -a '{' '.join(values)}'")
    return '\n'.join(lines) + '\n'


def main():
    is_check = sys.argv[1] == '--check'
    found = commands(sys.argv[-1])
    stale = []
    for name, make in (('dotstub.bash', bash), ('_dotstub', zsh),
                       ('dotstub.fish', fish)):
        path = HERE / name
        text = make(found)
        if not is_check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        sys.exit(f'{", ".join(stale)}: not what the program says; run '
                 'completions/generate.py with its path')


if __name__ == '__main__':
    main()
