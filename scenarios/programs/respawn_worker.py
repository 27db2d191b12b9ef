"""A worker of a respawn pool that does nothing beside the tasks of the harness."""

import respawn

if __name__ == "__main__":
    respawn.serve()
