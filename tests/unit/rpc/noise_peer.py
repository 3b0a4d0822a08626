#!/usr/bin/env python3
"""The other end of a Noise connection, by dissononce: an implementation that shares nothing with ours.

noise_peer.py client PORT SERVER_PUBLIC SECRET   shakes hands with a droverd, pings it and asks for its health
noise_peer.py server SECRET                      prints its port, takes one drover client and answers its Health/Check
noise_peer.py echo SECRET EVERY COUNT            prints its port, returns COUNT records, rekeys after each EVERY of them
Keys are hex. Exit 77: dissononce is not installed (apt install python3-dissononce).
"""
import socket
import struct
import sys

try:
    from dissononce.cipher.chachapoly import ChaChaPolyCipher
    from dissononce.dh.x25519.public import PublicKey
    from dissononce.dh.x25519.x25519 import X25519DH
    from dissononce.hash.sha256 import SHA256Hash
    from dissononce.processing.handshakepatterns.interactive.IK import IKHandshakePattern
    from dissononce.processing.impl.cipherstate import CipherState
    from dissononce.processing.impl.handshakestate import HandshakeState
    from dissononce.processing.impl.symmetricstate import SymmetricState
except ImportError:
    sys.exit(77)

PROLOGUE = b"drover/1"
REQUEST, RESPONSE, PING, PONG = 1, 2, 6, 7


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise EOFError("the peer has closed")
        data += piece
    return data


def read_message(sock):
    return read_exactly(sock, struct.unpack(">H", read_exactly(sock, 2))[0])


def write_message(sock, data):
    sock.sendall(struct.pack(">H", len(data)) + data)


def key_pair(secret):
    dh = X25519DH()
    from dissononce.dh.x25519.private import PrivateKey
    return dh.generate_keypair(PrivateKey(bytes.fromhex(secret)))


def new_state():
    return HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), SHA256Hash()), X25519DH())


class Link:
    """Records and frames over a socket whose handshake is done."""

    def __init__(self, sock, send, receive, every=65536):
        self.sock, self.plain, self.every = sock, b"", every
        self.send, self.receive = [send, 0], [receive, 0]

    def advance(self, direction):
        # dissononce's own rekey() keeps the tag in the key and sets the nonce to 0; the specification (4.2, 11.3) takes
        # the first 32 bytes and leaves the nonce alone.
        direction[1] += 1
        if direction[1] % self.every == 0:
            direction[0].initialize_key(direction[0].cipher.rekey(direction[0]._key)[:32])
            direction[0].set_nonce(direction[1])

    def write_record(self, plain):
        write_message(self.sock, self.send[0].encrypt_with_ad(b"", plain))
        self.advance(self.send)

    def read_record(self):
        plain = self.receive[0].decrypt_with_ad(b"", read_message(self.sock))
        self.advance(self.receive)
        return plain

    def write_frame(self, frame):
        self.write_record(struct.pack(">I", len(frame)) + frame)

    def read_frame(self):
        while len(self.plain) < 4 or len(self.plain) - 4 < struct.unpack(">I", self.plain[:4])[0]:
            self.plain += self.read_record()
        length = struct.unpack(">I", self.plain[:4])[0]
        frame, self.plain = self.plain[4:4 + length], self.plain[4 + length:]
        return fields(frame)


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields(data):
    out, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        out[tag >> 3] = value
    return out


def run_client(port, server_public, secret):
    sock = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
    state = new_state()
    state.initialize(IKHandshakePattern(), True, PROLOGUE, s=key_pair(secret),
                     rs=PublicKey(bytes.fromhex(server_public)))
    message, payload = bytearray(), bytearray()
    state.write_message(b"", message)
    assert len(message) == 96
    write_message(sock, bytes(message))
    send, receive = state.read_message(read_message(sock), payload)
    assert len(payload) == 17 and payload[0] == 1, payload
    link = Link(sock, send, receive)
    link.write_frame(field(2, PING))
    link.write_frame(field(1, 9) + field(2, REQUEST) + field(3, b"drover.v1.Health/Check"))
    kinds = []
    while RESPONSE not in kinds:
        frame = link.read_frame()
        kinds.append(frame[2])
    assert frame[1] == 9 and frame.get(4, 0) == 0, frame
    health = fields(frame[7])
    assert health[1] == 1 and health[3] == bytes(payload[1:]), health
    print(health[4].decode())


def accept_one(secret):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    listener.settimeout(20)
    sock, _ = listener.accept()
    sock.settimeout(20)
    state = new_state()
    state.initialize(IKHandshakePattern(), False, PROLOGUE, s=key_pair(secret))
    message, payload = bytearray(), bytearray()
    state.read_message(read_message(sock), payload)
    assert len(payload) == 0
    receive, send = state.write_message(b"\x01" + b"\xc1" * 16, message)
    write_message(sock, bytes(message))
    return sock, send, receive


def run_server(secret):
    link = Link(*accept_one(secret))
    while True:
        frame = link.read_frame()
        if frame[2] == PING:
            link.write_frame(field(2, PONG))
        elif frame[2] == REQUEST:
            assert frame[3] == b"drover.v1.Health/Check", frame
            health = field(1, 1) + field(2, b"written in Python")
            link.write_frame(field(1, frame[1]) + field(2, RESPONSE) + field(7, health))
            break
    try:
        link.sock.recv(1)
    except OSError:
        pass


def run_echo(secret, every, count):
    link = Link(*accept_one(secret), every=int(every))
    for _ in range(int(count)):
        link.write_record(link.read_record())


if __name__ == "__main__":
    {"client": run_client, "server": run_server, "echo": run_echo}[sys.argv[1]](*sys.argv[2:])
