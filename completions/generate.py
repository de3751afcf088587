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
        usage = re.match(r'usage: (.*(?:\n {8,}.*)*)', text).group(1)
        # What follows the name and is no option's.
        words = re.sub(r'(?<!\S)\[?(-\w|--[a-z-]+)( [A-Z]+)?\]?', '', usage)
        self.operands = words.replace('[run]', '').split()[1:]
        if self.operands[:1] == [name]:
            del self.operands[0]
        self.options = options_of(text)
        self.options.append(['h', 'help', None, 'how it is used'])

    def values(self):
        """What may stand as each of its operands: (name, what is known of
        it, does it repeat)."""
        return [(word.strip('[].').lower() if '|' not in word else self.name,
                 operand_values(word), word.endswith('...'))
                for word in self.operands]


def options_of(text):
    """[letter or None, name, its argument or None, what it does]"""
    options = []
    for line in text.splitlines():
        match = OPTION.match(line)
        if match:
            options.append(list(match.groups()))
        elif options and re.match(r'^ {8,}\S', line):
            options[-1][3] += ' ' + line.strip()
    return options


def operand_values(word):
    """Words, or 'files', or 'commands'; [] where nothing is known."""
    if '|' in word:
        return word.split('|')
    return {'FILE': 'files', 'COMMAND': 'commands', 'SERVER': PROVIDERS,
            'TYPE': TYPES}.get(word.strip('[].'),
                               PROVIDERS if word.startswith('HOST') else [])


def values_of(argument):
    return {'FILE': 'files', 'PATH': 'files', 'SERVER': PROVIDERS,
            'KIND': KINDS}.get(argument, [])


