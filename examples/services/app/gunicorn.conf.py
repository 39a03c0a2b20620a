"""How gunicorn serves the app; it reads this file from the working directory."""

from orders import log
from orders.settings import Settings

_settings = Settings.from_env()

bind = f"0.0.0.0:{_settings.port}"
# One process with threads: Kubernetes scales by pods, and metrics stay in one place.
workers = 1
worker_class = "gthread"
threads = _settings.threads
# Longer than ingress-nginx keeps idle connections, so that it is never the app that hangs up.
keepalive = 75
graceful_timeout = 20
# The root file system is read-only.
worker_tmp_dir = "/dev/shm"
logconfig_dict = log.config(_settings.log_level)
