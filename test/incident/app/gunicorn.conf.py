"""32 requests at a time, which is more than most databases want as connections and fewer than there are users."""
import os

bind = os.environ.get("BIND", "0.0.0.0:8000")
workers = 4
threads = 8
preload_app = False
worker_tmp_dir = "/dev/shm"
keepalive = 75