def read(binary):
    """The options before a command, and the commands."""
    def said(*words):
        return subprocess.run([binary, *words], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    found = re.findall(r'^  ([a-z-]+)  +(\S.*)$', said('--help'), re.M)
    return options_of(said('--help')), [
        Command(name, summary, said('help', name))
        for name, summary in found if not name.startswith('-')]


# ---- bash

def bash_words(values, names):
    if values == 'files':
        return '@files'
    return names if values == 'commands' else ' '.join(values)


def bash_case(command, names):
    lines = [f'    {command.name})',
             f'        options="{bash_options(command.options)}"']
    for at, (_, values, is_repeated) in enumerate(command.values()):
        if values:
            sign = '>=' if is_repeated else '=='
            lines.append(f'        ((operands {sign} {at})) && '
                         f'values="{bash_words(values, names)}"')
    return '\n'.join(lines + ['        ;;'])


def bash_options(options):
    return ' '.join(f'-{s} --{n}' if s else f'--{n}' for s, n, _, _ in options)


def bash(first, all_commands):
    names = ' '.join(c.name for c in all_commands)
    arguments = {f'-{short} | --{name}' if short else f'--{name}':
                 bash_words(values_of(argument), names)
                 for c in all_commands
                 for short, name, argument, _ in c.options if argument}
    values = '\n'.join(f'    {key})\n        values="{arguments[key]}"\n'
                       '        options=\n        ;;'
                       for key in sorted(arguments))
    cases = '\n'.join(bash_case(c, names) for c in all_commands)
    return f'''# bash completion of dotstub; made by completions/generate.py

_dotstub()
{{
    local current="${{COMP_WORDS[COMP_CWORD]}}"
    local before="${{COMP_WORDS[COMP_CWORD - 1]}}"
    local command="" operands=0 options="" values="" i

    COMPREPLY=()
    # --config=FILE is three words here.
    if [[ $current == = ]]; then
        current=""
    elif [[ $before == = ]]; then
        before="${{COMP_WORDS[COMP_CWORD - 2]}}"
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
        {' | '.join(sorted(arguments))})
            [[ ${{COMP_WORDS[i + 1]}} == = ]] && ((i++))
            ((i++))
            ;;
        -*) ;;
        *)
            if [[ -z $command ]]; then
                command="${{COMP_WORDS[i]}}"
            else
                ((operands++))
            fi
            ;;
        esac
    done
    case "$command" in
    "")
        options="{bash_options(first)}"
        values="{names}"
        ;;
{cases}
    esac
    case "$before" in
{values}
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


def zsh_options(options):
    for short, name, argument, text in options:
        tail = f'[{zsh_text(text)}]'
        equals, plus = ('=', '+') if argument else ('', '')
        if argument:
            tail += zsh_action(values_of(argument), argument.lower())
        if short:
            yield (f"'(-{short} --{name})'{{-{short}{plus},--{name}{equals}}}"
                   f"'{tail}'")
        else:
            yield f"'--{name}{equals}{tail}'"


def zsh_arguments(lines, indent):
    return f' \\\n{indent}'.join(['_arguments', *lines])


def zsh_case(command):
    lines = list(zsh_options(command.options))
    for at, (name, values, is_repeated) in enumerate(command.values()):
        place = '*' if is_repeated else at + 1
        lines.append(f"'{place}{zsh_action(values, name)}'")
    return (f'    {command.name})\n        '
            f'{zsh_arguments(lines, " " * 12)}\n        ;;')


def zsh(first, all_commands):
    listed = '\n'.join(f"        '{c.name}:{zsh_text(c.summary)}'"
                       for c in all_commands)
    top = zsh_arguments([*zsh_options(first), "'1:command:_dotstub_commands'"],
                        ' ' * 12)
    cases = '\n'.join(zsh_case(c) for c in all_commands)
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
    local command i

    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
        -c | --config) ((i++)) ;;
        -*) ;;
        *)
            command=$words[i]
            break
            ;;
        esac
    done
    if [[ -z $command ]]; then
        {top}
        return
    fi
    # Options before the command are as good as behind it.
    words=("$command" "${{(@)words[2,i-1]}}" "${{(@)words[i+1,-1]}}")
    ((CURRENT--))
    case $command in
{cases}
    esac
}}

if [[ $funcstack[1] == _dotstub ]]; then
    _dotstub "$@"
else
    compdef _dotstub dotstub
fi
'''


# ---- fish

def fish_text(text):
    return text.replace('\\', '\\\\').replace("'", "\\'")


FISH = """# fish completion of dotstub; made by completions/generate.py

# The words behind the first one, without options and their arguments.
function __dotstub_words
    set -l is_argument 0
    for word in (commandline -opc)[2..]
        if test $is_argument = 1
            set is_argument 0
            continue
        end
        switch $word
            case ARGUMENTS
                set is_argument 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

# Is there no command yet, or is it this one, with so many words behind it?
function __dotstub_at -a command count
    set -l words (__dotstub_words)
    test "$words[1]" = "$command"; or return 1
    test -z "$count"; or test (count $words) = (math $count + 1)
end

complete -c dotstub -f
"""


def fish_options(where, options):
    for short, name, argument, text in options:
        line = where + (f' -s {short}' if short else '') + f' -l {name}'
        if argument:
            known = values_of(argument)
            line += (' -r -F' if known == 'files' else
                     f" -x -a '{' '.join(known)}'" if known else ' -x')
        yield line + f" -d '{fish_text(text)}'"


def fish_values(command, names):
    for at, (_, values, is_repeated) in enumerate(command.values()):
        count = '' if is_repeated else f' {at}'
        where = f"complete -c dotstub -n '__dotstub_at {command.name}{count}'"
        if values == 'files':
            yield where + ' -F'
        elif values:
            words = names if values == 'commands' else ' '.join(values)
            yield where + f" -a '{words}'"


def fish(first, all_commands):
    names = ' '.join(c.name for c in all_commands)
    arguments = sorted({word for c in all_commands
                        for short, name, argument, _ in c.options if argument
                        for word in (f'-{short}' if short else '', f'--{name}')
                        if word})
    where = "complete -c dotstub -n '__dotstub_at \"\"'"
    lines = [FISH.replace('ARGUMENTS', ' '.join(arguments)).rstrip(),
             *fish_options(where, first)]
    lines += [f"{where} -a {c.name} -d '{fish_text(c.summary)}'"
              for c in all_commands]
    for c in all_commands:
        lines += fish_options(f"complete -c dotstub -n '__dotstub_at {c.name}'",
                              c.options)
        lines += fish_values(c, names)
    return '\n'.join(lines) + '\n'


def main():
    is_check = sys.argv[1] == '--check'
    found = read(sys.argv[-1])
    stale = []
    for name, make in (('dotstub.bash', bash), ('_dotstub', zsh),
                       ('dotstub.fish', fish)):
        path = HERE / name
        text = make(*found)
        if not is_check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        sys.exit(f'{", ".join(stale)}: not what the program says; run '
                 'completions/generate.py with its path')


if __name__ == '__main__':
    main()
