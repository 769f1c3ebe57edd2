"""Content Credentials of painted files, with a certificate made here."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.imaging.content_credentials import SETTINGS, signer_of, signing_context
from colorize.models import CNN
from colorize.utils.errors import UserError

c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed")
x509 = pytest.importorskip("cryptography.x509")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")


def certificate(name, key, issuer, issuer_key, ca):
    """As C2PA asks for it, for a month."""
    names = [x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, each),
                        x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in (name, issuer)]  # fmt: skip
    day = datetime.now(UTC)
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    builder = (
        x509.CertificateBuilder(*reversed(names), key.public_key(), x509.random_serial_number())
        .not_valid_before(day - timedelta(1))
        .not_valid_after(day + timedelta(30))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not ca:
        purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def new_key(kind):
    if kind == "rsa":
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        from cryptography.hazmat.primitives.asymmetric import ed25519

        return ed25519.Ed25519PrivateKey.generate()
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


@pytest.fixture(scope="module")
def make_keys(tmp_path_factory):
    """The PEM files of an archive's certificate and its key: `make_keys("rsa")`."""
    root, folder = new_key("p256"), tmp_path_factory.mktemp("keys")
    of_root = certificate("an authority", root, "an authority", root, ca=True)
    (folder / "root.pem").write_bytes(of_root)

    def make(kind="p256"):
        key, files = new_key(kind), (folder / f"{kind}.pem", folder / f"{kind}.key")
        files[0].write_bytes(certificate("an archive", key, "an authority", root, ca=False) + of_root)
        plain = serialization.NoEncryption()
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return files

    return make


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 32})


@pytest.fixture
def photograph(tmp_path):
    grey = np.tile(np.linspace(9000, 52000, 60).astype(np.uint16), (40, 1))
    (tmp_path / "in").mkdir()
    Image.fromarray(grey).save(tmp_path / "in" / "a.png")
    return "in/a.png"


@pytest.mark.parametrize("words", [("--format", "jpg"), ("--format", "webp"), ("--depth", 16), ("--format", "tif")])
def test_a_painted_file_is_signed_and_verified(words, photograph, weights, make_keys, inside, tmp_path):
    done = inside("paint", photograph, "-w", weights, "-o", "out", "--sidecar", "--c2pa", *make_keys(), *words)
    assert done.returncode == 0, done.stderr
    (path,) = (each for each in (tmp_path / "out").iterdir() if each.suffix != ".json")
    reader = c2pa.Reader(path, context=c2pa.Context.from_dict(SETTINGS))
    assert reader.get_validation_state() == "Valid"
    manifest = reader.get_active_manifest()
    opened, edited = manifest["assertions"][0]["data"]["actions"]
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"].endswith("algorithmicallyEnhanced")
    assert edited["parameters"]["colorize.network"] == weights.name
    assert manifest["ingredients"][0]["title"] == "a.png"
    assert str(make_keys()[1].parent) not in (tmp_path / "out" / f"{path.name}.colorize.json").read_text()
    told = inside("verify", "out", "--source", "in", "-w", weights)
    assert "agrees, every pixel, and is signed by an archive" in told.stdout
    data = bytearray(path.read_bytes())
    place = data.index(b"algorithmicallyEnhanced")  # in the marks, which no pixel depends on
    path.write_bytes(data[:place] + b"A" + data[place + 1 :])
    changed = inside("verify", "out", "--source", "in", "-w", weights)
    assert changed.returncode == 1
    assert "every pixel agrees, and other bytes do not" in changed.stderr


@pytest.mark.parametrize("kind", ["p384", "rsa", "ed25519"])
def test_keys_of_every_kind_sign(kind, photograph, weights, make_keys, inside, tmp_path):
    done = inside("paint", photograph, "-w", weights, "-o", "a.jpg", "--c2pa", *make_keys(kind))
    assert done.returncode == 0, done.stderr
    assert signer_of(tmp_path / "a.jpg") == "an archive"


def test_what_cannot_sign_is_said_before_anything_is_painted(photograph, weights, make_keys, inside, tmp_path):
    certificate, key = make_keys()
    (tmp_path / "text.pem").write_text("no key")
    for words, message in [
        ((certificate, certificate), "cannot sign"),
        ((certificate.with_name("root.pem"), key), "the certificate was self-signed"),
        ((certificate, make_keys("p384")[1]), "cannot sign"),
        ((certificate, "text.pem"), "cannot sign"),
        ((certificate, "none.pem"), "'none.pem' cannot be read (No such file or directory)"),
    ]:
        done = inside("paint", photograph, "-w", weights, "-o", "out", "--c2pa", *words)
        assert done.returncode == 2, words
        assert len(done.stderr.splitlines()) == 1
        assert message in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


def test_a_photograph_that_c2pa_cannot_read_is_named_all_the_same(weights, make_keys, inside, tmp_path):
    Image.new("L", (40, 30), 128).save(tmp_path / "a.jpg", "PNG")  # no JPEG
    done = inside("paint", "a.jpg", "-w", weights, "-o", "b.png", "--c2pa", *make_keys())
    assert done.returncode == 0, done.stderr
    manifest = c2pa.Reader(tmp_path / "b.png", context=c2pa.Context.from_dict(SETTINGS)).get_active_manifest()
    assert manifest["ingredients"][0]["title"] == "a.jpg"


def test_without_the_package_it_is_said(monkeypatch, make_keys):
    signing_context.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    with pytest.raises(UserError, match="pip install c2pa-python"):
        signing_context(*make_keys())
    assert signer_of(make_keys()[0]) == ""
