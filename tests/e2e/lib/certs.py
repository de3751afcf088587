"""Throw-away certificates: an authority, and leaves right and wrong.

Everything is made anew for each run and lives in a folder of the caller's, so
no key of the tests is ever worth stealing.
"""
import base64
import datetime
import hashlib
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def new_key(kind):
    """kind: 'ec' (P-256), 'ec384', 'rsa' (2048 bits)."""
    if kind == 'rsa':
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = {'ec': ec.SECP256R1, 'ec384': ec.SECP384R1}[kind]
    return ec.generate_private_key(curve())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()).decode()


def spki_pin(cert):
    """RFC 7858 section 4.2, as dotstub's configuration writes it."""
    spki = cert.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(spki).digest()
    return 'sha256/' + base64.b64encode(digest).decode()


def _subject(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject, issuer, key, start, end):
    return (x509.CertificateBuilder().subject_name(subject)
            .issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start).not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                key.public_key()), critical=False))


class Leaf:
    """A server's certificate in two files: chain (as it is sent) and key."""

    def __init__(self, folder, label, cert, key, chain):
        self.cert = cert
        self.pin = spki_pin(cert)
        self.chain_file = str(pathlib.Path(folder) / f'{label}.pem')
        self.key_file = str(pathlib.Path(folder) / f'{label}.key')
        pathlib.Path(self.chain_file).write_text(
            ''.join(pem(c) for c in [cert, *chain]))
        pathlib.Path(self.key_file).write_text(key_pem(key))


class Authority:
    """A certification authority; a root, or below another one."""

    def __init__(self, folder, label='ca', kind='ec', parent=None):
        self.folder = pathlib.Path(folder)
        self.label = label
        self.parent = parent
        self.key = new_key(kind)
        self.serial = 0
        now = datetime.datetime.utcnow()
        subject = _subject(f'dotstub tests {label}')
        issuer = parent.cert.subject if parent else subject
        signer = parent.key if parent else self.key
        self.cert = (
            _builder(subject, issuer, self.key, now - 9 * DAY, now + 9 * DAY)
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(_usage(is_ca=True), critical=True)
            .sign(signer, hashes.SHA256()))
        self.file = str(self.folder / f'{label}.pem')
        pathlib.Path(self.file).write_text(pem(self.cert))

    def intermediate(self, label='intermediate', kind='ec'):
        return Authority(self.folder, label, kind, parent=self)

    def leaf(self, names=('dot.example',), ips=(), kind='ec', key=None,
             days=(-1, 8), send_chain=True, common_name=None, is_self=False):
        """days: validity from now. is_self: signed by its own key."""
        self.serial += 1
        key = key or new_key(kind)
        now = datetime.datetime.utcnow()
        subject = _subject(common_name or (list(names) + list(ips) + ['x'])[0])
        builder = _builder(subject, subject if is_self else self.cert.subject,
                           key, now + days[0] * DAY, now + days[1] * DAY)
        alternatives = [x509.DNSName(n) for n in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False)
        builder = (
            builder.add_extension(x509.BasicConstraints(False, None),
                                  critical=True)
            .add_extension(_usage(is_ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH]), critical=False))
        cert = builder.sign(key if is_self else self.key, hashes.SHA256())
        chain = []
        above = self
        while send_chain and not is_self and above.parent:
            chain.append(above.cert)
            above = above.parent
        return Leaf(self.folder, f'{self.label}-leaf-{self.serial}', cert,
                    key, chain)


def _usage(is_ca):
    return x509.KeyUsage(
        digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca,
        content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False)
