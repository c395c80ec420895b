#!/usr/bin/python3
"""A serial CAN adapter made of a pty pair: one side speaks the adapter's firmware (LAWICEL text, as the
kernel's slcan driver understands it), the other carries the driver, so the interface behaves like hardware.

Standard input, one command a line:
    plug                 answers `plugged IFACE`; the interface is down and has no bit rate yet
    unplug               the interface disappears; answers `unplugged`
    bus_off, error_passive, error_warning, error_active, overrun, ack_error, crc_error
    anything else        goes to the driver as it is: t1232AABB and T123456781CC are frames
Standard output: the answers, and `wrote TEXT` for all that the driver writes to the adapter: C, S6, O or L
when it goes up, a frame when somebody transmits.
The end of standard input unplugs.
"""

import fcntl
import os
import select
import struct
import sys
import tty

N_SLCAN = 17
TIOCSETD = 0x5423

FIRMWARE_SAYS = {
    "bus_off": "sb000255",
    "error_passive": "sp130000",
    "error_warning": "sw100000",
    "error_active": "sa000000",
    "overrun": "e1o",
    "ack_error": "e1a",
    "crc_error": "e1c",
}


def say(line):
    print(line, flush=True)


class Adapter:
    def __init__(self):
        self.firmware = None
        self.port = None

    def plug(self):
        before = set(os.listdir("/sys/class/net"))
        self.firmware, self.port = os.openpty()
        tty.setraw(self.firmware)
        tty.setraw(self.port)
        fcntl.ioctl(self.port, TIOCSETD, struct.pack("i", N_SLCAN))
        (interface,) = set(os.listdir("/sys/class/net")) - before
        say(f"plugged {interface}")

    def unplug(self):
        if self.firmware is None:
            return
        os.close(self.port)
        os.close(self.firmware)
        self.firmware = self.port = None
        say("unplugged")

    def command(self, line):
        if line == "plug":
            self.plug()
        elif line == "unplug":
            self.unplug()
        else:
            os.write(self.firmware, f"{FIRMWARE_SAYS.get(line, line)}\r".encode())

    def read(self):
        written = os.read(self.firmware, 65536).decode("ascii", "replace")
        for text in written.split("\r"):
            if text:
                say(f"wrote {text}")


def main():
    adapter = Adapter()
    pending = b""
    while True:
        watched = [sys.stdin.fileno()]
        if adapter.firmware is not None:
            watched.append(adapter.firmware)
        ready, _, _ = select.select(watched, [], [])
        if adapter.firmware in ready:
            adapter.read()
        if sys.stdin.fileno() in ready:
            part = os.read(sys.stdin.fileno(), 65536)
            if not part:
                adapter.unplug()
                return
            *lines, pending = (pending + part).split(b"\n")
            for line in lines:
                adapter.command(line.decode())


main()
