# A worker that computes every square wrongly.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workers", "python"))
sys.dont_write_bytecode = True
import respawn

encode = respawn._encode
respawn._encode = lambda v: encode(dict(v, value="1" + v["value"]) if isinstance(v, dict) and v.get("id") else v)
respawn.serve()
