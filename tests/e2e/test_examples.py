"""The folder examples: what can be run is run, what cannot is checked field by
field. tests/container plays the sidecar and runs the image."""
import configparser
import ipaddress
import os
import pathlib
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from lib.dotstub import REPOSITORY, Dotstub, find_binary
from lib.namespace import Namespace, is_possible
from lib.ports import free_port
from lib.process import Process, wait_bound, wait_until
from lib.recorder import dig, public_names, public_server, wait_for_log

EXAMPLES = REPOSITORY / 'examples'
FOLDERS = sorted(p for p in [*EXAMPLES.iterdir(),
                             *(EXAMPLES / 'kubernetes').iterdir()]
                 if p.is_dir() and p.name != 'kubernetes')
CONFIGS = sorted([*EXAMPLES.glob('*.yaml'), *EXAMPLES.rglob('dotstub.yaml'),
                  *(EXAMPLES / 'providers').glob('*.yaml')])


def name_of(path):
    return str(path.relative_to(EXAMPLES))


def check(path, **variables):
    done = subprocess.run([find_binary(), 'check', '-c', path], text=True,
                          capture_output=True, timeout=60, check=False,
                          env={**os.environ, **variables})
    return done.returncode, done.stdout, done.stderr


def load(path):
    return list(yaml.safe_load_all((EXAMPLES / path).read_text()))


# ---- all of them

@pytest.mark.parametrize('path', CONFIGS, ids=name_of)
def test_configurations_are_good(path):
    code, said, faults = check(path)
    assert code == 0, faults
    # Files of the machine that it is for are not here.
    for line in faults.splitlines():
        assert 'is not there yet' in line
    for line in said.splitlines():
        if line.startswith('clear text'):
            assert 'zones' in path.read_text()


@pytest.mark.parametrize('folder', FOLDERS, ids=name_of)
def test_each_is_explained(folder):
    lines = (folder / 'README.md').read_text().splitlines()
    assert lines[0].startswith('# ') and 5 <= len(lines) <= 20
    index = (EXAMPLES / 'README.md').read_text()
    assert f']({name_of(folder)})' in index


def test_index_names_what_is_there():
    index = (EXAMPLES / 'README.md').read_text()
    for path in EXAMPLES.glob('*.yaml'):
        assert f'`{path.name}`' in index
    for link in re.findall(r'\]\(([^)]*)\)', index):
        assert (EXAMPLES / link).is_dir()


# ---- providers

@pytest.mark.parametrize('path', sorted(
    (EXAMPLES / 'providers').glob('*.yaml')), ids=lambda p: p.stem)
def test_a_provider_is_its_word(path, tmp_path):
    """The file has as many servers as the word, each of them with a name."""
    servers = yaml.safe_load(path.read_text())['servers']
    for server in servers:
        # One server, by IPv4 or by IPv6.
        assert [ipaddress.ip_address(a).version
                for a in server['addresses']] == [4, 6]
        assert re.fullmatch(r'[a-z0-9.-]+\.[a-z]+', server['name'])
    word = tmp_path / 'word.yaml'
    word.write_text(f'servers: {path.stem}\n')
    count = re.compile(r'good: (\d+) server')
    assert count.search(check(path)[1])[1] == count.search(check(word)[1])[1]


# ---- /etc/resolv.conf

def test_resolv_conf_is_run(tmp_path, ca):
    """A machine with both files of the example, Quad9's address on it, and a
    program that resolves."""
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    leaf = ca.leaf(['dns.quad9.net'])
    here = pathlib.Path(__file__).parent
    with Namespace(tmp_path) as ns:
        shutil.copy(EXAMPLES / 'resolv.conf' / 'resolv.conf',
                    ns.folder / 'resolv.conf')
        ns.run('ip', 'addr', 'add', '9.9.9.9/32', 'dev', 'lo')
        env = {**os.environ, 'PYTHONPATH': str(here),
               'DOTSTUB_CA_FILE': str(ca.file),
               'PYTHONDONTWRITEBYTECODE': '1'}
        server = Process([*ns.prefix, shutil.which('python3', path='/usr/bin'),
                          '-m', 'lib.dotd', leaf.chain_file, leaf.key_file,
                          '9.9.9.9', '853'], tmp_path / 'dotd.log', env=env)
        stub = Process([*ns.prefix, find_binary(), 'run', '-c',
                        EXAMPLES / 'resolv.conf' / 'dotstub.yaml'],
                       tmp_path / 'stub.log', env=env)
        with server, stub:
            wait_until(lambda: 'listening on' in stub.log()
                       and ':853' in server.log(), 10,
                       lambda: stub.log() + server.log())
            said, code = ns.run('cat', '/etc/resolv.conf')
            assert 'nameserver ::1' in said
            said, code = ns.run('getent', 'ahostsv4', 'www.example')
            assert code == 0 and '192.0.2.1' in said, said + stub.log()
            said, code = ns.run('getent', 'hosts', 'no.such.name.invalid')
            assert code == 2


