"""Starts the stimulus board: it plays a sensor to a node. Ctrl-C stops it and leaves the REPL."""

from player.console import Console
from player.settings import SettingsError, load


def main() -> None:
    """Run until Ctrl-C."""
    role = None
    try:
        role = load("/stimulus.json")
        Console(role).run()
    except SettingsError as error:
        print("stimulus: %s; correct the file and reset" % error)
    except KeyboardInterrupt:
        print("stimulus: stopped by Ctrl-C; soft reset (Ctrl-D) starts it again")
    finally:
        if role is not None:
            role.stop()


main()
