"""Make the secrets that compose.yaml wants, in deploy/secrets, one a file. What is there is left as it is.

python deploy/make_secrets.py [FOLDER]
"""

import base64
import hashlib
import secrets
import sys
from pathlib import Path

USER = "plant-monitor"  # at the broker
ROUNDS = 101  # as mosquitto_passwd


def broker_line(password: str) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS, 64)
    return f"{USER}:$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


def make(folder: Path) -> list[str]:
    """The names of the files that were made."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # the service in its container reads by name
    texts = {name: secrets.token_urlsafe(32) for name in ("influx_token", "influx_password", "grafana_password")}
    mqtt = folder / "mqtt_password"
    texts["mqtt_password"] = mqtt.read_text() if mqtt.exists() else secrets.token_urlsafe(24)
    texts["mosquitto_passwords"] = broker_line(texts["mqtt_password"])
    missing = [name for name in texts if not (folder / name).exists()]
    for name in missing:
        (folder / name).write_text(texts[name])
    return missing


if __name__ == "__main__":
    names = make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "secrets")
    sys.stdout.writelines(f"{name}\n" for name in names)
