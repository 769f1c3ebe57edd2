"""Content Credentials (C2PA): a signed manifest in a painted file that says of which photograph it was made, and how.

The package c2pa-python, which is optional, writes and reads them. Nothing is fetched: no time stamps, no manifests.
"""

import io
import mimetypes
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from colorize.imaging.provenance import SOURCE_TYPE
from colorize.utils.errors import UserError

ALGORITHMS = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512", "rsa": "ps256", "ed25519": "ed25519"}
SETTINGS: dict[str, Any] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}, "builder": {"thumbnail": {"enabled": False}},
}  # fmt: skip


@cache
def signing_context(certificate: Path, key: Path) -> Any:
    """What signs (`c2pa.Context`). Raises `UserError` where a certificate and its key cannot, and without c2pa-python.

    certificate  a PEM of a certificate for signing, with those of its issuers behind it; C2PA takes no self-signed one
    key          its PEM, PKCS #8 without a password: of an elliptic curve, RSA or Ed25519
    """
    try:
        import c2pa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise UserError("--c2pa needs the package c2pa-python: pip install c2pa-python") from error
    try:
        held = load_pem_private_key(key.read_bytes(), password=None)
        kind = getattr(getattr(held, "curve", None), "name", type(held).__name__.removesuffix("PrivateKey").strip("_"))
        algorithm = ALGORITHMS.get(kind.lower(), kind).encode()
        info = c2pa.C2paSignerInfo(algorithm, certificate.read_bytes(), key.read_bytes(), None)
        context = c2pa.Context.from_dict(SETTINGS, signer=c2pa.Signer.from_info(info))
        Image.new("L", (8, 8)).save(picture := io.BytesIO(), "PNG")
        new_manifest({}, context).sign("image/png", picture, io.BytesIO())
    except OSError as error:
        raise UserError(f"--c2pa: {str(error.filename)!r} cannot be read ({error.strerror})") from error
    except (c2pa.C2paError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"--c2pa: {str(certificate)!r} and {str(key)!r} cannot sign: {said}") from error
    return context


def new_manifest(record: Mapping[str, Any], context: Any) -> Any:
    """A manifest (`c2pa.Builder`) that says how a photograph was painted; record: as `provenance.KEYS` has it."""
    import c2pa

    name, _, version = record.get("software", "colorize").partition(" ")
    agent = {"name": name, "version": version}
    told = {f"colorize.{key}": value for key, value in record.items() if isinstance(value, str)}
    action = {"action": "c2pa.edited", "digitalSourceType": SOURCE_TYPE, "softwareAgent": agent, "parameters": told}
    assertion = {"label": "c2pa.actions.v2", "data": {"actions": [action]}}
    builder = c2pa.Builder({"claim_generator_info": [agent], "assertions": [assertion]}, context=context)
    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    return builder


def sign(path: Path, *, kind: str, source: Path, record: Mapping[str, Any], keys: Sequence[Path]) -> None:
    """Sign a painted file in place, with the record of how its source was painted.

    kind  Pillow's name of its format
    keys  the certificate and the key of `signing_context`
    """
    import c2pa

    builder = new_manifest(record, signing_context(*keys))
    parent, other = {"title": source.name, "relationship": "parentOf"}, "application/octet-stream"
    with source.open("rb") as photograph:
        try:
            builder.add_ingredient(parent, mimetypes.guess_type(source.name)[0] or other, photograph)
        except c2pa.C2paError:  # odd files are painted all the same: they are named, and not looked into
            builder.add_ingredient(parent, other, photograph)
    signed = path.with_name(f"{path.name}.signed")
    try:
        with path.open("rb") as painted, signed.open("w+b") as target:
            builder.sign(Image.MIME[kind], painted, target)
        signed.replace(path)
    finally:
        signed.unlink(missing_ok=True)


def signer_of(path: Path) -> str:
    """Who signed a file that is still as it was signed, be they trusted or not; nothing of any other file, and where
    c2pa-python is not installed."""
    try:
        import c2pa
    except ImportError:
        return ""
    try:
        reader = c2pa.Reader.try_create(path, context=c2pa.Context.from_dict(SETTINGS))
    except c2pa.C2paError:  # it is damaged
        return ""
    if reader is None or reader.get_validation_state() == "Invalid":
        return ""
    signature = (reader.get_active_manifest() or {}).get("signature_info", {})
    return str(signature.get("common_name") or signature.get("issuer") or "an unnamed certificate")
