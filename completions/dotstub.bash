# bash completion of dotstub; made by completions/generate.py

_dotstub()
{
    local current="${COMP_WORDS[COMP_CWORD]}"
    local before="${COMP_WORDS[COMP_CWORD - 1]}"
    local options= values=

    COMPREPLY=()
    case "${COMP_WORDS[1]}" in
    run)
        options="-c --config -h --help"
        values=""
        ;;
    check)
        options="-c --config -h --help"
        values=""
        ;;
    health)
        options="-c --config --ready -h --help"
        values=""
        ;;
    query)
        options="-c --config --server --tcp --dnssec --cd --short --trace -h --help"
        values="A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR"
        ;;
    bench)
        options="-c --config --queries --idle -h --help"
        values="cloudflare quad9 google adguard mullvad"
        ;;
    pin)
        options="--ca-file -h --help"
        values="cloudflare quad9 google adguard mullvad"
        ;;
    stats)
        options="-c --config --socket --json -h --help"
        values=""
        ;;
    top)
        options="-c --config --socket --once -h --help"
        values=""
        ;;
    explain)
        options="-c --config --socket -h --help"
        values="A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR"
        ;;
    flush)
        options="-c --config --socket --subtree -h --help"
        values="A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR"
        ;;
    reload)
        options="-c --config --socket -h --help"
        values=""
        ;;
    log-level)
        options="-c --config --socket -h --help"
        values="error warning notice info debug"
        ;;
    privacy)
        options="-c --config --no-namespace -h --help"
        values=""
        ;;
    import)
        options="--from -h --help"
        values="@files"
        ;;
    version)
        options="-h --help"
        values=""
        ;;
    help)
        options="-h --help"
        values="run check health query bench pin stats top explain flush reload log-level privacy import version help keys"
        ;;
    keys)
        options="-h --help"
        values=""
        ;;
    *)
        values="run check health query bench pin stats top explain flush reload log-level privacy import version help keys"
        options="-c --config -h --help -V --version"
        ;;
    esac
    if ((COMP_CWORD == 1)); then
        values="run check health query bench pin stats top explain flush reload log-level privacy import version help keys"
        options="-c --config -h --help -V --version"
    fi
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