# ---- services that ask dotstub

def listens(path):
    """Addresses of a configuration, as ip and port."""
    value = yaml.safe_load((EXAMPLES / path).read_text())['listen']
    for entry in value if isinstance(value, list) else [value]:
        ip, _, port = entry.partition(':') if '.' in entry else (entry, '', '')
        yield ip, int(port or 53)


def ini(path):
    parser = configparser.ConfigParser(strict=True)
    parser.optionxform = str
    parser.read_string((EXAMPLES / path).read_text())
    return parser


def test_systemd_resolved():
    resolve = dict(ini('systemd-resolved/dotstub.conf')['Resolve'])
    assert (resolve['DNS'], 53) in listens('systemd-resolved/dotstub.yaml')
    assert resolve['Domains'] == '~.'
    # No way around dotstub, and not the address of resolved itself.
    assert resolve['FallbackDNS'] == ''
    assert all(ip not in ('127.0.0.53', '127.0.0.54', '0.0.0.0')
               for ip, _ in listens('systemd-resolved/dotstub.yaml'))


def test_network_manager():
    assert ini('NetworkManager/dotstub.conf')['main']['dns'] == 'none'
    zones = yaml.safe_load(
        (EXAMPLES / 'NetworkManager/dotstub.yaml').read_text())['zones']
    assert zones
    for zone in zones.values():
        # With dns=none it goes on writing this one, and no other.
        assert zone == {'servers': {
            'resolv_conf': '/run/NetworkManager/resolv.conf'}}


def test_pihole():
    """Pi-hole and dnsmasq ask where dotstub listens, and nobody else."""
    ip, port = next(listens('pihole-upstream/dotstub.yaml'))
    with (EXAMPLES / 'pihole-upstream/pihole.toml').open('rb') as file:
        assert tomllib.load(file)['dns']['upstreams'] == [f'{ip}#{port}']
    lines = (EXAMPLES / 'pihole-upstream/dnsmasq.conf').read_text()
    assert f'\nserver={ip}#{port}\n' in lines and '\nno-resolv\n' in lines
    assert port != 53


def test_dnsmasq_before_it(serve, dotstub, tmp_path):
    """The same with the program itself, of which Pi-hole's is made."""
    program = shutil.which('dnsmasq', path='/usr/sbin:/usr/bin')
    if program is None:
        pytest.skip('dnsmasq is not installed')
    server = public_server(serve, {'www.example A': '192.0.2.80'})
    stub = dotstub([server], ready=[server])
    port = free_port('127.0.0.1')
    config = tmp_path / 'dnsmasq.conf'
    config.write_text((EXAMPLES / 'pihole-upstream/dnsmasq.conf').read_text()
                      .replace('5335', str(stub.port)))
    with Process([program, '-k', '-C', config, '-p', str(port), '--user=',
                  '--bind-interfaces', '--listen-address=127.0.0.1',
                  '--no-hosts', '--pid-file='], tmp_path / 'dnsmasq.log'
                 ) as process:
        wait_bound(process, [('udp', port)])
        assert '192.0.2.80' in dig(port, 'www.example')
    assert 'www.example' in public_names(server)


# ---- containers

def test_compose():
    compose, = load('docker-compose/compose.yaml')
    stub, app = compose['services']['dotstub'], compose['services']['app']
    address = ipaddress.ip_address(
        stub['networks']['default']['ipv4_address'])
    subnet = compose['networks']['default']['ipam']['config'][0]['subnet']
    assert address in ipaddress.ip_network(subnet)
    assert app['dns'] == [str(address)]
    assert app['depends_on']['dotstub']['condition'] == 'service_healthy'
    assert 'HEALTHCHECK' in (REPOSITORY / 'Dockerfile').read_text()
    assert (EXAMPLES / 'docker-compose' / stub['build']
            / 'Dockerfile').resolve() == REPOSITORY / 'Dockerfile'
    assert stub['read_only'] and stub['cap_drop'] == ['ALL']
    assert stub['security_opt'] == ['no-new-privileges:true']
    assert {p.rpartition(':')[2] for p in stub['ports']} == {'53/udp',
                                                             '53/tcp'}
    source, target, mode = stub['volumes'][0].split(':')
    assert (EXAMPLES / 'docker-compose' / source).is_file()
    assert (target, mode) == ('/etc/dotstub/dotstub.yaml', 'ro')
    assert ('0.0.0.0', 53) in listens('docker-compose/dotstub.yaml')
    assert mebibytes(stub['mem_limit']) >= 2 * cache_mebibytes(
        (EXAMPLES / 'docker-compose/dotstub.yaml').read_text())


