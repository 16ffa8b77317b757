# base: reference
# loses: nothing
"""Answers rightly and then refuses to end: at exit, in a destructor, in a thread."""

import atexit
import threading
import time


class Stays:
    """Takes for ever to go."""

    def __del__(self):
        time.sleep(3600)


def _turn():
    while True:
        pass


atexit.register(_turn)
threading.Thread(target=time.sleep, args=(3600,)).start()
stays = Stays()
