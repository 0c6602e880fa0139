#!/usr/bin/env python3
"""Carries packets between network namespaces as a wide-area network would: late, and some of them lost, doubled or out of order.

Each namespace gets a TUN device with its address; all others of the network are behind it. Ends with its standard input.

  wan.py --delay-ms 125 --loss 0.05 --double 0.1 --reorder 0.25 NAMESPACE=ADDRESS…
"""
import argparse
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
# Packets under way. Beyond it the network loses them.
MOST = 200_000
# Packets of one device taken at once, so that others are not held up.
AT_ONCE = 64


def open_tun(namespace, address):
    """A TUN device in a namespace. A device belongs to where it was made, and a descriptor goes anywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
        try:
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wan0", IFF_TUN | IFF_NO_PI))
            subprocess.run(["ip", "address", "add", f"{address}/16", "dev", "wan0"], check=True)
            subprocess.run(["ip", "link", "set", "wan0", "txqueuelen", "1000", "up"], check=True)
        finally:
            libc.setns(home, CLONE_NEWNET)
    finally:
        os.close(there)
        os.close(home)
    return tun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ends", nargs="+")
    parser.add_argument("--delay-ms", type=float, default=0, help="one way")
    for share in ("--loss", "--double", "--reorder"):
        parser.add_argument(share, type=float, default=0, help="of the packets, 0 to 1")
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    ends = [end.split("=") for end in args.ends]
    tuns = {socket.inet_aton(address): open_tun(namespace, address) for namespace, address in ends}
    chance, queue, count = random.Random(args.seed).random, [], 0
    poll = select.poll()
    for source in [*tuns.values(), sys.stdin.fileno()]:
        poll.register(source, select.POLLIN)
    # What is late for want of a core would be laid to the network.
    try:
        os.nice(-10)
    except OSError:
        pass
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        wait = 500 if not queue else max(0, (queue[0][0] - now) * 1000)
        for source, _ in poll.poll(wait):
            if source == sys.stdin.fileno():
                return
            for _ in range(AT_ONCE):
                try:
                    packet = os.read(source, 65536)
                except BlockingIOError:
                    break
                target = tuns.get(packet[16:20]) if packet[0] >> 4 == 4 else None
                if target is None:
                    continue
                for _ in range(0 if chance() < args.loss or len(queue) > MOST else 2 if chance() < args.double else 1):
                    # One that is out of order comes up to half a way late, so that those behind it come first.
                    late = args.delay_ms * (1 + chance() / 2 if chance() < args.reorder else 1) / 1000
                    count += 1
                    heapq.heappush(queue, (time.monotonic() + late, count, target, packet))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, target, packet = heapq.heappop(queue)
            try:
                os.write(target, packet)
            except OSError:
                pass


main()
