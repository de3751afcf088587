#!/usr/bin/python3
"""The sidecar example as podman can play it.

    pod.py EXAMPLE CA-FILE >MANIFEST

podman 4.3 knows no sidecars among the init containers, no startup probe and
no sysctls (containers.conf has that one); the authority of the test's servers
is added. All else is as in the example, with its servers and zones.
"""
import sys

import yaml


def main():
    example, ca_file = sys.argv[1:]
    with open(example, encoding='utf-8') as file:
        config_map, pod = yaml.safe_load_all(file)
    with open(ca_file, encoding='utf-8') as file:
        config_map['data']['ca.pem'] = file.read()
    spec = pod['spec']
    sidecar, = spec.pop('initContainers')
    assert sidecar.pop('restartPolicy') == 'Always'
    del sidecar['startupProbe'], sidecar['livenessProbe']
    del spec['securityContext']['sysctls']
    sidecar['env'] = [{'name': 'DOTSTUB_CA_FILE',
                       'value': '/etc/dotstub/ca.pem'}]
    spec['containers'].insert(0, sidecar)
    yaml.safe_dump_all([config_map, pod], sys.stdout)


if __name__ == '__main__':
    main()
