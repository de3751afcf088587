"""What bash, zsh and fish offer, by the files that are installed for them."""
import functools
import shutil
import subprocess

import pytest

from lib.dotstub import REPOSITORY, find_binary

COMPLETIONS = REPOSITORY / 'completions'

COMMANDS = ('run check health query bench pin stats top explain flush reload '
            'log-level privacy import version help keys').split()

# zsh completes in a terminal only, which zpty makes. Each time TAB was typed,
# whatever a completion function adds is printed, and the end is marked.
ZSH = r'''
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "PROMPT=; stty -echo
fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D
compadd() {
    local -a found
    if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
        builtin compadd -O found \"\$@\"
        print -rl -- '' \"offer:\"\$^found
    fi
    builtin compadd \"\$@\"
}
finish() { zle complete-word; BUFFER=; print -r -- end:offers }
zle -N finish
bindkey '^I' finish
print begin:offers"
zpty -r shell seen '*begin:offers*'
for line in "${@[2,-1]}"; do
    zpty -w -n shell "$line"$'\t'
    zpty -r shell seen '*end:offers*'
    print -r -- "$seen"
done
'''

BASH = r'''
source "$1/dotstub.bash"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_dotstub
printf '%s\n' "${COMPREPLY[@]}"
'''


def output_of(*words):
    done = subprocess.run(words, text=True, capture_output=True, check=True,
                          timeout=60, cwd=COMPLETIONS, errors='replace')
    assert not done.stderr, done.stderr
    return done.stdout


def offers_of_bash(line):
    # It takes --option=value apart.
    words = [part for word in line.split(' ')
             for part in word.replace('=', '\n=\n').split('\n')
             if part or word == '']
    if line.endswith('='):
        words[-1:] = ['=']
    return output_of('bash', '-c', BASH, 'bash', COMPLETIONS, *words).split()


@functools.cache
def all_of_zsh():
    """It starts slowly, so it is asked for all lines at once."""
    lines = ['dotstub ', *(line for line, _ in LINES)]
    parts = output_of('zsh', '-f', '-c', ZSH, 'zsh', COMPLETIONS,
                      *lines).split('end:offers')
    return {line: [one[len('offer:'):] for one in part.split()
                   if one.startswith('offer:')]
            for line, part in zip(lines, parts)}


def offers_of_zsh(line):
    return all_of_zsh()[line]


def offers_of_fish(line):
    out = output_of('fish', '-N', '-c', 'source $argv[1]/dotstub.fish; '
                    'complete -C $argv[2]', str(COMPLETIONS), line)
    return [one.split('\t')[0] for one in out.splitlines()]


LINES = [
    ('dotstub imp', ['import']),
    # options before the command, and it behind them
    ('dotstub --v', ['--version']),
    ('dotstub -c dotstub.f', ['dotstub.fish']),
    ('dotstub --config=dotstub.f', ['dotstub.fish']),
    ('dotstub -c a.yaml sta', ['stats']),
    ('dotstub --config=a.yaml sta', ['stats']),
    ('dotstub -c a.yaml query a.example NSE', ['NSEC', 'NSEC3']),
    # each operand in its place
    ('dotstub query N', []),
    ('dotstub query a.example NSE', ['NSEC', 'NSEC3']),
    ('dotstub query a.example A N', []),
    ('dotstub query --server quad9 a.example NSE', ['NSEC', 'NSEC3']),
    ('dotstub flush a.example AAA', ['AAAA']),
    ('dotstub bench quad9 go', ['google']),
    ('dotstub log-level e', ['error']),
    ('dotstub log-level error i', []),
    ('dotstub help ben', ['bench']),
    ('dotstub import dotstub.b', ['dotstub.bash']),
    # options and what they take
    ('dotstub query --se', ['--server']),
    ('dotstub query --server qu', ['quad9']),
    ('dotstub query --server=qu', ['quad9']),
    ('dotstub import --from dnsd', ['dnsdist', 'dnsdist-lua']),
    ('dotstub import --from d', ['dnsdist', 'dnsdist-lua']),
    ('dotstub run -c dotstub.f', ['dotstub.fish']),
    ('dotstub run --config=dotstub.f', ['dotstub.fish']),
]

SHELLS = {'bash': offers_of_bash, 'zsh': offers_of_zsh, 'fish': offers_of_fish}


@pytest.fixture(params=SHELLS)
def offers(request):
    if shutil.which(request.param) is None:
        pytest.skip(f'there is no {request.param} here')

    def ask(line):
        found = SHELLS[request.param](line)
        # fish gives an option with what is before it.
        return sorted({one.rsplit('=', 1)[-1] for one in found})
    return ask


def test_completions_are_what_the_program_says():
    subprocess.run([COMPLETIONS / 'generate.py', '--check', find_binary()],
                   check=True)


def test_commands(offers):
    assert offers('dotstub ') == sorted(COMMANDS)


@pytest.mark.parametrize('line, wanted', LINES)
def test_offers(offers, line, wanted):
    assert offers(line) == wanted