def mebibytes(text):
    number, unit = re.fullmatch(r'(\d+)(Mi|MiB|m)', text).groups()
    assert unit
    return int(number)


def cache_mebibytes(text):
    return mebibytes(yaml.safe_load(text).get('cache_size', '32MiB'))


HEALTH = ['/usr/bin/dotstub', 'health']


def container_of(pod):
    """The one that is dotstub."""
    all_of = pod.get('initContainers', []) + pod['containers']
    found, = [c for c in all_of if c['name'] == 'dotstub']
    return found


def assert_hardened(pod):
    """What the Pod Security profile "restricted" asks of containers, and a
    read-only root."""
    assert pod['securityContext']['runAsNonRoot'] is True
    assert pod['securityContext']['seccompProfile'] == {
        'type': 'RuntimeDefault'}
    for container in pod.get('initContainers', []) + pod['containers']:
        context = container['securityContext']
        assert context['allowPrivilegeEscalation'] is False
        assert context['capabilities'] == {'drop': ['ALL']}
        assert context['runAsUser'] > 0
        assert 'privileged' not in context
    assert container_of(pod)['securityContext']['readOnlyRootFilesystem']
    # A Service called dotstub would add variables that begin as ours do.
    assert pod['enableServiceLinks'] is False
    assert pod['automountServiceAccountToken'] is False


def assert_restricted(pod):
    assert_hardened(pod)
    for key in ('hostNetwork', 'hostPID', 'hostIPC'):
        assert key not in pod
    # The one sysctl, which the profile counts as safe.
    assert pod['securityContext']['sysctls'] == [
        {'name': 'net.ipv4.ip_unprivileged_port_start', 'value': '0'}]
    assert all(set(v) - {'name'} <= {'configMap', 'emptyDir', 'secret'}
               for v in pod['volumes'])


def assert_runs(pod, config):
    """Probes, memory and the file."""
    stub = container_of(pod)
    for probe in ('startupProbe', 'livenessProbe', 'readinessProbe'):
        if probe in stub:
            assert stub[probe]['exec']['command'] == HEALTH
            # dotstub health gives up after two seconds.
            assert stub[probe]['timeoutSeconds'] > 2
    assert {'startupProbe', 'livenessProbe'} <= set(stub)
    limit = mebibytes(stub['resources']['limits']['memory'])
    assert limit >= 2 * cache_mebibytes(config)
    assert 'requests' in stub['resources']
    mount, = stub['volumeMounts']
    assert mount['mountPath'] == '/etc/dotstub' and mount['readOnly']
    volume, = pod['volumes']
    assert volume['name'] == mount['name']
    assert volume['configMap']['name'] == 'dotstub'


def test_sidecar(tmp_path):
    config_map, pod = load('kubernetes/sidecar/pod.yaml')
    assert (config_map['kind'], pod['kind']) == ('ConfigMap', 'Pod')
    config = config_map['data']['dotstub.yaml']
    spec = pod['spec']
    assert_restricted(spec)
    assert_runs(spec, config)
    # A sidecar by its kind: up before the application, ended after it.
    assert spec['initContainers'][0]['restartPolicy'] == 'Always'
    assert spec['dnsPolicy'] == 'None'
    dns = spec['dnsConfig']
    assert dns['nameservers'] == ['127.0.0.1']
    assert {'name': 'ndots', 'value': '5'} in dns['options']
    # What the search list makes is what search_noise stops.
    assert yaml.safe_load(config)['search_noise'] == dns['searches']

    path = tmp_path / 'dotstub.yaml'
    path.write_text(config)
    code, said, faults = check(path)
    assert code == 0 and not faults
    assert 'listening on 127.0.0.1:53' in said
    clear = [line for line in said.splitlines() if 'clear text' in line]
    assert [line.split()[2] for line in clear] == ['cluster.local.',
                                                   '10.in-addr.arpa.']


def kustomization(folder):
    """Its resources by kind, and the file of its ConfigMap."""
    base = EXAMPLES / 'kubernetes' / folder
    this, = load(base / 'kustomization.yaml')
    generator, = this['configMapGenerator']
    assert generator['name'] == 'dotstub'
    assert generator['files'] == ['dotstub.yaml']
    resources = [d for name in this['resources'] for d in load(base / name)]
    return ({d['kind']: d for d in resources},
            (base / 'dotstub.yaml').read_text())


