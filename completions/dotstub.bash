# bash completion of dotstub; made by completions/generate.py

_dotstub()
{
    local current="${COMP_WORDS[COMP_CWORD]}"
    local before="${COMP_WORDS[COMP_CWORD - 1]}"
    local command="" operands=0 options="" values="" i

    COMPREPLY=()
    # --config=FILE is three words here.
    if [[ $current == = ]]; then
        current=""
    elif [[ $before == = ]]; then
        before="${COMP_WORDS[COMP_CWORD - 2]}"
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
        --ca-file | --from | --idle | --queries | --server | --socket | -c | --config)
            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
            ((i++))
            ;;
        -*) ;;
        *)
            if [[ -z $command ]]; then
                command="${COMP_WORDS[i]}"
            else
                ((operands++))
            fi
            ;;
        esac
    done
    case "$command" in
    "")
        options="-c --config -h --help -V --version"
        values="run check health query bench pin stats top explain flush reload log-level privacy import version help keys"
        ;;
    run)
        options="-c --config -h --help"
        ;;
    check)
        options="-c --config -h --help"
        ;;
    health)
        options="-c --config --ready -h --help"
        ;;
    query)
        options="-c --config --server --tcp --dnssec --cd --short --trace -h --help"
        ((operands == 1)) && values="A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR"
        ;;
    bench)
        options="-c --config --queries --idle -h --help"
        ((operands >= 0)) && values="cloudflare quad9 google adguard mullvad"
        ;;
    pin)
        options="--ca-file -h --help"
        ((operands == 0)) && values="cloudflare quad9 google adguard mullvad"
        ;;
    stats)
        options="-c --config --socket --json -h --help"
        ;;
    top)
        options="-c --config --socket --once -h --help"
        ;;
    explain)
        options="-c --config --socket -h --help"
        ((operands == 1)) && values="A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR"
        ;;
    flush)
        options="-c --config --socket --subtree -h --help"
        ((operands == 1)) && values="A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR"
        ;;
    reload)
        options="-c --config --socket -h --help"
        ;;
    log-level)
        options="-c --config --socket -h --help"
        ((operands == 0)) && values="error warning notice info debug"
        ;;
    privacy)
        options="-c --config --no-namespace -h --help"
        ;;
    import)
        options="--from -h --help"
        ((operands == 0)) && values="@files"
        ;;
    version)
        options="-h --help"
        ;;
    help)
        options="-h --help"
        ((operands == 0)) && values="run check health query bench pin stats top explain flush reload log-level privacy import version help keys"
        ;;
    keys)
        options="-h --help"
        ;;
    esac
    case "$before" in
    --ca-file)
        values="@files"
        options=
        ;;
    --from)
        values="stubby unbound resolved dnsdist dnsdist-lua proxy"
        options=
        ;;
    --idle)
        values=""
        options=
        ;;
    --queries)
        values=""
        options=
        ;;
    --server)
        values="cloudflare quad9 google adguard mullvad"
        options=
        ;;
    --socket)
        values="@files"
        options=
        ;;
    -c | --config)
        values="@files"
        options=
        ;;
    esac
    if [[ $values == @files && $current != -* ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    fi
}

complete -F _dotstub dotstub
