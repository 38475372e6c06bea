#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hostile SOCKET CASE: what no well-behaved requester does to an agent's unix socket, or HOST:PORT without TLS.

Exit status 0: the agent answered or closed as it should. Prints what happened otherwise.
"""
import socket
import sys
import time

where, case = sys.argv[1:3]
HEAD = b"POST /v1/Hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"


def connect():
    if where.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(where)
    else:
        host, port = where.rsplit(":", 1)
        s = socket.create_connection((host, int(port)), timeout=30)
    return s


def everything(s):
    """Until the agent closes."""
    out = b""
    try:
        while (piece := s.recv(65536)):
            out += piece
    except ConnectionResetError:
        pass
    return out


def send(s, data):
    try:
        s.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def expect(ok, what):
    if not ok:
        print("hostile:", case, what)
        sys.exit(1)


def refused(data, status):
    s = connect()
    send(s, data)
    out = everything(s)
    expect(out.startswith(b"HTTP/1.1 %d " % status), out[:200])


def hello(s):
    s.sendall(HEAD + b"\r\n{}")
    out = b""
    while b"\r\n\r\n" not in out or not out.endswith(b"}\n"):
        piece = s.recv(65536)
        expect(piece, out[:200])
        out += piece
    expect(out.startswith(b"HTTP/1.1 200 "), out[:200])


if case == "garbage":
    refused(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400)
elif case == "endless-head":
    refused(b"GET /" + b"a" * 9000, 431)
elif case == "huge-header":
    refused(HEAD + b"X: " + b"a" * 20000 + b"\r\n\r\n", 431)
elif case == "huge-body":
    refused(b"POST /v1/Hello HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n", 413)
elif case == "chunked":
    refused(b"POST /v1/Hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411)
elif case == "no-such":
    refused(b"POST /v1/Nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404)
elif case == "smuggle":
    refused(b"POST /v1/Hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\n{}", 400)
elif case == "deep":
    body = b"[" * 100000
    s = connect()
    s.sendall(b"POST /v1/Hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
              % len(body) + body)
    expect(b"nested deeper" in everything(s), "no word of the depth")
elif case == "slow-head":
    # A byte now and then does not buy time: the head has ten seconds in all.
    s = connect()
    began = time.monotonic()
    s.settimeout(0.5)
    out = b""
    for byte in HEAD * 100:
        send(s, bytes([byte]))
        try:
            piece = s.recv(65536)
            out += piece
            if not piece:
                break
        except TimeoutError:
            pass
        except ConnectionResetError:
            break
    took = time.monotonic() - began
    expect(9 < took < 14, f"{took} s")
    expect(out.startswith(b"HTTP/1.1 408 "), out[:200])
elif case == "pipeline":
    n = 500
    s = connect()
    s.sendall((HEAD + b"\r\n{}") * (n - 1) + HEAD + b"Connection: close\r\n\r\n{}")
    expect(everything(s).count(b"HTTP/1.1 200 OK") == n, "some were not answered")
elif case == "pipeline-unread":
    # Thousands of requests whose replies nobody takes: the agent stops reading, and others are served.
    s = connect()
    s.setblocking(False)
    sent = 0
    data = (HEAD + b"\r\n{}") * 1000
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            sent += s.send(data)
        except BlockingIOError:
            time.sleep(0.01)
    expect(sent < 8 << 20, f"{sent} bytes were taken")
    hello(connect())
elif case == "many":
    # 10,000 connections, all kept open as long as the agent keeps them: bounded, and it still answers.
    kept, closed = [], 0
    for _ in range(10000):
        try:
            kept.append(connect())
        except OSError:
            closed += 1
        if len(kept) > 700:  # our own descriptors are bounded, too
            for old in kept[:500]:
                old.close()
            kept = kept[500:]
    for s in kept:
        s.close()
    deadline = time.monotonic() + 10
    while True:
        try:
            hello(connect())
            break
        except OSError:
            expect(time.monotonic() < deadline, "it does not answer any more")
            time.sleep(0.05)
elif case == "together":
    # More at the same time than one peer may have: those beyond are closed at once.
    socks = [connect() for _ in range(100)]
    time.sleep(0.3)
    alive = 0
    for s in socks:
        s.settimeout(5)
        try:
            s.sendall(HEAD + b"\r\n{}")
            alive += s.recv(100).startswith(b"HTTP/1.1 200 ")
        except OSError:
            pass
    expect(alive == 64, f"{alive} are served")
elif case == "gone":
    # Callers that hang up at every byte.
    whole = HEAD + b"\r\n{}"
    for n in range(len(whole) + 1):
        s = connect()
        s.sendall(whole[:n])
        s.close()
    hello(connect())
else:
    sys.exit("hostile: no such case")
