"""TLS towards brokers and devices: the other side must show a certificate for its name that we trust."""

from __future__ import annotations

import ssl

from plant_monitor.errors import InputError
from plant_monitor.plant import TlsFiles


def client_context(owner: str, files: TlsFiles) -> ssl.SSLContext:
    """The context of a connection; ``owner`` is named in errors.

    Raises
    ------
    InputError  a file cannot be used
    """
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise InputError(f"{owner}: tls.ca {files.ca}: {_why(error)}") from error
    if files.certificate is not None:
        try:
            # A password is always given: without one OpenSSL would ask for it on the terminal.
            context.load_cert_chain(files.certificate, files.key, lambda: files.key_password or "")
        except OSError as error:
            where = files.certificate if files.key is None else f"{files.certificate} with {files.key}"
            raise InputError(f"{owner}: tls.certificate {where}: {_why(error)}") from error
    return context


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return f"{reason}, expected PEM files that belong together"
