#!/usr/bin/env python3
"""Streams the lines of standard input into Huiyin over ZeroMQ, each of them once, however often it is stopped and started.

    apt-get install python3-zmq python3-protobuf protobuf-compiler
    protoc -I proto --python_out=. proto/intake.proto proto/feedback.proto
    ./feedback.py tcp://127.0.0.1:5570 huiyin/keys/app-default.key my-lines < lines.txt

Beyond this machine the door asks for CURVE: two more arguments, its public key and the secret one of a pair (huiyin keygen shop):

    ./feedback.py tcp://HOST:5570 shop.key my-lines door.pub shop.curve < lines.txt
"""
import sys
import time

import zmq
import intake_pb2 as huiyin

url, key_file, client_id = sys.argv[1:4]
key = open(key_file).read().strip()
lines = [line.rstrip("\n") for line in sys.stdin]
socket = zmq.Context.instance().socket(zmq.DEALER)
socket.linger = 0
if len(sys.argv) > 4:
    door, secret = (open(name).read().strip().encode() for name in sys.argv[4:6])
    socket.curve_serverkey, socket.curve_secretkey, socket.curve_publickey = door, secret, zmq.curve_public(secret)
socket.connect(url)


def submit(first_seq, texts):
    """Sends the items until a Receipt speaks of them; sending again is harmless."""
    items = [huiyin.Item(text=text, channel="script") for text in texts]
    message = huiyin.Submit(key=key, client_id=client_id, first_seq=first_seq, items=items).SerializeToString()
    while True:
        socket.send(message)
        while socket.poll(5000):
            receipt = huiyin.Receipt.FromString(socket.recv())
            if receipt.fault in ("", "rate", "full", "busy"):
                return receipt
            sys.exit(f"{receipt.fault}: {receipt.detail}")


receipt = submit(1, [])  # where did we stop the last time?
while receipt.durable_seq < len(lines):
    first = receipt.durable_seq
    receipt = submit(first + 1, lines[first : first + min(receipt.credit, 500)])
    for item in receipt.rejected:
        print(f"line {item.seq}:", *(f"{reason.pointer} {reason.detail}" for reason in item.reasons), file=sys.stderr)
    time.sleep(receipt.retry_ms / 1000)
print(f"{receipt.durable_seq} lines are safe")