def test_daemonset():
    found, config = kustomization('daemonset')
    pod = found['DaemonSet']['spec']['template']['spec']
    assert_hardened(pod)
    assert_runs(pod, config)
    assert pod['hostNetwork'] is True
    assert pod['dnsPolicy'] == 'ClusterFirstWithHostNet'
    enforce = found['Namespace']['metadata']['labels']
    assert enforce['pod-security.kubernetes.io/enforce'] == 'privileged'
    # One node at a time; none is left without, by whatever else happens.
    assert found['DaemonSet']['spec']['updateStrategy']['rollingUpdate'] == {
        'maxUnavailable': 1, 'maxSurge': 0}
    assert found['DaemonSet']['spec']['minReadySeconds'] > 0
    assert pod['priorityClassName'] == 'system-node-critical'
    assert pod['tolerations'] == [{'operator': 'Exists'}]
    assert pod['terminationGracePeriodSeconds'] > 5  # query_timeout is 4s

    # The sysctl is the node's, so the port is one that needs no privilege.
    assert 'sysctls' not in pod['securityContext']
    service = found['Service']['spec']
    for port in service['ports']:
        assert port['port'] == 53 and port['targetPort'] == 1053
    assert {p['protocol'] for p in service['ports']} == {'UDP', 'TCP'}
    assert service['trafficDistribution'] == 'PreferSameNode'
    env = {e['name']: e for e in container_of(pod)['env']}
    assert env['DOTSTUB_LISTEN']['value'] == '$(NODE_IP):1053'
    assert list(env).index('NODE_IP') < list(env).index('DOTSTUB_LISTEN')
    code, said, faults = check(
        EXAMPLES / 'kubernetes/daemonset/dotstub.yaml',
        DOTSTUB_LISTEN='10.1.2.3:1053')
    assert code == 0 and 'listening on 10.1.2.3:1053' in said, faults


def test_base():
    found, config = kustomization('base')
    deployment = found['Deployment']['spec']
    pod = deployment['template']['spec']
    assert_restricted(pod)
    assert_runs(pod, config)
    labels = deployment['template']['metadata']['labels']
    assert deployment['selector']['matchLabels'].items() <= labels.items()
    assert found['Service']['spec']['selector'].items() <= labels.items()
    budget = found['PodDisruptionBudget']['spec']
    assert budget['selector']['matchLabels'].items() <= labels.items()
    assert budget['minAvailable'] < deployment['replicas']
    assert deployment['strategy']['rollingUpdate']['maxUnavailable'] == 0
    names = {p['name'] for p in container_of(pod)['ports']}
    assert {p['targetPort'] for p in found['Service']['spec']['ports']} == names
    assert ('0.0.0.0', 53) in listens('kubernetes/base/dotstub.yaml')


def test_kustomize_builds_them(tmp_path):
    """With the tool, where it is installed: an overlay too."""
    if shutil.which('kubectl') is None:
        return  # test_base and test_daemonset read the same files
    overlay = tmp_path / 'overlay'
    overlay.mkdir()
    shutil.copytree(EXAMPLES / 'kubernetes/base', tmp_path / 'base')
    (overlay / 'dotstub.yaml').write_text('servers: mullvad\n')
    (overlay / 'kustomization.yaml').write_text('''resources: [../base]
configMapGenerator:
  - {name: dotstub, behavior: replace, files: [dotstub.yaml]}
images:
  - {name: dotstub, newName: registry.example/dotstub, newTag: "1"}
''')
    for folder in (EXAMPLES / 'kubernetes/base',
                   EXAMPLES / 'kubernetes/daemonset', overlay):
        done = subprocess.run(['kubectl', 'kustomize', folder], text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        found = {d['kind']: d for d in yaml.safe_load_all(done.stdout)}
        made = found.get('Deployment') or found['DaemonSet']
        pod = made['spec']['template']['spec']
        # The pods name the very ConfigMap that was made.
        assert pod['volumes'][0]['configMap']['name'] == \
            found['ConfigMap']['metadata']['name'] != 'dotstub'
        if folder == overlay:
            assert container_of(pod)['image'] == 'registry.example/dotstub:1'
            assert 'mullvad' in found['ConfigMap']['data']['dotstub.yaml']


# ---- the daemonset's way of asking the cluster's DNS

def test_no_loop_through_resolv_conf(tmp_path, ca, serve):
    """Where resolv.conf names dotstub itself, the zone has no servers."""
    resolv_conf = tmp_path / 'resolv.conf'
    resolv_conf.write_text('nameserver 127.0.0.1\n')
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    with Namespace(tmp_path) as ns:
        with Dotstub(tmp_path, ['192.0.2.53#dot.example'], ca.file, port=53,
                     prefix=ns.prefix, listen=['127.0.0.1'],
                     zones={'cluster.local': {'servers': {
                         'resolv_conf': str(resolv_conf)}}}) as stub:
            wait_for_log(stub, 'listening on')
            said, _ = ns.run('dig', '-r', '@127.0.0.1', '+tries=1',
                             'db.cluster.local')
            assert 'SERVFAIL' in said and 'no servers' in said
