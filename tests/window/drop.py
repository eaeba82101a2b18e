"""A file dragged onto a window and dropped there, as a file manager under X11 does it (XDND, version 5).

python tests/window/drop.py WINDOW FILE    WINDOW: its number; ends when the window has said that it is done
"""

from __future__ import annotations

import struct
import sys
import time
from pathlib import Path

from Xlib import X, display
from Xlib.protocol import event

SECONDS = 20  # that the window may take to answer
VERSION = 5


class Source:
    """The program that the file is dragged from."""

    def __init__(self, target: int, file: Path):
        self.display = display.Display()
        self.data = (file.resolve().as_uri() + "\r\n").encode()
        self.target = self.display.create_resource_object("window", target)
        root = self.display.screen().root
        self.window = root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        place = self.target.get_geometry()
        corner = self.target.translate_coords(root, 0, 0)  # of the root, seen from the window
        self.at = (place.width // 2 - corner.x) << 16 | (place.height // 2 - corner.y)

    def atom(self, name: str) -> int:
        return self.display.intern_atom(name)

    def tell(self, name: str, *values: int) -> None:
        message = event.ClientMessage(
            window=self.target,
            client_type=self.atom(name),
            data=(32, [self.window.id, *values, *[0] * (4 - len(values))]),
        )
        self.target.send_event(message)
        self.display.flush()

    def await_answer(self, name: str) -> list[int]:
        """The next message of this name, while the file is handed to whoever asks for it."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if not self.display.pending_events():
                time.sleep(0.005)
                continue
            got = self.display.next_event()
            if got.type == X.SelectionRequest:
                self.hand_over(got)
            elif got.type == X.ClientMessage and got.client_type == self.atom(name):
                return list(struct.unpack("=5I", got.data[1].tobytes()))
        raise SystemExit(f"the window does not send {name}")

    def hand_over(self, request: event.SelectionRequest) -> None:
        request.requestor.change_property(request.property, request.target, 8, self.data)
        answer = event.SelectionNotify(
            time=request.time,
            requestor=request.requestor,
            selection=request.selection,
            target=request.target,
            property=request.property,
        )
        request.requestor.send_event(answer)
        self.display.flush()

    def drop(self) -> None:
        self.window.set_selection_owner(self.atom("XdndSelection"), X.CurrentTime)
        self.tell("XdndEnter", VERSION << 24, self.atom("text/uri-list"))
        self.tell("XdndPosition", 0, self.at, X.CurrentTime, self.atom("XdndActionCopy"))
        if not self.await_answer("XdndStatus")[1] & 1:
            raise SystemExit("the window refuses the file")
        self.tell("XdndDrop", 0, X.CurrentTime)
        if not self.await_answer("XdndFinished")[1]:  # GLFW says here how many bytes it was handed
            raise SystemExit("the window did not take the file")


if __name__ == "__main__":
    Source(int(sys.argv[1]), Path(sys.argv[2])).drop()
