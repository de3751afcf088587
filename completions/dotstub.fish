# fish completion of dotstub; made by completions/generate.py

# The words behind the first one, without options and their arguments.
function __dotstub_words
    set -l is_argument 0
    for word in (commandline -opc)[2..]
        if test $is_argument = 1
            set is_argument 0
            continue
        end
        switch $word
            case --ca-file --config --from --idle --queries --server --socket -c
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
complete -c dotstub -n '__dotstub_at ""' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml)'
complete -c dotstub -n '__dotstub_at ""' -s h -l help -d 'this, or with a command how it is used'
complete -c dotstub -n '__dotstub_at ""' -s V -l version -d 'versions of dotstub and its libraries'
complete -c dotstub -n '__dotstub_at ""' -a run -d 'serve DNS, until SIGTERM or SIGINT (the default)'
complete -c dotstub -n '__dotstub_at ""' -a check -d 'read the configuration, and say all that is wrong with it'
complete -c dotstub -n '__dotstub_at ""' -a health -d 'ask the dotstub that runs whether it answers'
complete -c dotstub -n '__dotstub_at ""' -a query -d 'ask one question the way the daemon would, without one'
complete -c dotstub -n '__dotstub_at ""' -a bench -d 'measure servers, and print the list to use, fastest first'
complete -c dotstub -n '__dotstub_at ""' -a pin -d 'show the keys of a server, as pins for the configuration'
complete -c dotstub -n '__dotstub_at ""' -a stats -d 'what the daemon counts'
complete -c dotstub -n '__dotstub_at ""' -a top -d 'watch the daemon at work'
complete -c dotstub -n '__dotstub_at ""' -a explain -d 'see why a query is slow, or answered as it is'
complete -c dotstub -n '__dotstub_at ""' -a flush -d 'forget answers'
complete -c dotstub -n '__dotstub_at ""' -a reload -d 'have the daemon read its configuration again'
complete -c dotstub -n '__dotstub_at ""' -a log-level -d 'have the daemon say more, or less'
complete -c dotstub -n '__dotstub_at ""' -a privacy -d 'show that nothing but TLS to the servers leaves'
complete -c dotstub -n '__dotstub_at ""' -a import -d 'turn another program\'s configuration into one of dotstub\'s'
complete -c dotstub -n '__dotstub_at ""' -a version -d 'print the versions of dotstub and its libraries'
complete -c dotstub -n '__dotstub_at ""' -a help -d 'print this, or how a command is used'
complete -c dotstub -n '__dotstub_at ""' -a keys -d 'print the keys of the configuration, for scripts'
complete -c dotstub -n '__dotstub_at run' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml; - is standard input)'
complete -c dotstub -n '__dotstub_at run' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at check' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml; - is standard input)'
complete -c dotstub -n '__dotstub_at check' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at health' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml), which says where it listens'
complete -c dotstub -n '__dotstub_at health' -l ready -d 'ask for what only a server knows, the root\'s name servers (. NS): 0 when it can be resolved'
complete -c dotstub -n '__dotstub_at health' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at query' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml)'
complete -c dotstub -n '__dotstub_at query' -l server -x -a 'cloudflare quad9 google adguard mullvad' -d 'this server in place of the file\'s, such as 9.9.9.9#dns.quad9.net or quad9'
complete -c dotstub -n '__dotstub_at query' -l tcp -d 'as a client over TCP: the answer is not cut'
complete -c dotstub -n '__dotstub_at query' -l dnssec -d 'ask for signatures (DO)'
complete -c dotstub -n '__dotstub_at query' -l cd -d 'ask without checking (CD)'
complete -c dotstub -n '__dotstub_at query' -l short -d 'print the answers\' data alone'
complete -c dotstub -n '__dotstub_at query' -l trace -d 'print what was decided on the way'
complete -c dotstub -n '__dotstub_at query' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at query 1' -a 'A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR'
complete -c dotstub -n '__dotstub_at bench' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml)'
complete -c dotstub -n '__dotstub_at bench' -l queries -x -d 'queries to measure by, 1 to 100 (20)'
complete -c dotstub -n '__dotstub_at bench' -l idle -x -d 'wait up to so long, 1 to 300, to see when servers close idle connections'
complete -c dotstub -n '__dotstub_at bench' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at bench' -a 'cloudflare quad9 google adguard mullvad'
complete -c dotstub -n '__dotstub_at pin' -l ca-file -r -F -d 'trust these authorities, not the system\'s'
complete -c dotstub -n '__dotstub_at pin' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at pin 0' -a 'cloudflare quad9 google adguard mullvad'
complete -c dotstub -n '__dotstub_at stats' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml), which names the socket'
complete -c dotstub -n '__dotstub_at stats' -l socket -r -F -d 'the socket, without the configuration'
complete -c dotstub -n '__dotstub_at stats' -l json -d 'one JSON object'
complete -c dotstub -n '__dotstub_at stats' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at top' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml), which names the socket'
complete -c dotstub -n '__dotstub_at top' -l socket -r -F -d 'the socket, without the configuration'
complete -c dotstub -n '__dotstub_at top' -l once -d 'one frame, over one second'
complete -c dotstub -n '__dotstub_at top' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at explain' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml), which names the socket'
complete -c dotstub -n '__dotstub_at explain' -l socket -r -F -d 'the socket, without the configuration'
complete -c dotstub -n '__dotstub_at explain' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at explain 1' -a 'A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR'
complete -c dotstub -n '__dotstub_at flush' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml), which names the socket'
complete -c dotstub -n '__dotstub_at flush' -l socket -r -F -d 'the socket, without the configuration'
complete -c dotstub -n '__dotstub_at flush' -l subtree -d 'the names below NAME too'
complete -c dotstub -n '__dotstub_at flush' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at flush 1' -a 'A AAAA NS CNAME SOA PTR MX TXT SRV CAA SVCB HTTPS DS DNSKEY RRSIG NSEC NSEC3 TLSA NAPTR'
complete -c dotstub -n '__dotstub_at reload' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml), which names the socket'
complete -c dotstub -n '__dotstub_at reload' -l socket -r -F -d 'the socket, without the configuration'
complete -c dotstub -n '__dotstub_at reload' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at log-level' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml), which names the socket'
complete -c dotstub -n '__dotstub_at log-level' -l socket -r -F -d 'the socket, without the configuration'
complete -c dotstub -n '__dotstub_at log-level' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at log-level 0' -a 'error warning notice info debug'
complete -c dotstub -n '__dotstub_at privacy' -s c -l config -r -F -d 'configuration (default /etc/dotstub/dotstub.yaml)'
complete -c dotstub -n '__dotstub_at privacy' -l no-namespace -d 'look at the program\'s sockets instead, as where namespaces are not allowed'
complete -c dotstub -n '__dotstub_at privacy' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at import' -l from -x -a 'stubby unbound resolved dnsdist dnsdist-lua proxy' -d 'stubby, unbound, resolved, dnsdist, dnsdist-lua or proxy (YAML with DNS_SERVERS, SOCKET_ADDRESS); found by itself as a rule'
complete -c dotstub -n '__dotstub_at import' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at import 0' -F
complete -c dotstub -n '__dotstub_at version' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at help' -s h -l help -d 'how it is used'
complete -c dotstub -n '__dotstub_at help 0' -a 'run check health query bench pin stats top explain flush reload log-level privacy import version help keys'
complete -c dotstub -n '__dotstub_at keys' -s h -l help -d 'how it is used'
